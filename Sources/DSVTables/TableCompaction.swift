package import DSVColumns
package import DSVFormat

/// Writes a table's live rows as a table without a selection: what committing those rows with the same schema gives.
///
/// One column after the other, its chunks on all cores. Chunks in which nothing was dropped are taken over where they
/// would be cut out again. Memory: that of a ``ColumnWriter`` and of what is read ahead.
package struct TableCompaction {
  private let sink: ColumnSink
  private let reader: ObjectReader
  /// Called with the rows done of a column.
  private let progress: (Int) throws(DSVError) -> Void

  package init(
    sink: ColumnSink, reader: ObjectReader, progress: @escaping (Int) throws(DSVError) -> Void
  ) {
    (self.sink, self.reader, self.progress) = (sink, reader, progress)
  }

  /// A table that has no selection is what comes out of it.
  package func compacted(_ table: Table) throws(DSVError) -> Table {
    guard table.selection != nil else { return table }
    var fields: [TableField] = []
    for field in table.fields { fields.append(try compacted(field, of: table)) }
    var result = Table(name: table.name, fields: fields, rowCount: table.liveCount)
    result.key = table.key
    return result
  }

  private func compacted(_ field: TableField, of table: Table) throws(DSVError) -> TableField {
    var result = field
    result.values = try values(field.values, field.type, of: table)
    if case .mixed = field.absence { result.absence = try absence(field, of: table) }
    if result.values.nullCount == 0 { result.absence = .null }
    result.children = []
    for child in field.children { result.children.append(try compacted(child, of: table)) }
    guard result.values.rowCount == table.liveCount else {
      throw DSVError(
        .corrupt,
        "table \(table.name): \(result.values.rowCount) rows of \(field.name) are live, \(table.liveCount) wanted"
      )
    }
    return result
  }

  private func values(_ root: ColumnRoot, _ type: DataType, of table: Table) throws(DSVError) -> ColumnRoot {
    let writer = ColumnWriter(type: type, sink: sink)
    var runs = LiveRuns(table, reader: reader)
    var run = try runs.next()
    let chunks = ColumnCursor(root, layout: type.layout, reader: reader)
    var leaves = TreeWalker(root, reader: reader)
    var leaf = try leaves.next()
    while let live = run {
      while let known = leaf, known.endRow <= live.lowerBound {
        leaf = try leaves.next(from: live.lowerBound)
      }
      if let leaf, leaf.startRow == live.lowerBound, leaf.endRow <= live.upperBound,
        writer.append(whole: leaf.entry, isLast: leaf.endRow == root.rowCount)
      {
        run = try rest(of: live, from: leaf.endRow, &runs)
        continue
      }
      let slice = try chunks.slice(at: live.lowerBound)
      let end = min(slice.endRow, live.upperBound)
      try writer.append(
        contentsOf: slice.array, from: live.lowerBound - slice.startRow, to: end - slice.startRow)
      withExtendedLifetime(slice) {}
      try progress(end)
      run = try rest(of: live, from: end, &runs)
    }
    return try writer.finish()
  }

  /// What is left of a run from `row` on, together with the runs that touch it.
  private func rest(
    of run: Range<Int>, from row: Int, _ runs: inout LiveRuns
  ) throws(DSVError) -> Range<Int>? {
    row < run.upperBound ? row..<run.upperBound : try runs.next()
  }

  /// What the live slots without a value mean, of a field in which some are null and others missing.
  private func absence(_ field: TableField, of table: Table) throws(DSVError) -> TableField.Absence {
    var alone = field
    alone.children = []
    let cursor = FieldCursor(alone, reader: reader)
    var counts = (null: 0, missing: 0)
    // Written only once both kinds have occurred.
    var writer: ColumnWriter?
    var runs = LiveRuns(table, reader: reader)
    while let run = try runs.next() {
      for row in run {
        _ = try cursor.load(at: row)
        guard cursor.isNull(row) else { continue }
        let isMissing = try cursor.isMissing(row)
        if writer == nil, isMissing ? counts.null > 0 : counts.missing > 0 {
          let new = ColumnWriter(type: .bool, sink: sink)
          for _ in 0..<counts.null + counts.missing { try new.append(counts.missing > 0) }
          writer = new
        }
        try writer?.append(isMissing)
        if isMissing { counts.missing += 1 } else { counts.null += 1 }
      }
    }
    if let writer { return .mixed(try writer.finish()) }
    return counts.missing > 0 ? .missing : .null
  }
}
