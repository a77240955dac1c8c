package import DSVColumns
package import DSVFormat

extension Table {
  /// The code that rows dropped for `reason` get; a reason that is new is added.
  package mutating func code(for reason: DropReason) throws(DSVError) -> UInt16 {
    if let index = reasons.firstIndex(of: reason) { return UInt16(index + 1) }
    guard reasons.count < DropReason.countMax else {
      throw DSVError(
        .full, "table '\(name)' has \(reasons.count) reasons for dropping rows; it can have no more")
    }
    reasons.append(reason)
    return UInt16(reasons.count)
  }
}

/// Writes a table's selection anew, row after row.
package final class SelectionWriter {
  private let old: ColumnCursor?
  private let writer: ColumnWriter
  private var liveCount = 0

  package init(_ table: Table, sink: ColumnSink, reader: ObjectReader) {
    old = table.selection.map { ColumnCursor($0, reader: reader) }
    writer = ColumnWriter(type: .uint16, sink: sink)
  }

  /// Appends the next row's code; `nil` is the one that it has.
  package func append(_ code: UInt16?) throws(DSVError) {
    var written: UInt16 = 0
    if let code {
      written = code
    } else if let old {
      let row = writer.rowCount
      let slice = try old.slice(at: row)
      written = slice.array.fixed(row - slice.startRow, as: UInt16.self)
    }
    if written == 0 { liveCount += 1 }
    try writer.append(fixed: written)
  }

  /// Gives the table the selection; rows that were not appended keep their codes.
  package func finish(_ table: inout Table) throws(DSVError) {
    while writer.rowCount < table.rowCount { try append(nil) }
    let selection = try writer.finish()
    table.liveCount = liveCount
    table.selection = liveCount == table.rowCount ? nil : selection
    if table.selection == nil { table.reasons = [] }
  }
}
