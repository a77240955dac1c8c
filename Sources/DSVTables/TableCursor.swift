package import DSVColumns
package import DSVFormat

/// Moves through some fields of a table, and knows which rows are live.
package final class TableCursor {
  package let table: Table
  package let fields: [FieldCursor]
  private let selection: ColumnCursor?
  private var loadedSelection: ColumnSlice?
  private var (loadedStart, loadedEnd) = (0, 0)
  private let reader: ObjectReader
  /// The columns of a table that is read from far away, until the first of it is read.
  private var roots: [ColumnRoot] = []

  /// - Parameters:
  ///   - visits: the rows that will be loaded, in this order, which ascends; `nil` where that is not known.
  ///   - readsBlobs: whether all values will be read, whole.
  package init(
    _ table: Table, fields: [TableField], reader: ObjectReader, readAhead: Int = 4, visits: [Int]? = nil,
    readsBlobs: Bool = false
  ) {
    (self.table, self.reader) = (table, reader)
    if readAhead > 1, reader.prefetches {
      roots = fields.flatMap(\.columns) + (table.selection.map { [$0] } ?? [])
    }
    self.fields = fields.map {
      FieldCursor($0, reader: reader, readAhead: readAhead, visits: visits, readsBlobs: readsBlobs)
    }
    selection = table.selection.map {
      ColumnCursor($0, layout: Table.selectionLayout, reader: reader, readAhead: readAhead, visits: visits)
    }
  }

  /// Loads `row`; returns where the run of loaded rows ends.
  package func load(at row: Int) throws(DSVError) -> Int {
    if row >= loadedStart, row < loadedEnd { return loadedEnd }
    if !roots.isEmpty {
      // All columns' first chunks come together.
      try RowPrefetch.run(roots.filter { $0.rowCount == table.rowCount }, rows: [row], reader: reader)
      roots = []
    }
    var end = table.rowCount
    for field in fields { end = min(end, try field.load(at: row)) }
    if let selection {
      let slice = try selection.slice(at: row)
      loadedSelection = slice
      end = min(end, slice.endRow)
    }
    (loadedStart, loadedEnd) = (row, end)
    return end
  }

  /// 0 if the loaded row is live, else one more than the index of its ``DropReason``.
  @inline(__always)
  package func dropCode(_ row: Int) -> Int {
    guard let loadedSelection else { return 0 }
    return Int(loadedSelection.array.fixed(row - loadedSelection.startRow, as: UInt16.self))
  }

  package func isLive(_ row: Int) -> Bool { dropCode(row) == 0 }

  /// Why a row that is not live is not.
  package func reason(_ code: Int) throws(DSVError) -> DropReason {
    guard code > 0, code <= table.reasons.count else {
      throw DSVError(
        .corrupt, "table \(table.name): a row was dropped for reason \(code) of \(table.reasons.count)")
    }
    return table.reasons[code - 1]
  }

  /// Calls `body` with each live row of `rows`, in order, loaded.
  package func forEachLiveRow(
    in rows: Range<Int>, _ body: (Int) throws(DSVError) -> Void
  ) throws(DSVError) {
    var row = rows.lowerBound
    while row < rows.upperBound {
      let end = min(try load(at: row), rows.upperBound)
      while row < end {
        if isLive(row) { try body(row) }
        row += 1
      }
    }
  }
}
