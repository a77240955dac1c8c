import DSVFormat
import DSVSystem
import DSVTesting
import Testing

@testable import DSVStore

/// Runs of keys: sorting, merging, finding, and every byte as `format-spec/keys.md` has it.
@Suite struct KeyRunTests {
  private static let secret = KeySecret(SecretBytes(count: 32) { $0.copyBytes(from: 0..<32) })

  private static func entry(_ number: Int) -> KeyEntry {
    let bytes = Array("key \(number)".utf8)
    return KeyEntry(bytes.withUnsafeBytes { secret.hash.digest($0) }, row: number)
  }

  private static func header(_ firstRow: Int, _ rowCount: Int) -> KeyRunHeader {
    KeyRunHeader(
      family: 0x0102_0304_0506_0708, start: AnyIDBytes.counting(from: 0),
      end: AnyIDBytes.counting(from: 0x40),
      firstRow: firstRow, rowCount: rowCount)
  }

  private func folder(_ scratch: TemporaryFolder) throws -> KeyFolder {
    try FileSystem.makeFolder(scratch.path + "/tmp")
    return KeyFolder(path: scratch.path + "/keys", temporary: scratch.path + "/tmp")
  }

  @Test("any number of batches comes out in order, rows of one key side by side")
  func sorting() throws {
    let scratch = try TemporaryFolder()
    let folder = try folder(scratch)
    var random = DSVTesting.SeededGenerator(seed: 3)
    for batchCount in [0, 1, 2, 7, 8, 9, 70] {
      var sorter = KeySorter(makeFile: folder.temporaryFile)
      var all: [KeyEntry] = []
      for _ in 0..<batchCount {
        var batch = KeyBatch()
        for _ in 0..<random.below(300) {
          // Every key comes again and again, in other rows.
          let entry = KeyEntry(Self.entry(random.below(500)).hash, row: all.count)
          batch.append(entry)
          all.append(entry)
        }
        batch.sort()
        try sorter.add(batch)
      }
      var found: [KeyEntry] = []
      try sorter.forEachEntry { found.append($0) }
      #expect(found == all.sorted { $0 < $1 }, "\(batchCount) batches")
    }
    #expect(try FileSystem.list(scratch.path + "/tmp") == [])
  }

  @Test("a batch finds its keys in a run, and no others", arguments: [1, 63, 64, 1000, 5000])
  func finding(rowCount: Int) throws {
    let scratch = try TemporaryFolder()
    let folder = try folder(scratch)
    let entries = (0..<rowCount).map { KeyEntry(Self.entry($0 % max(1, rowCount - 3)).hash, row: 7 + $0) }
    let rows = Dictionary(grouping: entries, by: \.hash)
    let run = try folder.write(Self.header(7, rowCount)) { (body) throws(DSVError) in
      for entry in entries.sorted(by: <) { try body(entry) }
    }
    for step in [1, 50, 5000] {
      var batch = KeyBatch()
      for number in stride(from: 0, to: rowCount * 2, by: step) { batch.append(Self.entry(number)) }
      batch.sort()
      var found: [[Int]] = []
      try run.forEachMatch(batch) { entry, range in
        for index in range { found.append([entry.row, batch.entries[index].row]) }
      }
      let wanted = batch.entries.flatMap { entry in
        (rows[entry.hash] ?? []).map { [$0.row, entry.row] }
      }
      #expect(Set(found) == Set(wanted) && found.count == wanted.count, "step \(step)")
    }
    // No byte can change without being noticed by who looks at all of it.
    let bytes = try FileSystem.read(run.file.path, limit: 1 << 24)
    var random = DSVTesting.SeededGenerator(seed: UInt64(rowCount))
    for index in 0..<bytes.count where index < 200 || random.oneIn(bytes.count / 60) {
      var damaged = bytes
      damaged[index] ^= 1 << UInt8(random.below(8))
      let path = try scratch.write("damaged", damaged)
      #expect(throws: DSVError.self, "byte \(index)") {
        try KeyMerge.forEach([try KeyRun(File(path, .read))]) { _ in }
      }
    }
  }

  @Test("the code writes what format-spec/keys.md shows")
  func specification() throws {
    let scratch = try TemporaryFolder()
    let folder = try folder(scratch)
    let run = try folder.write(Self.header(2, 3)) { (body) throws(DSVError) in
      for entry in (2..<5).map(Self.entry).sorted(by: <) { try body(entry) }
    }
    let written = [
      "keys secret": Self.secret.fileBytes, "keys run": try FileSystem.read(run.file.path, limit: 4096),
    ]
    let specified = try FormatSpecTests.specified("keys.md")
    for (name, bytes) in written {
      #expect(specified[name] == bytes, "```hex \(name)\n\(FormatSpecTests.hex(bytes))")
    }
    #expect(specified.keys.sorted() == written.keys.sorted())
    #expect(run.file.path.hasSuffix("/0102030405060708-404142434445464748494a4b4c4d4e4f.run"))
    #expect(try KeySecret(file: Self.secret.fileBytes, of: "secret").fileBytes == Self.secret.fileBytes)
    for index in Self.secret.fileBytes.indices {
      var damaged = Self.secret.fileBytes
      damaged[index] ^= 4
      #expect(throws: DSVError.self) { try KeySecret(file: damaged, of: "secret") }
    }
  }
}
