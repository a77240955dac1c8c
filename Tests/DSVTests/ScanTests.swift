import DSV
import DSVFormat
import DSVStore
import DSVTables
import DSVTesting
import Testing

/// Batches of the reading API, against the same table read value by value.
@Suite struct ScanTests {
  /// A field of every type, and texts that JSON has for its values.
  static let types: [(String, @Sendable (Int) -> String)] = [
    ("bool", { "\($0 % 3 == 0)" }), ("int8", { "\($0 % 100 - 50)" }), ("int16", { "\($0 * 7 % 30000)" }),
    ("int32", { "\($0 * -3)" }), ("int64", { "\($0 << 33)" }), ("uint8", { "\($0 % 256)" }),
    ("uint16", { "\($0 % 65536)" }), ("uint32", { "\($0 * 9)" }),
    ("uint64", { "\(UInt64.max - UInt64($0))" }),
    ("float16", { "\($0 % 8).5" }), ("float32", { "\($0).25" }), ("float64", { "\($0).125" }),
    ("utf8", { #""text \#($0) \#(String(repeating: "é", count: $0 % 50))""# }),
    ("binary", { _ in #""AAEC""# }),
    ("json", { #"{"k":\#($0)}"# }), ("date", { #""2024-01-\#(10 + $0 % 20)""# }),
    ("timestamp[us, UTC]", { #""2024-01-02T03:04:\#(10 + $0 % 50)Z""# }),
    ("decimal128(9, 2)", { "\($0).25" }),
    ("list<int32>", { "[\((0..<$0 % 5).map(String.init).joined(separator: ","))]" }),
    ("fixed_size_list<float32, 3>", { "[\($0),1.5,null]" }),
    ("struct<a: int64, b: list<utf8>>", { #"{"a":\#($0),"b":["x\#($0)",null]}"# }),
    ("list<struct<a: int64, b: list<utf8>>>", { #"[{"a":\#($0),"b":["y"]},null,{"a":null,"b":[]}]"# }),
    ("null", { _ in "null" }),
  ]

  static func dataset(_ count: Int, seed: UInt64, threadCount: Int) throws -> Dataset {
    var generator = SeededGenerator(seed: seed)
    let fields = try types.enumerated().map { Field("f\($0)", try DataType(parsing: $1.0)) }
    let lines = (0..<count).map { row in
      let members = fields.indices.compactMap { index -> String? in
        switch generator.below(8) {
        case 0: nil
        case 1: #""f\#(index)":null"#
        default: #""f\#(index)":\#(types[index].1(row))"#
        }
      }
      return "{\"k\":\(row)\(members.isEmpty ? "" : ",")\(members.joined(separator: ","))}"
    }
    let dataset = try Dataset(threadCount: threadCount)
    try dataset.commit(lines, key: ["k"]) { $0.schema = [Field("k", .int64)] + fields }
    // Rows that are replaced are dropped rows; one value is kept as a blob.
    let big = String(repeating: "0123456789abcdef", count: 20_000)
    let upserts = stride(from: 3, to: count, by: 11).map {
      #"{"k":\#($0),"f12":"\#($0 == 14 ? big : "new")"}"#
    }
    try dataset.commit(upserts, .upsert)
    return dataset
  }

  /// Every stored row of HEAD, read value by value, and which are live.
  static func reference(
    _ dataset: Dataset, tellsMissing: Bool
  ) throws -> (rows: [[ScannedValue]], live: [Int]) {
    let table = try dataset.repository.table(nil, of: try #require(try dataset.repository.head().commit))
    let cursor = TableCursor(table, fields: table.fields, reader: dataset.repository.reader)
    var rows: [[ScannedValue]] = []
    var live: [Int] = []
    for row in 0..<table.rowCount {
      _ = try cursor.load(at: row)
      rows.append(try cursor.fields.map { try ScannedValue($0, row, tellsMissing: tellsMissing) })
      if cursor.isLive(row) { live.append(row) }
    }
    return (rows, live)
  }

  static func rows(_ batch: Batch) -> [[ScannedValue]] {
    (0..<batch.rowCount).map { row in batch.columns.map { ScannedValue($0, row) } }
  }

  static func rows(_ scan: Scan) throws -> [[ScannedValue]] {
    var result: [[ScannedValue]] = []
    while let batch = try scan.next() {
      #expect(batch.rowCount > 0)
      result += rows(batch)
    }
    return result
  }

  @Test(
    "a scan gives every value of every type, in order, however it is cut into batches", arguments: [0, 3])
  func everyType(threadCount: Int) throws {
    let dataset = try Self.dataset(700, seed: 5, threadCount: threadCount)
    let table = try dataset.repository.version().table()
    #expect(table.rowCount == 700 && table.storedRowCount == 764)
    for tellsMissing in [false, true] {
      let wanted = try Self.reference(dataset, tellsMissing: tellsMissing)
      for (rowCount, byteCount) in [(8192, 8 << 20), (13, 8 << 20), (8192, 20_000), (1, 1)] {
        var options = Scan.Options()
        (options.batchRowCount, options.batchByteCount) = (rowCount, byteCount)
        options.tellsMissing = tellsMissing
        let found = try Self.rows(try table.scan(options))
        #expect(found == wanted.live.map { wanted.rows[$0] }, "\(rowCount) rows, \(byteCount) bytes")
        options.includesDropped = true
        #expect(try Self.rows(try table.scan(options)) == wanted.rows, "\(rowCount) rows, \(byteCount) bytes")
      }
    }
  }

  @Test("a scan with a condition gives the rows that it is true of")
  func condition() throws {
    let dataset = try Self.dataset(700, seed: 6, threadCount: 2)
    let table = try dataset.repository.version().table()
    let wanted = try Self.reference(dataset, tellsMissing: false)
    for text in [
      "k % 7 = 3", "k >= 200 and k < 230", "f0", "length(f12) > 40", "f20.a < 100", "k < 0", "k >= 0",
    ] {
      var options = ExportOptions()
      (options.columns, options.condition) = (["k"], text)
      let keys = Set(try dataset.rows(options: options))
      let kept = wanted.live.filter { keys.contains(#"{"k":\#(Self.key(wanted.rows[$0]))}"#) }
      #expect(
        try Self.rows(try table.scan(Scan.Options(where: text))) == kept.map { wanted.rows[$0] }, "\(text)")
    }
    let columns = ["f20.a", "f3"]
    let batch = try #require(try table.scan(Scan.Options(columns: columns, where: "k = 5")).next())
    #expect(batch.rowCount == 1 && batch.columns.map(\.field.name) == columns)
    #expect(throws: DSVError.self) { try table.scan(Scan.Options(columns: ["f99"])) }
    #expect(throws: DSVError.self) { try table.scan(Scan.Options(where: "f99 = 1")) }
  }

  private static func key(_ row: [ScannedValue]) -> UInt64 {
    guard case .bytes(let bytes) = row[0] else { return .max }
    return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  @Test("rows are taken in any order, as often as asked for", arguments: [0, 3])
  func take(threadCount: Int) throws {
    let dataset = try Self.dataset(700, seed: 7, threadCount: threadCount)
    let table = try dataset.repository.version().table()
    let wanted = try Self.reference(dataset, tellsMissing: false)
    var generator = SeededGenerator(seed: 8)
    for count in [1, 2, 15, 16, 40, 300, 1500] {
      let numbers = (0..<count).map { _ in generator.below(table.rowCount) }
      let byNumber = try table.take(rows: numbers)
      #expect(Self.rows(byNumber) == numbers.map { wanted.rows[wanted.live[$0]] }, "\(count) rows")
      let positions = numbers.map { _ in generator.below(table.storedRowCount) }
      #expect(
        Self.rows(try table.take(positions: positions)) == positions.map { wanted.rows[$0] }, "\(count) rows")
    }
    let some = try table.take(rows: Array(5..<25), columns: ["f12"])
    #expect(some.columns.count == 1 && some.rowCount == 20)
    #expect(try table.take(rows: []).rowCount == 0)
    for bad in [-1, 700] { #expect(throws: DSVError.self) { try table.take(rows: [0, bad]) } }
    for bad in [-1, 764] { #expect(throws: DSVError.self) { try table.take(positions: [bad]) } }
  }

  @Test("an empty table has its columns and no batch")
  func empty() throws {
    let dataset = try Dataset()
    try dataset.commit([]) { $0.schema = [Field("a", .utf8)] }
    let table = try dataset.repository.version("v1").table()
    let scan = try table.scan()
    #expect(try scan.next() == nil)
    #expect(scan.fields.map(\.name) == ["a"])
    #expect(try table.take(rows: []).columns.map(\.count) == [0])
  }

  @Test("gc waits for an open version")
  func lease() throws {
    let dataset = try Dataset()
    try dataset.commit([#"{"a":1}"#])
    let collect = { _ = try dataset.repository.store.collectGarbage(waitSeconds: 0.05) { { _ in true } } }
    var table: Version.Table? = try dataset.repository.version().table()
    #expect(table?.rowCount == 1)
    #expect(throws: DSVError.self) { try collect() }
    table = nil
    try collect()
  }
}

extension Dataset {
  fileprivate func rows(options: ExportOptions) throws -> [String] { try rows(nil, options) }
}
