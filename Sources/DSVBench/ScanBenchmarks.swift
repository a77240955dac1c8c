import DSV
import DSVFormat

/// What is measured of the reading API: rows to memory in Arrow's layout.
extension RepositoryBenchmarks {
  static let scan = Benchmark("scan") { setting in
    let table = try openTable(setting)
    return { try outcome(try table.scan()) }
  }

  static let scanColumn = Benchmark("scan-number") { setting in
    let table = try openTable(setting)
    return { try outcome(try table.scan(Scan.Options(columns: ["bytes"]))) }
  }

  static let scanWhere = Benchmark("scan-where") { setting in
    let table = try openTable(setting)
    return { try outcome(try table.scan(Scan.Options(where: "bytes > 500"))) }
  }

  /// A thousand rows at random, as one batch.
  static let take = Benchmark("take-1000") { setting in takingRows(of: try openTable(setting), setting) }

  /// The same of rows so short that every chunk holds some of them.
  static let takeShort = Benchmark("take-1000-short") { setting in
    takingRows(of: try openShortTable(setting), setting)
  }

  /// Short rows, all columns.
  static let scanShort = Benchmark("scan-short") { setting in
    let table = try openShortTable(setting)
    return { try outcome(try table.scan()) }
  }

  private static func takingRows(
    of table: Version.Table, _ setting: Setting
  ) -> () throws -> Benchmark.Outcome {
    var random = Documents.Generator(state: 4)
    let count = setting.pick(smoke: 20, full: 1000)
    let rows = (0..<count).map { _ in Int(random.next() % UInt64(table.rowCount)) }
    return {
      let batch = try table.take(rows: rows)
      return Benchmark.Outcome(byteCount: textByteCount(batch), checksum: UInt64(batch.rowCount))
    }
  }

  private static func openTable(_ setting: Setting) throws -> Version.Table {
    try openTable(of: try setting.documentFile(), setting)
  }

  private static func openShortTable(_ setting: Setting) throws -> Version.Table {
    let file = setting.newPath(".jsonl")
    try ShortRows.write(0..<setting.pick(smoke: 500, full: 1_000_000), to: file)
    return try openTable(of: file, setting)
  }

  private static func openTable(of file: String, _ setting: Setting) throws -> Version.Table {
    let repository = try Repository.initialize(at: setting.newPath())
    let message = CommitMessage("a benchmark", author: "dsv-bench", time: 0)
    _ = try repository.commit([file], message)
    return try repository.version().table()
  }

  static func outcome(_ scan: Scan) throws -> Benchmark.Outcome {
    var (byteCount, rowCount) = (0, 0)
    while let batch = try scan.next() {
      rowCount += batch.rowCount
      byteCount += textByteCount(batch)
    }
    return Benchmark.Outcome(byteCount: byteCount, checksum: UInt64(rowCount))
  }

  /// The bytes of the batch's texts, and of its numbers of 8 bytes.
  private static func textByteCount(_ batch: Batch) -> Int {
    batch.columns.reduce(0) { sum, column in
      switch column.field.type {
      case .utf8: sum + column.withOffsets { Int($0[column.count]) }
      case .int64, .float64: sum + 8 * column.count
      default: sum
      }
    }
  }
}
