import DSV
import DSVFormat
import DSVRecords
import DSVTables
import DSVTesting
import Testing

/// Two columns whose names differ only in how é is spelt are two columns, everywhere.
@Suite struct FieldNameTests {
  static let short = "caf\u{e9}"
  static let long = "cafe\u{301}"

  private func row(_ short: Int, _ long: Int, _ inner: Int = 0) -> String {
    #"{"\#(Self.short)":\#(short),"\#(Self.long)":\#(long),"s":{"\#(Self.long)":\#(inner),"\#(Self.short)":9}}"#
  }

  private func bytes(_ lines: [String]) -> [[UInt8]] { lines.map { Array($0.utf8) } }

  @Test("they are committed, exported, asked for and compared apart")
  func apart() throws {
    let dataset = try Dataset()
    let (old, new) = ([row(1, 2), row(3, 4)], [row(1, 5), row(3, 4, 7)])
    let first = try dataset.commit(old, key: [Self.short])
    #expect(bytes(try dataset.rows()) == bytes(old))
    let second = try dataset.commit(new, key: [Self.short])
    #expect(bytes(try dataset.rows()) == bytes(new))

    var options = ExportOptions()
    options.condition = "\"\(Self.long)\" = 4 and \"\(Self.short)\" = 3"
    #expect(bytes(try dataset.rows(nil, options)) == bytes([new[1]]))
    options.condition = nil
    options.columns = [Self.long]
    #expect(
      bytes(try dataset.rows(nil, options)) == bytes([#"{"\#(Self.long)":5}"#, #"{"\#(Self.long)":4}"#]))

    var cells: [[UInt8]] = []
    let result = try dataset.repository.diff(first.commit, second.commit) { (row) throws(DSVError) in
      for cell in try row.cells() { cells.append(Array("\(cell.column) \(cell.old) \(cell.new)".utf8)) }
    }
    #expect(result.total.changed == 2 && result.total.cells == 2 && result.total.added == 0)
    #expect(cells == bytes(["\(Self.long) 2 5", "s.\(Self.long) 0 7"]))
  }

  @Test("one that becomes the other is a column that went and one that came")
  func renamed() throws {
    let dataset = try Dataset()
    let first = try dataset.commit([#"{"\#(Self.short)":1,"k":1}"#])
    let second = try dataset.commit([#"{"\#(Self.long)":1,"k":1}"#])
    #expect(first.root != second.root)
    let result = try dataset.repository.diff(first.commit, second.commit)
    #expect(result.total.schema.map(\.operation) == [.drop, .add])
    try dataset.commit([#"{"\#(Self.short)":1,"k":1}"#], .append)
    #expect(
      bytes(try dataset.rows()) == bytes([#"{"\#(Self.long)":1,"k":1}"#, #"{"k":1,"\#(Self.short)":1}"#]))
  }

  @Test("tables of such names are two in what commits and comparisons say")
  func tables() throws {
    let dataset = try Dataset()
    let before = try dataset.commit([#"{"a":0}"#])
    try dataset.commit([#"{"a":1}"#], table: Self.short)
    let both = try dataset.commit([#"{"a":1}"#, #"{"a":2}"#], table: Self.long)
    #expect(both.tables == ["data": 1, Self.long: 2, Self.short: 1] && both.rowCount == 4)
    #expect(both.tables[Self.short] == 1 && both.tables[Self.long] == 2)
    let result = try dataset.repository.diff(before.commit, both.commit)
    #expect(bytes(result.tablesAdded) == bytes([Self.long, Self.short]))
    #expect(result.tables[Self.short]?.added == 1 && result.tables[Self.long]?.added == 2)
    #expect(result.total.added == 3)
    let one = try dataset.repository.diff(before.commit, both.commit, table: Self.short)
    #expect(bytes(one.tables.tables) == bytes([Self.short]))
  }

  @Test("a CSV file may have both")
  func csv() throws {
    let dataset = try Dataset()
    try dataset.commit(["\(Self.short),\(Self.long)", "1,2"]) { $0.format = .csv }
    #expect(bytes(try dataset.rows()) == bytes([#"{"\#(Self.short)":1,"\#(Self.long)":2}"#]))
  }
}
