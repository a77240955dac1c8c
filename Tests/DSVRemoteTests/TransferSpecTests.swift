import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import Testing

/// `format-spec/transfer.md` and the code say the same of every byte.
@Suite struct TransferSpecTests {
  static func counting<Kind>(_ first: UInt8) -> ObjectID<Kind> {
    func word(_ start: UInt8) -> UInt64 { (0..<8).reduce(0) { $0 << 8 | UInt64(first + start + $1) } }
    return ObjectID(word(0), word(8), word(16), word(24))
  }

  static let packID = PackID((0..<16).map { UInt8($0) })

  static func index() throws -> PackIndex {
    var pack = PackBuilder(packID: packID)
    try pack.append(
      counting(0x40), StoredObject(kind: .chunk, plainByteCount: 12, bytes: Array("rows!".utf8)))
    let base = ObjectBase(counting(0x40), depth: 1)
    try pack.append(
      counting(0x20), StoredObject(kind: .chunk, plainByteCount: 14, base: base, bytes: [1, 2]))
    return PackIndex(pack)
  }

  static func entry() -> RemoteEntry {
    var entry = RemoteEntry(
      number: 2, previous: counting(0x60), nonce: PackID((16..<32).map { UInt8($0) }), time: 1_700_000_000)
    entry.moves = [.init("heads/main", old: counting(0x80), new: counting(0xa0))]
    entry.numbered = [.init(2, counting(0xa0))]
    entry.added = [LoggedPack(packID, byteCount: 183)]
    return entry
  }

  static func checkpoint() -> Checkpoint {
    var checkpoint = Checkpoint(LogPosition(number: 64, digest: counting(0x60)))
    checkpoint.refs = [.init("heads/main", old: nil, new: counting(0xa0))]
    checkpoint.numbered = [.init(1, counting(0xa0))]
    checkpoint.packs = entry().added
    checkpoint.condemned = [.init(entry().nonce, time: 1_700_000_000)]
    return checkpoint
  }

  /// An entry of the golden remote, as it lies there.
  static func golden(_ number: Int) throws -> [UInt8] {
    try FileSystem.read(
      "\(root)fixtures/v1-remote/plain/remote/\(RemoteLayout.entry(number))", limit: 1 << 20)
  }

  static func written() throws -> [String: [UInt8]] {
    [
      "remote format": Array(RemoteLayout.formatText.utf8), "pack index": try index().bytes,
      "log entry": entry().bytes, "checkpoint": checkpoint().bytes,
      "log entry of the fixture": try golden(6),
    ]
  }

  static let root = String(
    #filePath.prefix(#filePath.count - "Tests/DSVRemoteTests/TransferSpecTests.swift".count))

  static func specified() throws -> [String: [UInt8]] {
    let bytes = try FileSystem.read("\(root)format-spec/transfer.md", limit: 1 << 20)
    var blocks: [String: [UInt8]] = [:]
    var name: String?
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      if line.hasPrefix("```") {
        name = line.hasPrefix("```hex ") ? String(line.dropFirst(7)) : nil
      } else if let name {
        var rest = line.split(separator: "#", omittingEmptySubsequences: false)[0].filter { $0 != " " }[...]
        while let byte = UInt8(rest.prefix(2), radix: 16) {
          blocks[name, default: []].append(byte)
          rest = rest.dropFirst(2)
        }
        #expect(rest.isEmpty, "\(name): \(line)")
      }
    }
    return blocks
  }

  @Test("the code writes what the specification shows, and reads it")
  func blocks() throws {
    let specified = try Self.specified()
    let written = try Self.written()
    for (name, bytes) in written.sorted(by: { $0.key < $1.key }) {
      let hex = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined(separator: " ")
      #expect(specified[name] == bytes, "\(name): \(hex)")
    }
    #expect(Set(specified.keys) == Set(written.keys))
    #expect(try RemoteEntry(specified["log entry"] ?? [], of: "entry") == Self.entry())
    #expect(try Checkpoint(specified["checkpoint"] ?? [], of: "checkpoint") == Self.checkpoint())
    #expect(try PackIndex(specified["pack index"] ?? [], of: "index") == Self.index())
  }

  @Test("the specification's entry of the golden remote says what that one does")
  func goldenEntry() throws {
    let bytes = try #require(try Self.specified()["log entry of the fixture"])
    let entry = try RemoteEntry(bytes, of: "entry")
    #expect(entry.number == 6)
    #expect(try entry.previous == RemoteEntry.digest(of: Self.golden(5)))
    #expect(entry.moves.map(\.name) == ["heads/main"] && entry.numbered.map(\.number) == [4])
    #expect(entry.moves[0].new == entry.numbered[0].commit && entry.moves[0].old != nil)
    #expect(entry.added.map(\.byteCount) == [1223] && entry.added[0].key == nil)
    #expect(entry.condemned.isEmpty && entry.deleted.isEmpty)
    #expect(entry.bytes == bytes)
  }

  @Test("the specification has its headings and is in the index")
  func headings() throws {
    let text = String(
      decoding: try FileSystem.read("\(Self.root)format-spec/transfer.md", limit: 1 << 20), as: UTF8.self)
    for heading in ["Purpose", "Layout", "Rules", "Example", "For implementers", "Changes"] {
      #expect(text.contains(". \(heading)"))
    }
    let index = String(
      decoding: try FileSystem.read("\(Self.root)format-spec/README.md", limit: 1 << 20), as: UTF8.self)
    #expect(index.contains("| `transfer.md` |"))
  }
}
