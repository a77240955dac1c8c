package import DSVColumns
package import DSVExpression
package import DSVFormat
import DSVInterchange
package import DSVRecords
package import DSVTables

/// Which rows and columns of a table come out, and how they are written.
package struct ExportOptions {
  /// Dotted names; empty takes all.
  package var columns: [String] = []
  package var condition: String?
  package var format = RecordFormat.jsonl
  /// Whether columns that transforms computed come too.
  package var includesSignals = false
  /// Whether rows that were dropped come too.
  package var includesDropped = false
  package var limit = Int.max

  package init() {}
}

/// Writes a table's rows as text.
package final class RowExport {
  package let filter: RowFilter
  private let table: Table
  private let cursor: TableCursor
  private let rows: JSONRows
  private let options: ExportOptions

  package init(_ table: Table, _ options: ExportOptions, reader: ObjectReader) throws(DSVError) {
    self.table = table
    self.options = options
    filter = try RowFilter(
      table, where: try table.condition(options.condition), includesDropped: options.includesDropped,
      reader: reader)
    var fields: [TableField] = []
    if options.columns.isEmpty {
      fields = table.fields.filter { options.includesSignals || !$0.isSignal }
    } else {
      for (index, name) in options.columns.enumerated() {
        guard !options.columns[..<index].contains(name) else {
          throw DSVError(.badInput, "column '\(name)' is asked for twice")
        }
        guard var field = table.field(name) else {
          let known = table.fields.map(\.name).joined(separator: ", ")
          throw DSVError(.notFound, "table '\(table.name)' has no column '\(name)'; it has: \(known)")
        }
        field.name = name
        fields.append(field)
      }
    }
    let isWhole = options.condition == nil && options.limit == .max
    cursor = TableCursor(table, fields: fields, reader: reader, readsBlobs: isWhole)
    rows = JSONRows(cursor.fields)
  }

  /// Writes the rows; `write` gets the text in pieces of about 1 MiB.
  ///
  /// - Returns: how many rows were written.
  @discardableResult
  package func run(
    progress: @escaping ProgressHandler = { _ in }, _ write: (UnsafeRawBufferPointer) throws(DSVError) -> Void
  ) throws(DSVError) -> Int {
    var text = ByteBuffer()
    if options.format == .csv { appendHeader(&text) }
    var count = 0
    try forEachRow { (row) throws(DSVError) in
      switch options.format {
      case .jsonl:
        try append(row, to: &text)
        text.append(UInt8(ascii: "\n"))
      case .csv:
        for (index, field) in cursor.fields.enumerated() {
          if index > 0 { text.append(UInt8(ascii: ",")) }
          try text.appendCSV(field, row)
        }
        text.appendCSVLineEnd()
      }
      count += 1
      if text.count >= 1 << 20 {
        try write(text.bytes)
        text.removeAll()
        try progress(Progress(phase: "writing \(table.name)", done: row, total: table.rowCount, unit: .rows))
      }
    }
    try write(text.bytes)
    return count
  }

  /// Calls `body` with each row that comes out, loaded.
  func forEachRow(_ body: (Int) throws(DSVError) -> Void) throws(DSVError) {
    guard options.limit > 0 else { return }
    var (count, loadedEnd) = (0, 0)
    try filter.forEachRow { (row) throws(DSVError) in
      if row >= loadedEnd {
        loadedEnd = try cursor.load(at: row)
        rows.reload()
      }
      try body(row)
      count += 1
      return count < options.limit
    }
  }

  /// Appends a loaded row as a JSON object.
  func append(_ row: Int, to text: inout ByteBuffer) throws(DSVError) { try rows.append(row, to: &text) }

  private func appendHeader(_ text: inout ByteBuffer) {
    for (index, field) in cursor.fields.enumerated() {
      if index > 0 { text.append(UInt8(ascii: ",")) }
      text.appendCSV(text: field.field.name)
    }
    text.appendCSVLineEnd()
  }
}

extension Table {
  /// A condition on this table's columns; `nil` for none.
  package func condition(_ text: String?) throws(DSVError) -> CheckedExpression? {
    guard let text else { return nil }
    return try CheckedExpression(parsing: text, fields: schema)
  }
}
