package import DSVColumns
package import DSVFormat

/// Gives the live rows of a table as runs, reading the selection once, from first to last.
package struct LiveRuns {
  private let rowCount: Int
  private let cursor: ColumnCursor?
  private var slice: ColumnSlice?
  private var row = 0

  package init(_ table: Table, reader: ObjectReader) {
    rowCount = table.rowCount
    cursor = table.selection.map { ColumnCursor($0, layout: Table.selectionLayout, reader: reader) }
  }

  /// The next run of live rows; runs that touch are possible where the selection's chunks end.
  package mutating func next() throws(DSVError) -> Range<Int>? {
    guard let cursor else {
      defer { row = rowCount }
      return row < rowCount ? row..<rowCount : nil
    }
    while row < rowCount {
      if slice.map({ row >= $0.endRow }) ?? true { slice = try cursor.slice(at: row) }
      guard let slice else { return nil }
      func isLive(_ row: Int) -> Bool { slice.array.fixed(row - slice.startRow, as: UInt16.self) == 0 }
      while row < slice.endRow, !isLive(row) { row += 1 }
      let start = row
      while row < slice.endRow, isLive(row) { row += 1 }
      if row > start { return start..<row }
    }
    return nil
  }
}
