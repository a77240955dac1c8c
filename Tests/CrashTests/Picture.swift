import DSV
import DSVFormat
import DSVStore
import DSVSystem
import DSVTables
import DSVTransforms
import DSVVersions

/// All that a repository shows of its data.
struct Picture: Equatable {
  /// What each version exports, by name: those that branches, tags and HEAD lead to.
  var versions: [String: String] = [:]
  /// The version that each name leads to.
  var names: [String: String] = [:]
  var versionCount = 0

  /// A repository in which nothing was committed.
  static let empty = Picture(versions: [:], names: [:], versionCount: 0)

  private init(versions: [String: String], names: [String: String], versionCount: Int) {
    (self.versions, self.names, self.versionCount) = (versions, names, versionCount)
  }

  /// - Parameter isExported: whether the versions' rows are read; else each is the empty text.
  init(_ repository: Repository, isExported: Bool = true) throws(DSVError) {
    versionCount = try repository.info().versionCount
    var starts: [(String, CommitID)] = []
    for branch in try repository.branches() { starts.append(("branch \(branch.name)", branch.commit)) }
    for tag in try repository.tags() { starts.append(("tag \(tag.name)", tag.commit)) }
    let head = try repository.head()
    if let commit = head.commit { starts.append(("HEAD on \(head.branch ?? "none")", commit)) }
    for (name, start) in starts {
      names[name] = try repository.versionName(start)
      for entry in try repository.log(from: start) where versions[entry.version] == nil {
        versions[entry.version] = isExported ? try Self.export(repository, entry.id) : ""
      }
    }
  }

  /// Every table of a version, dropped rows and signals too.
  static func export(_ repository: Repository, _ commit: CommitID) throws(DSVError) -> String {
    var text = ""
    for table in try repository.snapshot(commit).tables {
      text += "# \(table.name), key \(table.key)\n"
      text += try rows(of: table, repository, isWhole: false)
      if table.liveCount < table.rowCount {
        text += "# with what was dropped\n"
        text += try rows(of: table, repository, isWhole: true)
      }
    }
    return text
  }

  static func rows(
    of table: Table, _ repository: Repository, isWhole: Bool = false
  ) throws(DSVError) -> String {
    var options = ExportOptions()
    options.includesDropped = isWhole
    options.includesSignals = isWhole
    var text = ""
    try RowExport(table, options, reader: repository.reader).run { (bytes) throws(DSVError) in
      text += String(decoding: bytes, as: UTF8.self)
    }
    return text
  }
}

extension Repository {
  static func test(at path: String) throws(DSVError) -> Repository {
    try open(at: path, options: Options(threadCount: 0))
  }

  /// The live rows of the default table of a branch's tip.
  func rows(_ revision: String = "main") throws(DSVError) -> String {
    try Picture.rows(of: try table(nil, of: try resolve(revision).commit), self)
  }

  @discardableResult
  func commitTest(_ file: String, _ mode: CommitOptions.Mode, table: String = "data") throws(DSVError)
    -> CommitResult
  {
    var options = CommitOptions()
    options.mode = mode
    options.table = table
    return try commit([file], CommitMessage("test", author: "test", time: 1), options)
  }

  func compactTest() throws(DSVError) {
    _ = try compact(try resolve("main"), CommitMessage("compact", author: "test", time: 1))
  }

  @discardableResult
  func filterTest(branch: String? = nil, table: String? = nil) throws(DSVError) -> TransformResult {
    try transform(
      try resolve("main"), Recipe(steps: [Recipe.Step(name: "quality")]), table: table, branch: branch,
      CommitMessage("filter", author: "test", time: 1))
  }
}

/// Rows as an export writes them.
enum Rows {
  static let words = [
    "the", "a", "of", "and", "to", "in", "that", "have", "with", "be", "water", "stone", "winter", "garden",
    "letter", "morning", "river", "window", "answer", "market",
  ]

  /// One row; about half of them are too short for the quality filter.
  static func row(_ id: Int, _ random: inout SeededGenerator, wordCount: Int? = nil) -> String {
    let count = wordCount ?? (Bool.random(using: &random) ? 8 : 70)
    var text = ""
    for number in 1...count {
      text += number == 1 ? "" : " "
      text += words[Int.random(in: 0..<words.count, using: &random)]
      if number % 9 == 0 { text += ".\\n" }
    }
    let list = (0..<Int.random(in: 0..<4, using: &random)).map { String($0 + id) }.joined(separator: ",")
    return
      "{\"id\":\(id),\"text\":\"\(text).\",\"n\":{\"a\":\(id * 7),\"b\":[\(list)],\"c\":\(id % 3 == 0 ? "null" : "\"x\(id)\"")}}\n"
  }

  static func text(_ ids: Range<Int>, seed: UInt64, wordCount: Int? = nil) -> String {
    var random = SeededGenerator(seed)
    return ids.map { row($0, &random, wordCount: wordCount) }.joined()
  }

  /// A row whose text does not get smaller.
  static func noise(_ id: Int, byteCount: Int, seed: UInt64) -> String {
    var random = SeededGenerator(seed)
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-".utf8)
    var text: [UInt8] = []
    while text.count < byteCount {
      var bits = random.next()
      for _ in 0..<10 {
        text.append(alphabet[Int(bits & 63)])
        bits >>= 6
      }
    }
    let noise = String(decoding: text[..<byteCount], as: UTF8.self)
    return "{\"id\":\(id),\"text\":\"\(noise)\",\"n\":{\"a\":1,\"b\":[],\"c\":null}}\n"
  }
}

extension Store {
  /// The most bases that an object of the repository has below it.
  func deepestBase() throws(DSVError) -> Int {
    var deepest = 0
    try forEachObject { (_, place) throws(DSVError) in deepest = max(deepest, place.baseDepth) }
    return deepest
  }
}
