import DSV
import DSVFormat
import DSVSystem
import DSVTables
import DSVTransforms
import DSVVersions

/// What is measured on a repository: commits, exports, conditions, diffs, transforms, rows at random.
enum RepositoryBenchmarks {
  static let all = [
    commit, commitEncrypted, commitSingleThread, commitEncryptedSingleThread, commitEdited, export,
    whereNumber, whereText, diff, transform, randomRows,
    fsck, scan, scanEncrypted, scanColumn, scanWhere, scanShort, take, takeShort,
  ]

  static let commit = Benchmark("commit") { setting in
    let file = try setting.documentFile()
    return { try commitOnce(file, setting, threadCount: nil) }
  }

  static let commitSingleThread = Benchmark("commit-1-thread") { setting in
    let file = try setting.documentFile()
    return { try commitOnce(file, setting, threadCount: 0) }
  }

  private static func commitOnce(_ file: String, _ setting: Setting, threadCount: Int?) throws
    -> Benchmark.Outcome
  {
    let path = setting.newPath()
    let options = Repository.Options(threadCount: threadCount)
    let result = try Repository.initialize(at: path, options: options).commit([file], message)
    try FileSystem.removeTree(path)
    return Benchmark.Outcome(byteCount: try byteCount(file), checksum: checksum(result.root))
  }

  /// The same rows but for one in a hundred, on top of the first: what a next version costs.
  static let commitEdited = Benchmark("commit-1%-edited") { setting in
    let (first, second) = try twoFiles(setting)
    return {
      let path = setting.newPath()
      let repository = try Repository.initialize(at: path)
      _ = try repository.commit([first], message)
      let result = try repository.commit([second], message)
      try FileSystem.removeTree(path)
      return Benchmark.Outcome(
        byteCount: try byteCount(first) + byteCount(second), checksum: checksum(result.root))
    }
  }

  static let export = Benchmark("export") { setting in
    let (repository, commit, _) = try committed(setting)
    return {
      let export = try RowExport(
        try repository.table(nil, of: commit), ExportOptions(), reader: repository.reader)
      var (byteCount, checksum) = (0, UInt64(0))
      try export.run { (bytes) throws(DSVError) in
        byteCount += bytes.count
        checksum = Hash64.of(bytes, seed: checksum)
      }
      return Benchmark.Outcome(byteCount: byteCount, checksum: checksum)
    }
  }

  static let whereNumber = Benchmark("where-number") { try filter($0, "bytes between 900 and 1000") }
  static let whereText = Benchmark("where-text") { try filter($0, "contains(text, '. The ')") }

  private static func filter(_ setting: Setting, _ condition: String) throws -> () throws -> Benchmark.Outcome
  {
    let (repository, commit, file) = try committed(setting)
    let byteCount = try byteCount(file)
    return {
      let table = try repository.table(nil, of: commit)
      let filter = try RowFilter(table, where: try table.condition(condition), reader: repository.reader)
      return Benchmark.Outcome(byteCount: byteCount, checksum: UInt64(try filter.count()))
    }
  }

  /// Two versions of which one row in a hundred differs.
  static let diff = Benchmark("diff-1%-edited") { setting in
    let (first, second) = try twoFiles(setting)
    let repository = try Repository.initialize(at: setting.newPath())
    var options = CommitOptions()
    options.key = ["id"]
    let old = try repository.commit([first], message, options).commit
    let new = try repository.commit([second], message, options).commit
    let byteCount = try byteCount(first) + byteCount(second)
    return {
      let total = try repository.diff(old, new).total
      let sum = total.added + 1000 * total.removed + 1_000_000 * total.changed + 1_000_000_000 * total.cells
      return Benchmark.Outcome(byteCount: byteCount, checksum: UInt64(sum))
    }
  }

  static let transform = Benchmark("transform-quality") { setting in
    let (repository, commit, file) = try committed(setting)
    let byteCount = try byteCount(file)
    let recipe = Recipe(steps: [Recipe.Step(name: "quality")])
    var number = 0
    return {
      number += 1
      let revision = try repository.resolve("v1")
      let result = try repository.transform(revision, recipe, branch: "b\(number)", message)
      let dropped = result.dropped.sorted { $0.key < $1.key }.reduce(UInt64(0)) { sum, rule in
        sum &* 31 &+ UInt64(rule.value)
      }
      return Benchmark.Outcome(byteCount: byteCount, checksum: dropped &* 31 &+ UInt64(result.rowsOut))
    }
  }

  /// Whole rows at random, past what the cache holds at full size.
  static let randomRows = Benchmark("random-rows") { setting in
    let (repository, commit, _) = try committed(setting)
    let table = try repository.table(nil, of: commit)
    let count = setting.pick(smoke: 20, full: 2000)
    return {
      var random = Documents.Generator(state: 3)
      let rows = repository.rows(of: table)
      var (byteCount, checksum) = (0, UInt64(0))
      for _ in 0..<count {
        let row = try rows.json(Int(random.next() % UInt64(table.rowCount)))
        byteCount += row.utf8.count
        checksum = Hash64.of(Array(row.utf8), seed: checksum)
      }
      return Benchmark.Outcome(byteCount: byteCount, checksum: checksum)
    }
  }

  static let fsck = Benchmark("fsck") { setting in
    let (repository, _, file) = try committed(setting)
    let byteCount = try byteCount(file)
    return {
      let result = try repository.check()
      guard result.isOK else { throw DSVError(.corrupt, result.problems.joined(separator: "; ")) }
      return Benchmark.Outcome(byteCount: byteCount, checksum: UInt64(result.objectCount))
    }
  }

  // MARK: What they work on

  private static let message = CommitMessage("a benchmark", author: "dsv-bench", time: 0)

  private static func committed(_ setting: Setting) throws -> (Repository, CommitID, file: String) {
    let file = try setting.documentFile()
    let repository = try Repository.initialize(at: setting.newPath())
    return (repository, try repository.commit([file], message).commit, file)
  }

  private static func twoFiles(_ setting: Setting) throws -> (String, String) {
    (
      try setting.documentFile(isCorpusWanted: false),
      try setting.documentFile(changedEvery: 100, isCorpusWanted: false)
    )
  }

  private static func byteCount(_ file: String) throws -> Int { try File(file, .read).byteCount() }
  private static func checksum(_ id: SnapshotID) -> UInt64 { id.w0 }
}
