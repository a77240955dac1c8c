package import DSVColumns
package import DSVFormat
package import DSVRecords
package import DSVTables

/// Gathers rows that could not be taken into a table of their own: raw, with where they stood and why.
package final class Quarantine {
  // Raw is no text: what could not be read need not be UTF-8.
  private static let schema: [(name: String, type: DataType)] = [
    ("source", .utf8), ("line", .int64), ("reason", .utf8), ("raw", .binary),
  ]

  private let source: FieldWriter
  private let line: FieldWriter
  private let reason: FieldWriter
  private let raw: FieldWriter
  /// Rows gathered, without those that were there.
  package private(set) var count = 0

  /// The name of the table that keeps what `table` could not take.
  package static func name(of table: String) -> String { table + ".quarantine" }

  /// Whether `table` has the columns of a quarantine.
  package static func holds(_ table: Table) -> Bool {
    table.fields.count == schema.count
      && zip(table.fields, schema).allSatisfy { $0.name == $1.name && $0.type == $1.type }
  }

  /// - Parameter table: what was gathered before, and stays.
  /// - Throws: `badInput` if that has other columns than a quarantine.
  package init(after table: Table?, sink: ColumnSink, reader: ObjectReader) throws(DSVError) {
    if let table, !Self.holds(table) {
      throw DSVError(
        .badInput, "table '\(table.name)', where rows would be put aside, has other columns; rename it")
    }
    let writers = try Self.schema.map { (name, type) throws(DSVError) in
      guard let field = table?.field(name) else { return FieldWriter(name: name, type: type, sink: sink) }
      return try FieldWriter(after: field, sink: sink, reader: reader)
    }
    (source, line, reason, raw) = (writers[0], writers[1], writers[2], writers[3])
  }

  package func append(_ row: BadRow) throws(DSVError) {
    try Self.append(row.source, to: source)
    try line.values.append(fixed: Int64(row.line))
    try Self.append("column \(row.column): \(row.message)", to: reason)
    try Self.append(row.bytes, to: raw)
    count += 1
  }

  private static func append(_ text: String, to field: FieldWriter) throws(DSVError) {
    try append(Array(text.utf8), to: field)
  }

  private static func append(_ bytes: [UInt8], to field: FieldWriter) throws(DSVError) {
    let buffer = GrowingBytes(capacity: bytes.count)
    bytes.withUnsafeBytes { buffer.append($0) }
    try field.values.append(buffer.bytes)
  }

  package func finish(name: String) throws(DSVError) -> Table {
    let fields = try [source, line, reason, raw].map { (field) throws(DSVError) in try field.finish() }
    return Table(name: name, fields: fields, rowCount: fields[0].values.rowCount)
  }
}
