package import DSVColumns
package import DSVFormat
package import DSVTables

/// Writes a loaded cell so that values that are equal whatever their type have equal text.
package typealias CellText = (FieldCursor, Int) throws(DSVError) -> [UInt8]

/// Compares the live rows of two versions of a table.
///
/// Rows are aligned on a *spine*, the key column or else the column with the most distinct bytes, by walking its two
/// trees and skipping what they share. Other columns, and the selections, are verified against that alignment the same
/// way, and only what is not shared is decoded. What is left over is matched by key, or without a key by content,
/// signals apart. So the time follows the chunks that differ, not the table.
///
/// The memory it takes is bounded: a bit for each row in at most four sets, 24 bytes for each place where the spine
/// differs and for each run of rows that moved, and some ``matchedAtOnce`` rows of each side to be matched at a time.
package final class TableDiff {
  package internal(set) var counts = DiffCounts()
  /// The columns that both versions have, but for structs that became something else, by their names from the
  /// outermost field to the innermost.
  package let columns: [[FieldName]]
  package let a: Table
  package let b: Table

  /// How many loose rows of a side are matched at a time: with more of them, they are gone through several times.
  let matchedAtOnce: Int

  let reader: ObjectReader
  let visit: ((RowChange) throws(DSVError) -> Void)?
  let poll: () throws(DSVError) -> Void
  let cellsA: [FieldCursor]
  let cellsB: [FieldCursor]
  let liveA: LiveRows
  let liveB: LiveRows
  /// Whether each column has the same type in both.
  let isAlike: [Bool]
  let text: CellText
  /// Indexes of the columns that make a row the row that it is.
  let identity: [Int]
  /// Live rows of each side that the spine has not led to their match.
  var looseA = RowSet()
  var looseB = RowSet()
  /// Rows of A that changed where they stand.
  var changed = RowSet()
  /// Loose rows that were matched and are unchanged.
  var matched: [AlignedRun] = []

  /// - Parameters:
  ///   - text: writes a cell as text, for columns whose type has changed.
  ///   - poll: called every few thousand rows; what it throws ends the comparison.
  ///   - visit: gets each row that differs; without it only their numbers are wanted.
  package init(
    _ a: Table, _ b: Table, reader: ObjectReader, text: @escaping CellText, matchedAtOnce: Int = 1 << 20,
    poll: @escaping () throws(DSVError) -> Void = {}, visit: ((RowChange) throws(DSVError) -> Void)? = nil
  ) {
    self.matchedAtOnce = matchedAtOnce
    (self.a, self.b, self.reader, self.text, self.poll, self.visit) = (a, b, reader, text, poll, visit)
    let common = Self.common(a, b)
    isAlike = common.map { $0.0.field.type == $0.1.type }
    columns = common.map(\.0.path)
    cellsA = common.map { FieldCursor($0.0.field, reader: reader, readAhead: 1) }
    cellsB = common.map { FieldCursor($0.1, reader: reader, readAhead: 1) }
    (liveA, liveB) = (LiveRows(a, reader: reader), LiveRows(b, reader: reader))
    let names = common.map { FieldName($0.0.name) }
    let key = a.key.map { FieldName($0) }
    let keyIndexes = key.compactMap { names.firstIndex(of: $0) }
    let hasKey = !key.isEmpty && key == b.key.map { FieldName($0) } && keyIndexes.count == key.count
    identity = hasKey ? keyIndexes : columns.indices.filter { !common[$0].0.isSignal }
    counts.schema = SchemaChange.between(a.schema, b.schema)
  }

  /// The columns that two tables have in common, as ``columns`` has them.
  package static func columns(_ a: Table, _ b: Table) -> [[FieldName]] { common(a, b).map(\.0.path) }

  private static func common(_ a: Table, _ b: Table) -> [(LeafField, TableField)] {
    let inB = Dictionary(LeafField.all(b.fields).map { ($0.path, $0.field) }) { first, _ in first }
    return LeafField.all(a.fields).compactMap { leaf in
      guard let other = inB[leaf.path] else { return nil }
      // A struct's values are its fields'.
      let isComparable =
        other.type == leaf.field.type || leaf.field.type != .struct([]) && other.type != .struct([])
      return isComparable ? (leaf, other) : nil
    }
  }

  /// Compares; calls `visit` with each row that differs as it is found.
  package func run() throws(DSVError) -> DiffCounts {
    try poll()
    let spine = spineColumn()
    // Without a column in common nothing is the same row.
    let runs =
      try spine.map { (spine) throws(DSVError) in
        try SpineAlignment(cellsA[spine], cellsB[spine], reader: reader, poll: poll).runs
      } ?? []
    for rows in ColumnAlignment.gaps(runs.map(\.rowsA), a.rowCount) { try liveA.insert(rows, into: &looseA) }
    for rows in ColumnAlignment.gaps(runs.map(\.rowsB), b.rowCount) { try liveB.insert(rows, into: &looseB) }
    try compareSelections(runs)
    try compare(runs, known: spine.flatMap { isKnown(by: $0) ? [$0] : nil } ?? [], isInPlace: true)
    if !identity.isEmpty { try matchLoose() } else { try reportLoose(matchedA: RowSet(), matchedB: RowSet()) }
    matched.sort { $0.startA < $1.startA }
    counts.moved = try MovedRows.count(runs, matched: matched) { (run) throws(DSVError) in
      try liveA.count(in: run.rowsA) - looseA.count(in: run.rowsA) - changed.count(in: run.rowsA)
    }
    return counts
  }

  private func spineColumn() -> Int? {
    identity.filter { isAlike[$0] }.max { size($0) < size($1) }
  }

  private func size(_ column: Int) -> Int {
    let (rootA, rootB) = (cellsA[column].field.values, cellsB[column].field.values)
    // A struct's own column says nothing of its rows.
    return cellsA[column].field.type.layout == .none ? -1 : min(rootA.plainByteCount, rootB.plainByteCount)
  }

  /// Whether rows aligned on a column have equal cells in it, null and missing told apart.
  private func isKnown(by spine: Int) -> Bool {
    let (fieldA, fieldB) = (cellsA[spine].field, cellsB[spine].field)
    if fieldA.values.nullCount == 0, fieldB.values.nullCount == 0 { return true }
    if case .mixed = fieldA.absence { return false }
    return fieldA.absence == fieldB.absence
  }
}
