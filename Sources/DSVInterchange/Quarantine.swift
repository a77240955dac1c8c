package import DSVColumns
package import DSVFormat
package import DSVRecords
package import DSVTables

/// Gathers rows that could not be taken into a table of their own: raw, with where they stood and why.
package final class Quarantine {
  private let source: FieldWriter
  private let line: FieldWriter
  private let reason: FieldWriter
  private let raw: FieldWriter

  package init(sink: ColumnSink) {
    source = FieldWriter(name: "source", type: .utf8, sink: sink)
    line = FieldWriter(name: "line", type: .int64, sink: sink)
    reason = FieldWriter(name: "reason", type: .utf8, sink: sink)
    // Not text: what could not be read need not be UTF-8.
    raw = FieldWriter(name: "raw", type: .binary, sink: sink)
  }

  package func append(_ row: BadRow) throws(DSVError) {
    try Self.append(row.source, to: source)
    try line.values.append(fixed: Int64(row.line))
    try Self.append("column \(row.column): \(row.message)", to: reason)
    try Self.append(row.bytes, to: raw)
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
