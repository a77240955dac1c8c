package import DSVColumns
package import DSVFormat
package import DSVTables

/// How many rows and cells differ between two versions of a table.
public struct DiffCounts: Hashable, Sendable {
  public var added = 0
  public var removed = 0
  /// Rows of the same key with other values. In a table without a key: rows whose signals alone differ.
  public var changed = 0
  /// Rows that both versions have, changed or not, but that stand elsewhere among the others.
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

/// Writes a loaded cell so that values that are equal whatever their type have equal text.
package typealias CellText = (FieldCursor, Int) throws(DSVError) -> [UInt8]

/// Compares the live rows of two versions of a table.
///
/// Rows are aligned on a *spine*, the key column or else the column with the most distinct bytes, by walking its two
/// trees and skipping what they share. Other columns are verified against that alignment the same way, and only what
/// is not shared is decoded. What is left over is matched by key, or without a key by content, signals apart.
///
/// The memory it takes follows the number of rows in the chunks that differ: about 100 bytes for each.
package final class TableDiff {
  package private(set) var counts = DiffCounts()
  /// The dotted names of the columns that both versions have, but for structs that became something else.
  package let columns: [String]
  package let a: Table
  package let b: Table

  private let reader: ObjectReader
  private let visit: (RowChange) throws(DSVError) -> Void
  private let cellsA: [FieldCursor]
  private let cellsB: [FieldCursor]
  private let cursorA: TableCursor
  private let cursorB: TableCursor
  /// Whether each column has the same type in both.
  private let isAlike: [Bool]
  private let text: CellText
  /// Indexes of the columns that make a row the row that it is.
  private var identity: [Int] = []
  private var moved = MovedRows()
  /// Live rows of each side that have not found their match.
  private var looseA: [Int] = []
  private var looseB: [Int] = []
  /// Of `looseA`, those that the spine had aligned, in order.
  private var alignedLoose: [Int] = []

  /// - Parameters:
  ///   - text: writes a cell as text, for columns whose type has changed.
  ///   - visit: gets each row that differs.
  package init(
    _ a: Table, _ b: Table, reader: ObjectReader, text: @escaping CellText,
    visit: @escaping (RowChange) throws(DSVError) -> Void
  ) {
    (self.a, self.b, self.reader, self.text, self.visit) = (a, b, reader, text, visit)
    let (leavesA, leavesB) = (LeafField.all(a.fields), LeafField.all(b.fields))
    let inB = Dictionary(leavesB.map { ($0.path, $0.field) }) { first, _ in first }
    let common = leavesA.compactMap { leaf -> (LeafField, TableField)? in
      guard let other = inB[leaf.path] else { return nil }
      // A struct's values are its fields'.
      let isComparable =
        other.type == leaf.field.type || leaf.field.type != .struct([]) && other.type != .struct([])
      return isComparable ? (leaf, other) : nil
    }
    isAlike = common.map { $0.0.field.type == $0.1.type }
    let columns = common.map(\.0.path)
    self.columns = columns
    cellsA = common.map { FieldCursor($0.0.field, reader: reader, readAhead: 1) }
    cellsB = common.map { FieldCursor($0.1, reader: reader, readAhead: 1) }
    cursorA = TableCursor(a, fields: [], reader: reader, readAhead: 1)
    cursorB = TableCursor(b, fields: [], reader: reader, readAhead: 1)
    let keyIndexes = a.key.compactMap { columns.firstIndex(of: $0) }
    let hasKey = !a.key.isEmpty && a.key == b.key && keyIndexes.count == a.key.count
    identity = hasKey ? keyIndexes : columns.indices.filter { !common[$0].0.isSignal }
    counts.schema = SchemaChange.between(a.schema, b.schema)
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
    try compare(alignment.runs, spine: spine)
    var loose = alignedLoose[...]
    for run in alignment.runs { try noteOrder(run, &loose) }
    try matchLoose()
    try reportLoose()
    counts.moved = moved.count()
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

  private func forEachLive(
    _ cursor: TableCursor, _ ranges: [Range<Int>], _ body: (Int) throws(DSVError) -> Void
  ) throws(DSVError) {
    for range in ranges { try cursor.forEachLiveRow(in: range, body) }
  }
}

// MARK: - Rows aligned on the spine

extension TableDiff {
  /// Compares rows that are known to be the same, looking only at what the columns do not share.
  ///
  /// - Parameter spine: the column by which they are known, if it is one whole column.
  private func compare(_ runs: [AlignedRun], spine: Int?) throws(DSVError) {
    var dirty: [[AlignedRun]] = []
    for index in columns.indices {
      let isKnown = spine.map { index == $0 && !hasAbsence(index) } ?? identity.contains(index)
      dirty.append(isKnown ? [] : try dirtyRuns(index, runs))
    }
    let all = dirty.flatMap { $0 }.sorted { $0.startA < $1.startA }
    var doneA = 0
    for run in all {
      let start = max(run.startA, doneA)
      guard start < run.endA else { continue }
      for row in start..<run.endA { try compareAlignedRow(row, row + run.delta, dirty) }
      doneA = run.endA
    }
  }

  private func hasAbsence(_ index: Int) -> Bool { cellsA[index].field.absence != cellsB[index].field.absence }

  private func dirtyRuns(_ index: Int, _ runs: [AlignedRun]) throws(DSVError) -> [AlignedRun] {
    // Where types differ, or empty slots may mean something else, equal chunks are not equal cells.
    if !isAlike[index] || hasAbsence(index) { return runs }
    if case .mixed = cellsA[index].field.absence { return runs }
    return try ColumnAlignment(cellsA[index].field.values, cellsB[index].field.values, reader: reader)
      .unverified(under: runs)
  }

  /// Notes the run's rows as standing together, parted where a row of them is loose, and finds the rows that are live
  /// on one side only.
  ///
  /// - Parameter loose: the rows of A that are known to be loose, in order, from this run's on.
  private func noteOrder(_ run: AlignedRun, _ loose: inout ArraySlice<Int>) throws(DSVError) {
    var (row, start, weight) = (run.startA, run.startA, 0)
    func part(before row: Int) {
      moved.add(startA: start, startB: start + run.delta, weight: weight)
      (start, weight) = (row + 1, 0)
    }
    while row < run.endA {
      let end = min(try cursorA.load(at: row), try cursorB.load(at: row + run.delta) - run.delta, run.endA)
      while row < end {
        if loose.first == row {
          loose.removeFirst()
          part(before: row)
        } else {
          let (liveA, liveB) = (cursorA.isLive(row), cursorB.isLive(row + run.delta))
          if liveA, liveB {
            weight += 1
          } else if liveA || liveB {
            if liveA { looseA.append(row) } else { looseB.append(row + run.delta) }
            part(before: row)
          }
        }
        row += 1
      }
    }
    part(before: run.endA)
  }

  private func compareAlignedRow(_ rowA: Int, _ rowB: Int, _ dirty: [[AlignedRun]]) throws(DSVError) {
    _ = try (cursorA.load(at: rowA), cursorB.load(at: rowB))
    guard cursorA.isLive(rowA), cursorB.isLive(rowB) else { return }
    var differing: [Int] = []
    for index in columns.indices where !dirty[index].isEmpty {
      _ = try (cellsA[index].load(at: rowA), cellsB[index].load(at: rowB))
      if try !areEqual(index, rowA, rowB) { differing.append(index) }
    }
    if differing.isEmpty { return }
    if differing.contains(where: identity.contains) {
      looseA.append(rowA)
      looseB.append(rowB)
      alignedLoose.append(rowA)
      return
    }
    try report(rowA, rowB, differing)
  }

  private func areEqual(_ index: Int, _ rowA: Int, _ rowB: Int) throws(DSVError) -> Bool {
    let (cellA, cellB) = (cellsA[index], cellsB[index])
    if isAlike[index] { return try cellsAreEqual(cellA, rowA, cellB, rowB) }
    return try text(cellA, rowA) == text(cellB, rowB)
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
      if isAlike[index] {
        try hash.add(cells[index], row)
      } else {
        try text(cells[index], row).withUnsafeBytes { hash.add($0) }
      }
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
    try compareMatched(pairs.sorted { $0.rowA < $1.rowA })
  }

  private func compareMatched(_ pairs: [(rowA: Int, rowB: Int)]) throws(DSVError) {
    var runs: [AlignedRun] = []
    for pair in pairs {
      if let last = runs.last, last.endA == pair.rowA, last.delta == pair.rowB - pair.rowA {
        runs[runs.count - 1].count += 1
      } else {
        runs.append(AlignedRun(startA: pair.rowA, startB: pair.rowB, count: 1))
      }
    }
    try compare(runs, spine: nil)
    for run in runs { moved.add(startA: run.startA, startB: run.startB, weight: run.count) }
  }

  private func reportLoose() throws(DSVError) {
    counts.removed = looseA.count
    counts.added = looseB.count
    for row in looseA { try visit(.removed(rowA: row)) }
    for row in looseB { try visit(.added(rowB: row)) }
  }
}
