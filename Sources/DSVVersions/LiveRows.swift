import DSVColumns
import DSVFormat
import DSVTables

/// Which rows of a table are live, read from its selection, of which nothing is read that says that all are.
final class LiveRows {
  private let table: Table
  private let reader: ObjectReader
  private let cursor: ColumnCursor?
  private var slice: ColumnSlice?
  /// What `slice` holds, where it is looked at for each few rows: of rows `start..<end`.
  private var codes: UnsafeRawPointer?
  private var (start, end) = (0, 0)

  init(_ table: Table, reader: ObjectReader) {
    (self.table, self.reader) = (table, reader)
    cursor = table.selection.map { ColumnCursor($0, layout: .fixed(2), reader: reader, readAhead: 1) }
  }

  /// The live ones among the at most 64 rows from `row` on, as bits; `count` becomes less where a chunk ends.
  func mask(at row: Int, count: inout Int) throws(DSVError) -> UInt64 {
    let all: UInt64 = count == 64 ? .max : 1 << UInt64(count) - 1
    if cursor == nil { return all }
    if row < start || row >= end { try turn(to: row) }
    guard let codes = codes.map({ $0 + (row - start) * 2 }) else { return all }
    count = min(count, end - row)
    var mask: UInt64 = 0
    if count == 64 {
      // Nearly everywhere all are live.
      for word in 0..<16 { mask |= codes.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self) }
      if mask == 0 { return all }
      mask = 0
    }
    for bit in 0..<count {
      let code = codes.loadUnaligned(fromByteOffset: bit * 2, as: UInt16.self)
      mask |= (code == 0 ? 1 : 0) << UInt64(bit)
    }
    return mask
  }

  private func turn(to row: Int) throws(DSVError) {
    guard let slice = try cursor?.slice(at: row) else { return }
    self.slice = slice
    (codes, start, end) = (slice.array.values, slice.startRow, slice.endRow)
  }

  /// Calls `body` with the live rows among `rows`: 64 bits, and the row of the first.
  func forEachMask(
    in rows: Range<Int>, _ body: (UInt64, Int) throws(DSVError) -> Void
  ) throws(DSVError) {
    var row = rows.lowerBound
    while row < rows.upperBound {
      var count = min(64, rows.upperBound - row)
      let mask = try mask(at: row, count: &count)
      if mask != 0 { try body(mask, row) }
      row += count
    }
  }

  func insert(_ rows: Range<Int>, into set: inout RowSet) throws(DSVError) {
    if cursor == nil { return set.insert(rows) }
    var row = rows.lowerBound
    while row < rows.upperBound {
      var count = min(64, rows.upperBound - row)
      set.insert(try mask(at: row, count: &count), at: row)
      row += count
    }
  }

  func count(in rows: Range<Int>) throws(DSVError) -> Int {
    var count = rows.count
    for part in try partlyDropped(in: rows) {
      count -= part.count
      try forEachMask(in: part) { mask, _ in count += mask.nonzeroBitCount }
    }
    return count
  }

  /// The parts of `rows` of which statistics do not say that all are live.
  func partlyDropped(in rows: Range<Int>) throws(DSVError) -> [Range<Int>] {
    guard let selection = table.selection, !rows.isEmpty else { return [] }
    guard case .object = selection.place else { return [rows] }
    var walker = TreeWalker(selection, reader: reader)
    var parts: [Range<Int>] = []
    while let leaf = try walker.next(
      from: rows.lowerBound,
      where: { entry, start in start < rows.upperBound && !Self.saysAllLive(entry) })
    {
      parts.append(leaf.startRow..<leaf.endRow)
    }
    return parts.map { $0.clamped(to: rows) }
  }

  private static func saysAllLive(_ entry: TreeEntry) -> Bool {
    entry.bounds.map { BoundsOrder.unsigned($0.max) == 0 } ?? false
  }

  /// The parts of `runs`, in the order of A, in which a row may be live on one side only.
  static func differing(
    _ a: LiveRows, _ b: LiveRows, under runs: [AlignedRun], reader: ObjectReader
  ) throws(DSVError) -> [AlignedRun] {
    switch (a.table.selection, b.table.selection) {
    case (nil, nil): return []
    case (let rootA?, let rootB?):
      return try ColumnDifference(rootA, rootB, reader: reader).unverified(under: runs)
    case (_?, nil):
      return overlaps(runs, try a.partlyDropped(in: 0..<a.table.rowCount), \.rowsA)
    case (nil, _?):
      let parts = try b.partlyDropped(in: 0..<b.table.rowCount)
      return overlaps(runs.sorted { $0.startB < $1.startB }, parts, \.rowsB)
        .sorted { $0.startA < $1.startA }
    }
  }

  /// What `runs` and `parts` have in common, both in the order of the rows that `rows` gives.
  private static func overlaps(
    _ runs: [AlignedRun], _ parts: [Range<Int>], _ rows: (AlignedRun) -> Range<Int>
  ) -> [AlignedRun] {
    var result: [AlignedRun] = []
    var first = 0
    for run in runs {
      while first < parts.count, parts[first].upperBound <= rows(run).lowerBound { first += 1 }
      var index = first
      while index < parts.count, parts[index].lowerBound < rows(run).upperBound {
        let part = parts[index].clamped(to: rows(run))
        let skipped = part.lowerBound - rows(run).lowerBound
        result.append(
          AlignedRun(startA: run.startA + skipped, startB: run.startB + skipped, count: part.count))
        index += 1
      }
    }
    return result
  }
}
