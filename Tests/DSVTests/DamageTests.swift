import DSV
import DSVFormat
import DSVRecords
import DSVSystem
import DSVTables
import DSVTesting
import DSVVersions
import Glibc
import Testing

/// Flipped bits in any file of a repository: found, mended, or without effect on what is read.
@Suite struct DamageTests {
  /// Every file of a small repository by its path, and what its versions hold.
  private struct Sample {
    var files: [String: [UInt8]] = [:]
    var versions: [[String]] = []

    init() throws {
      let dataset = try Dataset()
      var generator = SeededGenerator(seed: 1)
      let text = String(repeating: "some words to compress, ", count: 12)
      let rows = (0..<120).map {
        #"{"k":\#($0),"t":"\#(text)\#(generator.below(1000))","l":[\#($0),null],"o":{"x":0.5}}"#
      }
      try dataset.commit(rows, key: ["k"])
      try dataset.commit((60..<140).map { #"{"k":\#($0),"t":"new"}"# }, .upsert)
      try dataset.commit([#"{"k":1,"a":null}"#, #"{"k":2,"a":"\#(String(repeating: "x", count: 300_000))"}"#])
      for number in 1...3 {
        versions.append(try dataset.rows(try dataset.repository.resolve("v\(number)").commit))
      }
      let root = dataset.folder.path + "/.dsv"
      func add(_ folder: String) throws {
        for name in try FileSystem.list("\(root)/\(folder)") {
          let path = folder.isEmpty ? name : "\(folder)/\(name)"
          if try #require(try FileSystem.status("\(root)/\(path)")).isFolder {
            try add(path)
          } else {
            files[path] = try FileSystem.read("\(root)/\(path)", limit: 1 << 24)
          }
        }
      }
      try add("")
    }

    func write(to root: String) throws {
      try FileSystem.removeTree(root)
      try FileSystem.makeFolder(root)
      for folder in ["tmp", "locks", "packs", "index"] { try FileSystem.makeFolder("\(root)/\(folder)") }
      for (path, bytes) in files {
        // Not synced: there are thousands of them.
        let file = try #require(fopen("\(root)/\(path)", "w"))
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
        fclose(file)
      }
    }
  }

  private static let sample = Result { try Sample() }

  /// What is wrong with how the damaged repository answers; `nil` if nothing is.
  private static func silentHarm(_ path: String, _ wanted: [[String]]) -> String? {
    do throws(DSVError) {
      let repository = try TestRepository.open(at: path, options: .init(threadCount: 0))
      var isWhole = true
      for (number, rows) in wanted.enumerated() {
        var bytes: [UInt8] = []
        do throws(DSVError) {
          let table = try repository.table(nil, of: try repository.resolve("v\(number + 1)").commit)
          try RowExport(table, ExportOptions(), reader: repository.reader).run {
            bytes.append(contentsOf: $0)
          }
        } catch {
          isWhole = false
          continue
        }
        let text = rows.map { $0 + "\n" }.joined()
        if !bytes.elementsEqual(text.utf8) { return "version \(number + 1) reads wrong" }
      }
      if !isWhole, try repository.check().isOK {
        return "a version cannot be read, and fsck says all is well"
      }
    } catch {
      // Refused or reported: that is an answer.
    }
    return nil
  }

  @Test("flipped bits anywhere are found or harmless, and no row reads wrong", arguments: UInt64(0)..<8)
  func flips(seed: UInt64) throws {
    let sample = try Self.sample.get()
    var generator = SeededGenerator(seed: seed)
    let count = Machine.environment("DSV_TEST_FLIPS").flatMap { Int($0) } ?? 60
    let folder = try TemporaryFolder(inMemory: true)
    let paths = sample.files.keys.sorted().filter { sample.files[$0] != [] }
    let packs = paths.filter { $0.hasPrefix("packs/") }
    try #require(!packs.isEmpty && Self.silentHarm(folder.path, []) == nil)
    for _ in 0..<count {
      // Packs hold the data: every other flip is in one.
      let from = generator.oneIn(2) ? packs : paths
      let path = from[generator.below(from.count)]
      var damaged = sample
      let offset = generator.below(sample.files[path]?.count ?? 1)
      damaged.files[path]?[offset] ^= 1 << UInt8(generator.below(8))
      try damaged.write(to: "\(folder.path)/.dsv")
      if let harm = Self.silentHarm(folder.path, sample.versions) {
        Issue.record("seed \(seed), \(path), byte \(offset): \(harm)")
      }
    }
  }

  @Test("an undamaged copy reads as the original")
  func undamaged() throws {
    let sample = try Self.sample.get()
    let folder = try TemporaryFolder()
    try sample.write(to: "\(folder.path)/.dsv")
    #expect(Self.silentHarm(folder.path, sample.versions) == nil)
    #expect(try TestRepository.open(at: folder.path).check().problems == [])
    #expect(Self.silentHarm(folder.path, [["wrong"]]) != nil)
  }

  @Test(
    "whatever step of a commit fails, the old version is whole and the next commit works",
    arguments: [true, false])
  func failures(isFull: Bool) throws {
    for step in 0..<200 {
      let dataset = try Dataset()
      try dataset.commit([#"{"k":1}"#, #"{"k":2}"#], key: ["k"])
      Faults.arm(
        under: dataset.folder.path + "/.dsv", first: step, isForever: isFull,
        outcome: isFull ? .diskFull : .inputOutput)
      let result = Result { try dataset.commit([#"{"k":2,"v":1}"#, #"{"k":3}"#], .upsert) }
      let stepCount = Faults.disarm(under: dataset.folder.path + "/.dsv")
      let reopened = try TestRepository.open(at: dataset.folder.path)
      let head = try reopened.head().commit
      switch result {
      case .success(let commit): #expect(head == commit.commit && commit.rowCount == 3)
      case .failure(let error):
        let code = (error as? DSVError)?.code
        #expect(code == (isFull ? .full : .io) || code == .full, "step \(step): \(error)")
        let count = try reopened.commit(try #require(head)).rowCount
        #expect(count == 2 || count == 3, "step \(step)")
      }
      #expect(try reopened.check().problems == [], "step \(step)")
      if stepCount <= step {
        #expect(step > 5)
        return
      }
    }
    Issue.record("the sweep has no end")
  }
}
