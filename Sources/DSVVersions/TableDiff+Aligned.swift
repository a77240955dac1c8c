import DSVColumns
import DSVFormat
import DSVTables

/// How rows that are aligned compare.
extension TableDiff {
  /// How many runs are compared at a time, which bounds what is noted of each column.
  private static let runsAtOnce = 1 << 14

  /// Finds the aligned rows that are live on one side only.
  func compareSelections(_ runs: [AlignedRun]) throws(DSVError) {
    for run in try LiveRows.differing(liveA, liveB, under: runs, reader: reader) {
      try poll()
      var row = run.startA
      while row < run.endA {
        var count = min(64, run.endA - row)
        let other = try liveB.mask(at: row + run.delta, count: &count)
        let own = try liveA.mask(at: row, count: &count)
        let inB = other & (count == 64 ? .max : 1 << UInt64(count) - 1)
        looseA.insert(own & ~inB, at: row)
        looseB.insert(inB & ~own, at: row + run.delta)
        row += count
      }
    }
  }

  /// Compares rows that stand for one another, looking only at what the columns do not share.
  ///
  /// - Parameters:
  ///   - runs: in the order of A.
  ///   - known: columns in which they are known to be equal.
  ///   - isInPlace: whether the rows were aligned by the spine: then it may be that they are not the same row.
  func compare(_ runs: [AlignedRun], known: [Int], isInPlace: Bool) throws(DSVError) {
    for start in stride(from: 0, to: runs.count, by: Self.runsAtOnce) {
      let batch = Array(runs[start..<min(start + Self.runsAtOnce, runs.count)])
      var open: [OpenColumn] = []
      for column in columns.indices where !known.contains(column) {
        // Where types differ, equal chunks are not equal cells.
        let unverified =
          isAlike[column]
          ? try ColumnDifference(cellsA[column].field, cellsB[column].field, reader: reader)
            .unverified(under: batch) : batch
        if !unverified.isEmpty { open.append(OpenColumn(column: column, runs: unverified)) }
      }
      try compareOpen(&open, isInPlace: isInPlace)
    }
  }

  /// A column, and the aligned rows of which its chunks do not show that they are equal in it.
  private struct OpenColumn {
    let column: Int
    let runs: [AlignedRun]
    /// The first of `runs` that is not done.
    var next = 0
    /// Of the rows being compared, those in which it differs.
    var differing: UInt64 = 0
    var isOpen = false
  }

  /// After so many rows it is asked whether to go on.
  private static let checkRowCount = 8192

  private func compareOpen(_ open: inout [OpenColumn], isInPlace: Bool) throws(DSVError) {
    var (doneA, window) = (0, 64)
    var sinceCheck = Self.checkRowCount
    for run in open.flatMap(\.runs).sorted(by: { $0.startA < $1.startA }) {
      var row = max(run.startA, doneA)
      while row < run.endA {
        if sinceCheck >= Self.checkRowCount {
          try poll()
          sinceCheck = 0
        }
        let (count, differing) = try difference(&open, row, run, atMost: window)
        // Where nothing differs, more and more is compared at once.
        window = differing == 0 && count == window ? 2 * window : 64
        if differing != 0 { try settle(open, row, row + run.delta, differing, count, isInPlace: isInPlace) }
        row += count
        sinceCheck += count
      }
      doneA = max(doneA, run.endA)
    }
  }

  /// Compares the next rows, at most `window`, in the columns that are open there.
  ///
  /// - Returns: how many were compared, and which differ in some column: some of the first 64, or none.
  private func difference(
    _ open: inout [OpenColumn], _ row: Int, _ run: AlignedRun, atMost window: Int
  ) throws(DSVError) -> (count: Int, differing: UInt64) {
    var end = min(run.endA, row + window)
    for index in open.indices {
      while open[index].next < open[index].runs.count, open[index].runs[open[index].next].endA <= row {
        open[index].next += 1
      }
      open[index].differing = 0
      open[index].isOpen = false
      guard open[index].next < open[index].runs.count else { continue }
      let own = open[index].runs[open[index].next]
      open[index].isOpen = own.startA <= row
      end = min(end, own.startA <= row ? own.endA : own.startA)
      if !open[index].isOpen { continue }
      let column = open[index].column
      end = min(
        end, try cellsA[column].load(at: row), try cellsB[column].load(at: row + run.delta) - run.delta)
    }
    var differing: UInt64 = 0
    if end - row > 64 {
      let areEqual = open.allSatisfy { column in
        !column.isOpen || areAllEqual(column.column, row, row + run.delta, count: end - row)
      }
      if areEqual { return (end - row, 0) }
      end = row + 64
    }
    for index in open.indices where open[index].isOpen {
      open[index].differing = try difference(open[index].column, row, row + run.delta, count: end - row)
      differing |= open[index].differing
    }
    return (end - row, differing)
  }

  private func areAllEqual(_ column: Int, _ rowA: Int, _ rowB: Int, count: Int) -> Bool {
    isAlike[column] && cellsAreAllEqual(cellsA[column], rowA, cellsB[column], rowB, count: count)
  }

  private func difference(_ column: Int, _ rowA: Int, _ rowB: Int, count: Int) throws(DSVError) -> UInt64 {
    let (cellA, cellB) = (cellsA[column], cellsB[column])
    if isAlike[column] { return try differingCells(cellA, rowA, cellB, rowB, count: count) }
    var differing: UInt64 = 0
    for offset in 0..<count where try text(cellA, rowA + offset) != text(cellB, rowB + offset) {
      differing |= 1 << UInt64(offset)
    }
    return differing
  }

  /// Reports the rows that differ and are live on both sides; those that are not the same row become loose.
  private func settle(
    _ open: [OpenColumn], _ rowA: Int, _ rowB: Int, _ differing: UInt64, _ count: Int, isInPlace: Bool
  ) throws(DSVError) {
    var others: UInt64 = 0
    if isInPlace {
      for column in open where identity.contains(column.column) { others |= column.differing }
    }
    var bits = differing
    var columns: [Int] = []
    while bits != 0 {
      let offset = bits.trailingZeroBitCount
      bits &= bits - 1
      let (x, y) = (rowA + offset, rowB + offset)
      var one = 1
      guard try liveA.mask(at: x, count: &one) == 1, try liveB.mask(at: y, count: &one) == 1 else { continue }
      if others >> UInt64(offset) & 1 == 1 {
        looseA.insert(x)
        looseB.insert(y)
        continue
      }
      counts.changed += 1
      changed.insert(x)
      columns.removeAll(keepingCapacity: true)
      for column in open where column.differing >> UInt64(offset) & 1 == 1 { columns.append(column.column) }
      counts.cells += columns.count
      try visit?(.changed(rowA: x, rowB: y, columns: columns))
    }
  }
}
