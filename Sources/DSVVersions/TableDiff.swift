package import DSVColumns
package import DSVFormat
package import DSVTables

/// How many rows and cells differ between two versions of a table.
public struct DiffCounts: Hashable, Sendable {
  public var added = 0
  public var removed = 0
  /// Rows of the same key with other values. Always 0 for a table without a key.
  public var changed = 0
  /// Rows that are equal but stand elsewhere among the others.
  public var moved = 0
  /// Cells that differ in changed rows.
  public var cells = 0
  public var schema: [SchemaChange] = []

  package init() {}

  public var isEmpty: Bool { self == DiffCounts() }
}

/// One row that differs. Rows are positions in the stored tables.
package enum RowChange {
  case added(rowB: Int)
  case removed(rowA: Int)
  /// `columns` are indexes into ``TableDiff/columns``.
  case changed(rowA: Int, rowB: Int, columns: [Int])
}

/// Compares the live rows of two versions of a table.
///
/// Rows are aligned on a *spine*, the key column or else the column with the most distinct bytes, by walking its two
/// trees and skipping what they share. Other columns are verified against that alignment the same way, and only what
/// is not shared is decoded. What is left over is matched by key, or without a key by content.
///
/// The memory it takes follows the number of rows in the chunks that differ: about 100 bytes for each.
package final class TableDiff {
  package private(set) var counts = DiffCounts()
  /// The dotted names of the columns that both versions have with the same type.
  package let columns: [String]
  package let a: Table
  package let b: Table

  private let reader: ObjectReader
  private let visit: (RowChange) throws(DSVError) -> Void
  private let cellsA: [FieldCursor]
  private let cellsB: [FieldCursor]
  private let cursorA: TableCursor
  private let cursorB: TableCursor
  private let hasKey: Bool
  /// Indexes of the columns that make a row the row that it is.
  private var identity: [Int] = []
  private var moved = MovedRows()
  /// Live rows of each side that have not found their match.
  private var looseA: [Int] = []
  private var looseB: [Int] = []

  package init(
    _ a: Table, _ b: Table, reader: ObjectReader, visit: @escaping (RowChange) throws(DSVError) -> Void
  ) {
    (self.a, self.b, self.reader, self.visit) = (a, b, reader, visit)
    let (leavesA, leavesB) = (LeafField.all(a.fields), LeafField.all(b.fields))
    let inB = Dictionary(leavesB.map { ($0.path, $0.field) }) { first, _ in first }
    let common = leavesA.compactMap { leaf -> (LeafField, TableField)? in
      guard let other = inB[leaf.path], other.type == leaf.field.type else { return nil }
      return (leaf, other)
    }
    let columns = common.map(\.0.path)
    self.columns = columns
    cellsA = common.map { FieldCursor($0.0.field, reader: reader, readAhead: 1) }
    cellsB = common.map { FieldCursor($0.1, reader: reader, readAhead: 1) }
    cursorA = TableCursor(a, fields: [], reader: reader, readAhead: 1)
    cursorB = TableCursor(b, fields: [], reader: reader, readAhead: 1)
    let keyIndexes = a.key.compactMap { columns.firstIndex(of: $0) }
    hasKey = !a.key.isEmpty && a.key == b.key && keyIndexes.count == a.key.count
    identity = hasKey ? keyIndexes : Array(columns.indices)
    counts.schema = SchemaChange.between(leavesA, leavesB)
  }

  /// Compares; calls `visit` with each row that differs as it is found.
  package func run() throws(DSVError) -> DiffCounts {
    guard let spine = spineColumn() else {
      // No column in common: nothing is the same row.
      try forEachLive(cursorA, [0..<a.rowCount]) { (row) throws(DSVError) in looseA.append(row) }
      try forEachLive(cursorB, [0..<b.rowCount]) { (row) throws(DSVError) in looseB.append(row) }
      try reportLoose()
      return counts
    }
    let alignment = try ColumnAlignment(
      cellsA[spine].field.values, cellsB[spine].field.values, reader: reader)
    try forEachLive(cursorA, alignment.unalignedA(rowCount: a.rowCount)) { (row) throws(DSVError) in
      looseA.append(row)
    }
    try forEachLive(cursorB, alignment.unalignedB(rowCount: b.rowCount)) { (row) throws(DSVError) in
      looseB.append(row)
    }
    try compareAligned(alignment, spine: spine)
    try matchLoose()
    try reportLoose()
    counts.moved = moved.count()
    return counts
  }

  private func spineColumn() -> Int? {
    identity.max { size($0) < size($1) }
  }

  private func size(_ column: Int) -> Int {
    let (rootA, rootB) = (cellsA[column].field.values, cellsB[column].field.values)
    // A struct's own column says nothing of its rows.
    return cellsA[column].field.type.layout == .none ? -1 : min(rootA.plainByteCount, rootB.plainByteCount)
  }

  private func forEachLive(
    _ cursor: TableCursor, _ ranges: [Range<Int>], _ body: (Int) throws(DSVError) -> Void
  ) throws(DSVError) {
    for range in ranges { try cursor.forEachLiveRow(in: range, body) }
  }
}

// MARK: - Rows aligned on the spine

