import DSV
import DSVFormat
import DSVStore
import DSVTesting
import Testing

/// A repository in a folder of its own, whose versions are lines of JSON.
private struct Lines {
  let folder: TemporaryFolder
  let repository: Repository

  init() throws {
    folder = try TemporaryFolder()
    repository = try TestRepository.initialize(at: folder.path, options: Repository.Options(threadCount: 0))
  }

  func commit(_ lines: [String]) throws {
    let path = try folder.write("rows.jsonl", lines.map { $0 + "\n" }.joined())
    _ = try repository.commit([path], CommitMessage("rows", author: "test", time: 0))
  }

  func rows(_ options: ExportOptions) throws -> [String] {
    let head = try #require(try repository.head().commit)
    var bytes: [UInt8] = []
    try RowExport(try repository.table(nil, of: head), options, reader: repository.reader)
      .run { bytes.append(contentsOf: $0) }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}

@Suite struct ReadingTests {
  @Test("gc waits for what reads a version")
  func lease() throws {
    let data = try Lines()
    try data.commit(["{\"a\":1}"])
    let store = data.repository.store
    let collect = { () throws(DSVError) in
      _ = try store.collectGarbage(waitSeconds: 0.05) { { _ in true } }
    }
    try data.repository.reading { (_) throws(DSVError) in
      _ = #expect(throws: DSVError.self) { try collect() }
    }
    try collect()
  }

  @Test("gc deletes nothing where a branch's commit is missing")
  func missingTip() throws {
    let data = try Lines()
    try data.commit(["{\"a\":1}"])
    try data.commit(["{\"a\":2}"])
    let tip = try #require(try data.repository.head().commit)
    try data.repository.makeBranch("other", at: tip)
    // As after damage: everything is there but the tip itself.
    try data.repository.store.collectGarbage(garbageShareMin: 0) { { $0 != AnyID(tip) } }
    let count = try data.repository.store.objectCount
    #expect(throws: DSVError.self) { try data.repository.collectGarbage(keepDays: 0) }
    #expect(try data.repository.store.objectCount == count)
  }

  @Test(
    "a number of ancestors has digits only", arguments: ["HEAD~-1", "HEAD~+1", "HEAD~-9223372036854775808"])
  func ancestors(_ name: String) throws {
    let data = try Lines()
    try data.commit(["{\"a\":1}"])
    #expect(throws: DSVError.self) { try data.repository.resolve(name) }
  }

  @Test("a condition on long texts reads a few of them at a time, and finds the same rows")
  func longTexts() throws {
    let data = try Lines()
    let lines = (0..<60).map { number in
      let text = String(repeating: "x", count: number % 3 == 0 ? 10 : 300_000 + number)
      return "{\"n\":\(number),\"text\":\"\(text)\"}"
    }
    try data.commit(lines)
    var options = ExportOptions()
    options.columns = ["n"]
    options.condition = "length(text) > 300030"
    let wanted = (31..<60).filter { $0 % 3 != 0 }.map { "{\"n\":\($0)}" }
    #expect(try data.rows(options) == wanted)
    options.limit = 2
    #expect(try data.rows(options) == Array(wanted.prefix(2)))
    options.limit = 0
    #expect(try data.rows(options) == [])
  }
}
