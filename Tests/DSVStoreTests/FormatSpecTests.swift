import DSVFormat
import DSVSystem
import DSVTesting
import Testing

@testable import DSVStore

/// `format-spec/store.md` and the code say the same of every byte.
@Suite struct FormatSpecTests {
  static let packID = (0..<16).map { UInt8($0) }
  static let commit: CommitID = AnyIDBytes.counting(from: 0x20)
  static let id: AnyID = AnyIDBytes.counting(from: 0x40)
  static let object = StoredObject(kind: .chunk, plainByteCount: 12, bytes: Array("rows!".utf8))

  static let publication = ReflogRecord(
    time: 1_700_000_000, numbered: [ReflogRecord.Numbered(number: 1, commit: commit)],
    moves: [
      ReflogRecord.Move(name: "HEAD", old: nil, new: .symbolic("heads/main"), action: "create"),
      ReflogRecord.Move(name: "heads/main", old: nil, new: .commit(commit), action: "first"),
    ])

  /// The bytes that the code writes, by the name of the block in the specification that shows them.
  static var written: [String: [UInt8]] {
    let record = PackRecord(id, object)
    let commitRecord = PackRecord(AnyID(commit), StoredObject(kind: .commit, plainByteCount: 0, bytes: []))
    var state = IndexState()
    (state.openPack, state.openPackByteCount, state.lastPack) = (1, 149, 1)
    (state.reflogByteCount, state.lastVersion) = (166, 1)
    let collection = ReflogRecord(
      time: 1_700_000_000, numbered: [], moves: [], collected: CollectedCommits([commit], state))
    let status = FileStatus(byteCount: 49_152, modified: 1, changed: 2, inode: 3)
    return [
      "format": Array(RepositoryFormat().text.utf8),
      "pack": PackHeader(packID: packID).bytes + record.bytes + object.bytes + commitRecord.bytes,
      "reflog": ReflogRecord.fileHeader + publication.bytes,
      "reflog collected": collection.bytes,
      "index objects": SealedValue.seal(.objects, id.key, Place(1, 32, RecordHead(record)).bytes),
      "index refs": SealedValue.seal(.refs, Array("HEAD".utf8), RefTarget.symbolic("heads/main").bytes),
      "index versions": SealedValue.seal(.versions, Index.key(1), commit.key),
      "index state": SealedValue.seal(.meta, IndexState.key, state.bytes),
      "stamp": IndexStamp(status, transactionID: 7).bytes,
    ]
  }

  /// The hex blocks of the specification: each begins with a line "hex NAME".
  static func specified(_ file: String = "store.md") throws -> [String: [UInt8]] {
    let path = String(#filePath.prefix(#filePath.count - "Tests/DSVStoreTests/FormatSpecTests.swift".count))
    let bytes = try FileSystem.read("\(path)format-spec/\(file)", limit: 1 << 20)
    var blocks: [String: [UInt8]] = [:]
    var name: String?
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      if line.hasPrefix("```") {
        name = line.hasPrefix("```hex ") ? String(line.dropFirst(7)) : nil
      } else if let name {
        // What follows two spaces and a sign explains the bytes before it.
        let digits = line.split(separator: "#", omittingEmptySubsequences: false)[0].filter { $0 != " " }
        var rest = digits[...]
        while let byte = UInt8(rest.prefix(2), radix: 16) {
          blocks[name, default: []].append(byte)
          rest = rest.dropFirst(2)
        }
        #expect(rest.isEmpty, "\(name): \(line)")
      }
    }
    return blocks
  }

  @Test("the code writes what the specification shows")
  func bytes() throws {
    let specified = try Self.specified()
    for (name, bytes) in Self.written.sorted(by: { $0.key < $1.key }) {
      #expect(specified[name] == bytes, "```hex \(name)\n\(Self.hex(bytes))")
    }
    // What is sealed is ``SealedSpecTests``' matter.
    #expect(specified.count { !$0.key.hasPrefix("sealed") } == Self.written.count)
  }

  @Test("a repository with the bytes that the specification shows is read")
  func read() throws {
    let specified = try Self.specified()
    let scratch = try Scratch()
    try FileSystem.makeFolder(scratch.root)
    try FileSystem.makeFolder("\(scratch.root)/packs")
    try FileSystem.replace("\(scratch.root)/format", with: specified["format"] ?? [])
    try FileSystem.replace("\(scratch.root)/packs/00000001.pack", with: specified["pack"] ?? [])
    try FileSystem.replace("\(scratch.root)/reflog", with: specified["reflog"] ?? [])
    let store = try scratch.open()
    #expect(try store.read(Self.id) == Self.object)
    #expect(try store.objectCount == 2)
    #expect(try store.ref("HEAD") == .symbolic("heads/main"))
    #expect(try store.ref("heads/main") == .commit(Self.commit))
    #expect(try store.commit(number: 1) == Self.commit)
    #expect(try store.reflog().map(\.time) == [1_700_000_000, 1_700_000_000])
    #expect(try store.checkPacks().problems == [])
  }

  @Test("the layouts are as long as the specification says")
  func lengths() {
    #expect(PackLayout.Header.byteCount == 32)
    #expect(PackLayout.Record.byteCount == 56)
    #expect(ReflogLayout.Header.byteCount == 16)
    #expect(ReflogLayout.Record.byteCount == 16)
    #expect(IndexStamp.byteCount == 56)
  }

  static func hex(_ bytes: [UInt8]) -> String {
    var text = ""
    for (index, byte) in bytes.enumerated() {
      text += (byte < 16 ? "0" : "") + String(byte, radix: 16) + (index % 16 == 15 ? "\n" : " ")
    }
    return text
  }
}

/// IDs whose bytes count up, so that they can be told in a dump.
enum AnyIDBytes {
  static func counting<Kind>(from first: UInt8) -> ObjectID<Kind> {
    let bytes = (0..<32).map { first + UInt8($0) }
    return bytes.withBytes { ObjectID(key: $0) }
  }
}
