import DSVColumns
import DSVFormat
import DSVTables

/// Which rows of two versions stand together, as one column tells it: first by the IDs of its chunks, then, in the
/// chunks that are not shared, by their values.
///
/// What it finds are rows with equal values of that column in an order that both versions have; of chunks that have
/// moved also rows in another order. What it does not find is left to matching by hashes.
struct SpineAlignment {
  /// In the order of A; no row is in two.
  private(set) var runs: [AlignedRun] = []
  private let a: FieldCursor
  private let b: FieldCursor
  private let poll: () throws(DSVError) -> Void

  /// How far ahead the place is looked for where two versions agree again.
  private static let lookahead = 24

  /// - Parameter poll: called every few thousand rows.
  init(
    _ a: FieldCursor, _ b: FieldCursor, reader: ObjectReader, poll: @escaping () throws(DSVError) -> Void
  ) throws(DSVError) {
    (self.a, self.b, self.poll) = (a, b, poll)
    let shared = try ColumnAlignment(a.field.values, b.field.values, reader: reader).runs
    var found = shared
    let end = AlignedRun(startA: a.field.values.rowCount, startB: b.field.values.rowCount, count: 0)
    let bounds = [AlignedRun(startA: 0, startB: 0, count: 0)] + shared + [end]
    let order = bounds.indices.sorted {
      (bounds[$0].startB, bounds[$0].endB, $0) < (bounds[$1].startB, bounds[$1].endB, $1)
    }
    var rank = [Int](repeating: 0, count: bounds.count)
    for (position, index) in order.enumerated() { rank[index] = position }
    for index in bounds.indices.dropLast() where rank[index + 1] == rank[index] + 1 {
      let (before, after) = (bounds[index], bounds[index + 1])
      try align(before.endA..<after.startA, before.endB..<after.startB, into: &found)
    }
    found.sort { $0.startA < $1.startA }
    for run in found { runs.join(run) }
  }

  /// Aligns stretches of rows between chunks that are shared.
  private func align(_ rowsA: Range<Int>, _ rowsB: Range<Int>, into found: inout [AlignedRun])
    throws(DSVError)
  {
    var (rowA, rowB, endA, endB) = (rowsA.lowerBound, rowsB.lowerBound, rowsA.upperBound, rowsB.upperBound)
    while rowA < endA, rowB < endB {
      let count = try equalCount(rowA, rowB, max: min(endA - rowA, endB - rowB))
      if count > 0 { found.append(AlignedRun(startA: rowA, startB: rowB, count: count)) }
      (rowA, rowB) = (rowA + count, rowB + count)
      guard rowA < endA, rowB < endB, let next = try nextAgreement(rowA..<endA, rowB..<endB) else { break }
      (rowA, rowB) = next
    }
    while rowA < endA, rowB < endB {
      let count = min(64, endA - rowA, endB - rowB)
      let equal = try equalCountBackwards(endA, endB, max: count)
      (endA, endB) = (endA - equal, endB - equal)
      if equal > 0 { found.append(AlignedRun(startA: endA, startB: endB, count: equal)) }
      if equal < count { break }
    }
  }

  /// How many rows agree from these on.
  private func equalCount(_ rowA: Int, _ rowB: Int, max: Int) throws(DSVError) -> Int {
    var done = 0
    while done < max {
      if done & 0xfff == 0 { try poll() }
      let (x, y) = (rowA + done, rowB + done)
      let count = min(64, max - done, try a.load(at: x) - x, try b.load(at: y) - y)
      let differing = try differingCells(a, x, b, y, count: count)
      if differing != 0 { return done + differing.trailingZeroBitCount }
      done += count
    }
    return done
  }

  /// How many rows agree before these.
  private func equalCountBackwards(_ endA: Int, _ endB: Int, max: Int) throws(DSVError) -> Int {
    var count = 0
    while count < max, try isEqual(endA - count - 1, endB - count - 1) { count += 1 }
    return count
  }

  private func isEqual(_ rowA: Int, _ rowB: Int) throws(DSVError) -> Bool {
    _ = try (a.load(at: rowA), b.load(at: rowB))
    return try cellsAreEqual(a, rowA, b, rowB)
  }

  /// Where two versions agree again behind a row in which they do not: the nearest place, in two rows if there are
  /// two. `nil` if there is none near.
  private func nextAgreement(_ rowsA: Range<Int>, _ rowsB: Range<Int>) throws(DSVError) -> (Int, Int)? {
    let (rowA, rowB) = (rowsA.lowerBound, rowsB.lowerBound)
    func agrees(_ x: Int, _ y: Int) throws(DSVError) -> Bool {
      guard x < rowsA.upperBound, y < rowsB.upperBound, try isEqual(x, y) else { return false }
      if x + 1 == rowsA.upperBound || y + 1 == rowsB.upperBound { return true }
      return try isEqual(x + 1, y + 1)
    }
    for distance in 1...Self.lookahead {
      if try agrees(rowA + distance, rowB + distance) { return (rowA + distance, rowB + distance) }
      if try agrees(rowA, rowB + distance) { return (rowA, rowB + distance) }
      if try agrees(rowA + distance, rowB) { return (rowA + distance, rowB) }
    }
    return nil
  }
}
