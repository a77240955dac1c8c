package import DSVColumns
package import DSVFormat

extension Table {
  /// The code that rows dropped for `reason` get; a reason that is new is added.
  package mutating func code(for reason: DropReason) throws(DSVError) -> UInt16 {
    if let index = reasons.firstIndex(of: reason) { return UInt16(index + 1) }
    guard reasons.count < DropReason.countMax else {
      throw DSVError(.full, "table '\(name)' has \(reasons.count) reasons for dropping rows; it can have no more")
    }
    reasons.append(reason)
    return UInt16(reasons.count)
  }
}

/// Rows that are to be dropped, or to live again.
package struct SelectionChange {
  /// In order, each row once.
  private let codes: [(row: Int, code: UInt16)]

  package init(_ codes: [(row: Int, code: UInt16)]) { self.codes = codes }

  /// Gives the rows their codes; other rows keep theirs.
  package func apply(to table: inout Table, sink: ColumnSink, reader: ObjectReader) throws(DSVError) {
    let old = table.selection.map { ColumnCursor($0, reader: reader) }
    let writer = ColumnWriter(type: .uint16, sink: sink)
    var (next, live) = (0, 0)
    for row in 0..<table.rowCount {
      var code: UInt16 = 0
      if let old {
        let slice = try old.slice(at: row)
        code = slice.array.fixed(row - slice.startRow, as: UInt16.self)
      }
      if next < codes.count, codes[next].row == row {
        code = codes[next].code
        next += 1
      }
      if code == 0 { live += 1 }
      try writer.append(fixed: code)
    }
    table.selection = live == table.rowCount ? nil : try writer.finish()
    table.liveCount = live
    if live == table.rowCount { table.reasons = [] }
  }
}