extension TableDiff {
  /// Compares the rows that the spine aligns, looking only at what the other columns do not share.
  private func compareAligned(_ alignment: ColumnAlignment, spine: Int) throws(DSVError) {
    var dirty: [[AlignedRun]] = []
    for index in columns.indices {
      let isVerified = index == spine && !hasAbsence(index)
      dirty.append(isVerified ? [] : try dirtyRuns(index, alignment))
    }
    let selectionIsShared = a.selection == nil && b.selection == nil
    let selectionRuns = selectionIsShared ? [] : try dirtySelection(alignment)
    var all = selectionRuns
    for runs in dirty { all += runs }
    all.sort { $0.startA < $1.startA }
    var doneA = 0
    for run in alignment.runs { try noteOrder(run, selectionIsShared: selectionIsShared) }
    for run in all {
      let start = max(run.startA, doneA)
      guard start < run.endA else { continue }
      for row in start..<run.endA { try compareAlignedRow(row, row + run.delta, dirty) }
      doneA = run.endA
    }
  }

  private func hasAbsence(_ index: Int) -> Bool { cellsA[index].field.absence != cellsB[index].field.absence }

  private func dirtyRuns(_ index: Int, _ spine: ColumnAlignment) throws(DSVError) -> [AlignedRun] {
    // Where empty slots may mean something else, equal chunks are not equal cells.
    if hasAbsence(index) { return spine.runs }
    if case .mixed = cellsA[index].field.absence { return spine.runs }
    return try ColumnAlignment(cellsA[index].field.values, cellsB[index].field.values, reader: reader)
      .unverified(under: spine)
  }

  private func dirtySelection(_ spine: ColumnAlignment) throws(DSVError) -> [AlignedRun] {
    guard let selectionA = a.selection, let selectionB = b.selection else {
      return spine.runs
    }
    return try ColumnAlignment(selectionA, selectionB, reader: reader).unverified(under: spine)
  }

  private func noteOrder(_ run: AlignedRun, selectionIsShared: Bool) throws(DSVError) {
    if selectionIsShared {
      moved.add(startA: run.startA, startB: run.startB, weight: run.count)
      return
    }
    var weight = 0
    var row = run.startA
    while row < run.endA {
      _ = try (cursorA.load(at: row), cursorB.load(at: row + run.delta))
      if cursorA.isLive(row), cursorB.isLive(row + run.delta) { weight += 1 }
      row += 1
    }
    moved.add(startA: run.startA, startB: run.startB, weight: weight)
  }

  private func compareAlignedRow(_ rowA: Int, _ rowB: Int, _ dirty: [[AlignedRun]]) throws(DSVError) {
    _ = try (cursorA.load(at: rowA), cursorB.load(at: rowB))
    let (liveA, liveB) = (cursorA.isLive(rowA), cursorB.isLive(rowB))
    guard liveA, liveB else {
      if liveA { looseA.append(rowA) }
      if liveB { looseB.append(rowB) }
      return
    }
    var differing: [Int] = []
    for index in columns.indices where !dirty[index].isEmpty {
      _ = try (cellsA[index].load(at: rowA), cellsB[index].load(at: rowB))
      if try !cellsAreEqual(cellsA[index], rowA, cellsB[index], rowB) { differing.append(index) }
    }
    if differing.isEmpty { return }
    if !hasKey || differing.contains(where: identity.contains) {
      looseA.append(rowA)
      looseB.append(rowB)
      return
    }
    try report(rowA, rowB, differing)
  }

  private func report(_ rowA: Int, _ rowB: Int, _ differing: [Int]) throws(DSVError) {
    counts.changed += 1
    counts.cells += differing.count
    try visit(.changed(rowA: rowA, rowB: rowB, columns: differing))
  }
}

// MARK: - Loose rows

extension TableDiff {
  private func hash(_ cells: [FieldCursor], _ row: Int) throws(DSVError) -> CellHash {
    var hash = CellHash()
    for index in identity {
      _ = try cells[index].load(at: row)
      try hash.add(cells[index], row)
    }
    return hash
  }

  /// Matches loose rows by what identifies them, first with first where several are alike.
  private func matchLoose() throws(DSVError) {
    if looseA.isEmpty || looseB.isEmpty { return }
    looseA.sort()
    looseB.sort()
    var inA: [CellHash: [Int]] = [:]
    for (index, row) in looseA.enumerated().reversed() {
      inA[try hash(cellsA, row), default: []].append(index)
    }
    var matchedA = [Bool](repeating: false, count: looseA.count)
    var pairs: [(rowA: Int, rowB: Int)] = []
    var unmatchedB: [Int] = []
    for row in looseB {
      if let index = inA[try hash(cellsB, row)]?.popLast() {
        matchedA[index] = true
        pairs.append((looseA[index], row))
      } else {
        unmatchedB.append(row)
      }
    }
    looseA = looseA.indices.filter { !matchedA[$0] }.map { looseA[$0] }
    looseB = unmatchedB
    pairs.sort { $0.rowA < $1.rowA }
    for pair in pairs { try comparePair(pair.rowA, pair.rowB) }
  }

  private func comparePair(_ rowA: Int, _ rowB: Int) throws(DSVError) {
    var differing: [Int] = []
    if hasKey {
      for index in columns.indices where !identity.contains(index) {
        _ = try (cellsA[index].load(at: rowA), cellsB[index].load(at: rowB))
        if try !cellsAreEqual(cellsA[index], rowA, cellsB[index], rowB) { differing.append(index) }
      }
    }
    if differing.isEmpty {
      moved.add(startA: rowA, startB: rowB, weight: 1)
    } else {
      try report(rowA, rowB, differing)
    }
  }

  private func reportLoose() throws(DSVError) {
    counts.removed = looseA.count
    counts.added = looseB.count
    for row in looseA { try visit(.removed(rowA: row)) }
    for row in looseB { try visit(.added(rowB: row)) }
  }
}
