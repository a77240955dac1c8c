import DSVColumns
import DSVFormat
import DSVTables

/// Which of the rows that are aligned a column does not show to be equal, by the IDs of its chunks.
///
/// Walks both trees at once, from the root: where rows that are aligned lie in the same node or chunk, nothing below
/// it is read. So the cost follows the change, also in a column that has the same chunk many times.
struct ColumnDifference {
  private let reader: ObjectReader
  /// Which slots without a value mean the same; `nil` where the kinds of absence decide it.
  private let absences: [AlignedRun]?
  private let absenceIsAlike: Bool
  private let a: ColumnRoot
  private let b: ColumnRoot

  init(_ a: TableField, _ b: TableField, reader: ObjectReader) throws(DSVError) {
    (self.a, self.b, self.reader) = (a.values, b.values, reader)
    if case .mixed(let rootA) = a.absence, case .mixed(let rootB) = b.absence {
      absences = try ColumnAlignment(rootA, rootB, reader: reader).runs
      absenceIsAlike = false
    } else {
      absences = nil
      absenceIsAlike = a.absence == b.absence
    }
  }

  /// For columns of which no slot is empty.
  init(_ a: ColumnRoot, _ b: ColumnRoot, reader: ObjectReader) {
    (self.a, self.b, self.reader) = (a, b, reader)
    (absences, absenceIsAlike) = (nil, true)
  }

  /// The parts of `runs` that have to be compared value by value.
  ///
  /// - Parameter runs: in the order of A, none overlapping another there.
  func unverified(under runs: [AlignedRun]) throws(DSVError) -> [AlignedRun] {
    if a == b, absenceIsAlike || a.nullCount == 0, runs.allSatisfy({ $0.delta == 0 }) { return [] }
    guard case .object(let idA, let levelA) = a.place, case .object(let idB, let levelB) = b.place else {
      return runs
    }
    var open = runs
    var (placesA, placesB): ([TreePlace], [TreePlace]) = ([], [])
    for level in (0...max(levelA, levelB)).reversed() {
      if level == levelA { placesA = [TreePlace(idA, a)] }
      if level == levelB { placesB = [TreePlace(idB, b)] }
      open = verify(open, placesA, placesB)
      if open.isEmpty { return [] }
      if level > 0 {
        placesA = try TreePlace.children(
          of: Self.places(placesA, holding: open.map(\.rowsA)), level: level, reader)
        placesB = try TreePlace.children(
          of: Self.places(placesB, holding: open.map(\.rowsB).sorted { $0.lowerBound < $1.lowerBound }),
          level: level, reader)
      }
    }
    return open
  }

  /// Takes out of `open` the rows that lie in a place that both have.
  private func verify(_ open: [AlignedRun], _ placesA: [TreePlace], _ placesB: [TreePlace]) -> [AlignedRun] {
    if placesA.isEmpty || placesB.isEmpty { return open }
    let inB = Dictionary(placesB.map { ($0.startRow, $0) }) { first, _ in first }
    var result: [AlignedRun] = []
    var first = 0
    for run in open {
      var row = run.startA
      while first < placesA.count, placesA[first].endRow <= row { first += 1 }
      var index = first
      while row < run.endA {
        let place = index < placesA.count ? placesA[index] : nil
        let end = min(run.endA, place?.endRow ?? run.endA)
        if let place, place.startRow <= row, let other = inB[place.startRow + run.delta], isSame(place, other)
        {
          row = end
        } else {
          result.join(AlignedRun(startA: row, startB: row + run.delta, count: end - row))
          row = end
        }
        index += 1
      }
    }
    return result
  }

  private func isSame(_ a: TreePlace, _ b: TreePlace) -> Bool {
    guard a.entry.id == b.entry.id, a.entry.rowCount == b.entry.rowCount else { return false }
    let nullCount = a.entry.nullCount
    if nullCount == 0 || absenceIsAlike { return nullCount == b.entry.nullCount }
    guard let absences else { return false }
    // The last run that begins at or before the first null.
    var (low, high) = (0, absences.count)
    while low < high {
      let middle = (low + high) / 2
      if absences[middle].startA > a.startNull { high = middle } else { low = middle + 1 }
    }
    guard low > 0 else { return false }
    let run = absences[low - 1]
    return run.delta == b.startNull - a.startNull && run.endA >= a.startNull + nullCount
  }

  /// Those of `places`, in order, that hold some of `rows`, in order.
  private static func places(_ places: [TreePlace], holding rows: [Range<Int>]) -> [TreePlace] {
    var next = 0
    return places.filter { place in
      while next < rows.count, rows[next].upperBound <= place.startRow { next += 1 }
      return next < rows.count && rows[next].lowerBound < place.endRow
    }
  }
}
