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

/// Writes a table's selection anew, from its first row to its last.
package final class SelectionWriter {
  private let old: ColumnCursor?
  private let writer: ColumnWriter
  private var liveCount = 0

  package init(_ table: Table, sink: ColumnSink, reader: ObjectReader) {
    old = table.selection.map { ColumnCursor($0, layout: Table.selectionLayout, reader: reader) }
    writer = ColumnWriter(type: .uint16, sink: sink)
  }

  /// Appends the next rows' code; `nil` is the one that each has.
  package func append(_ code: UInt16?, count: Int) throws(DSVError) {
    if code == nil, let old { return try append(of: old, count: count) }
    let written = code ?? 0
    if written == 0 { liveCount += count }
    try writer.append(repeating: written, count: count)
  }

  private func append(of old: ColumnCursor, count: Int) throws(DSVError) {
    for row in writer.rowCount..<writer.rowCount + count {
      let slice = try old.slice(at: row)
      let code = slice.array.fixed(row - slice.startRow, as: UInt16.self)
      if code == 0 { liveCount += 1 }
      try writer.append(fixed: code)
    }
  }

  /// Gives the table the selection; rows that were not appended keep their codes.
  package func finish(_ table: inout Table) throws(DSVError) {
    try append(nil, count: table.rowCount - writer.rowCount)
    let selection = try writer.finish()
    table.liveCount = liveCount
    table.selection = liveCount == table.rowCount ? nil : selection
    if table.selection == nil { table.reasons = [] }
  }
}
