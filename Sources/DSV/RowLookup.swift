import DSVColumns
package import DSVFormat
import DSVInterchange
import DSVRecords
package import DSVTables

/// Reads single rows and cells of a table, as JSON.
package final class RowLookup {
  private let table: Table
  private let cursor: TableCursor
  private let keyCursor: TableCursor
  private let reader: ObjectReader
  private var cells: [[FieldName]: FieldCursor] = [:]

  init(_ table: Table, reader: ObjectReader) {
    self.table = table
    self.reader = reader
    cursor = TableCursor(table, fields: table.fields.filter { !$0.isSignal }, reader: reader, readAhead: 1)
    keyCursor = TableCursor(table, fields: table.key.compactMap(table.field), reader: reader, readAhead: 1)
  }

  /// The row as an object, without signals.
  package func json(_ row: Int) throws(DSVError) -> String { try Self.object(cursor, row) }

  /// The row's key as an object.
  package func key(_ row: Int) throws(DSVError) -> String { try Self.object(keyCursor, row) }

  private static func object(_ cursor: TableCursor, _ row: Int) throws(DSVError) -> String {
    _ = try cursor.load(at: row)
    var text = ByteBuffer()
    try text.appendMembers(cursor.fields, row)
    return "{" + String(decoding: text.bytes, as: UTF8.self) + "}"
  }

  /// One cell, by the names that lead to its column.
  package func cell(_ column: [FieldName], _ row: Int) throws(DSVError) -> String {
    guard
      let cursor = cells[column]
        ?? table.field(path: column.map(\.text)).map({ FieldCursor($0, reader: reader, readAhead: 1) })
    else {
      throw DSVError(.notFound, "no column \(column.map(\.text).joined(separator: "."))")
    }
    cells[column] = cursor
    _ = try cursor.load(at: row)
    var text = ByteBuffer()
    try text.appendJSON(cursor, row)
    return String(decoding: text.bytes, as: UTF8.self)
  }
}

extension Repository {
  package func rows(of table: Table) -> RowLookup { RowLookup(table, reader: reader) }
}
