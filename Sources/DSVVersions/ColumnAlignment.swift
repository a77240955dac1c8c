import DSVColumns
import DSVFormat

/// Rows of one column that are equal to as many rows of another.
struct AlignedRun: Equatable {
  var startA: Int
  var startB: Int
  var count: Int
  var endA: Int { startA + count }
  var delta: Int { startB - startA }
}

/// Which rows of two columns are equal because they lie in the same chunks.
///
/// Walks both trees level by level and never looks below nodes that both have, so the cost follows the change.
struct ColumnAlignment {
  /// In the order of A. Neighbours with equal shifts are joined.
  private(set) var runs: [AlignedRun] = []

  private struct Place {
    let entry: TreeEntry
    let startRow: Int
  }

  init(_ a: ColumnRoot, _ b: ColumnRoot, reader: ObjectReader) throws(DSVError) {
    if a == b {
      if a.rowCount > 0 { runs = [AlignedRun(startA: 0, startB: 0, count: a.rowCount)] }
      return
    }
    guard case .object(let idA, let levelA) = a.place, case .object(let idB, let levelB) = b.place else {
      return
    }
    var (placesA, placesB): ([Place], [Place]) = ([], [])
    for level in (0...max(levelA, levelB)).reversed() {
      if level == levelA { placesA = [Self.place(idA, a)] }
      if level == levelB { placesB = [Self.place(idB, b)] }
      match(&placesA, &placesB)
      if level > 0 {
        placesA = try Self.children(of: placesA, level: level, reader)
        placesB = try Self.children(of: placesB, level: level, reader)
      }
    }
    runs.sort { $0.startA < $1.startA }
    var joined: [AlignedRun] = []
    for run in runs {
      if let last = joined.last, last.endA == run.startA, last.delta == run.delta {
        joined[joined.count - 1].count += run.count
      } else {
        joined.append(run)
      }
    }
    runs = joined
  }

  private static func place(_ id: ColumnID, _ root: ColumnRoot) -> Place {
    Place(entry: root.entry(id), startRow: 0)
  }

  /// Takes out of both lists what both have, first with first.
  private mutating func match(_ a: inout [Place], _ b: inout [Place]) {
    var inB: [ColumnID: [Int]] = [:]
    for index in b.indices.reversed() { inB[b[index].entry.id, default: []].append(index) }
    var matchedB = Set<Int>()
    a.removeAll { place in
      guard let index = inB[place.entry.id]?.popLast() else { return false }
      matchedB.insert(index)
      runs.append(
        AlignedRun(startA: place.startRow, startB: b[index].startRow, count: place.entry.rowCount))
      return true
    }
    b = b.indices.filter { !matchedB.contains($0) }.map { b[$0] }
  }

  private static func children(
    of places: [Place], level: Int, _ reader: ObjectReader
  ) throws(DSVError) -> [Place] {
    var result: [Place] = []
    for place in places {
      var row = place.startRow
      for child in try reader.node(place.entry, level: level).children {
        result.append(Place(entry: child, startRow: row))
        row += child.rowCount
      }
    }
    return result
  }

  /// The rows of A that are in no run.
  func unalignedA(rowCount: Int) -> [Range<Int>] { Self.gaps(runs.map { $0.startA..<$0.endA }, rowCount) }

  /// The rows of B that are in no run.
  func unalignedB(rowCount: Int) -> [Range<Int>] {
    Self.gaps(
      runs.map { $0.startB..<$0.startB + $0.count }.sorted { $0.lowerBound < $1.lowerBound }, rowCount)
  }

  static func gaps(_ covered: [Range<Int>], _ rowCount: Int) -> [Range<Int>] {
    var gaps: [Range<Int>] = []
    var row = 0
    for range in covered {
      if range.lowerBound > row { gaps.append(row..<range.lowerBound) }
      row = max(row, range.upperBound)
    }
    if row < rowCount { gaps.append(row..<rowCount) }
    return gaps
  }

  /// The rows of A, of those in another column's runs, that this column does not show to be equal under the same shift.
  func unverified(under spineRuns: [AlignedRun]) -> [AlignedRun] {
    var result: [AlignedRun] = []
    var next = 0
    for run in spineRuns {
      var row = run.startA
      while next < runs.count, runs[next].endA <= row { next += 1 }
      var index = next
      while row < run.endA {
        while index < runs.count, runs[index].endA <= row || runs[index].delta != run.delta {
          if runs[index].startA >= run.endA { break }
          index += 1
        }
        let hasRun = index < runs.count && runs[index].startA < run.endA
        let start = hasRun ? max(row, runs[index].startA) : run.endA
        if start > row { result.append(AlignedRun(startA: row, startB: row + run.delta, count: start - row)) }
        row = hasRun ? min(run.endA, runs[index].endA) : run.endA
      }
    }
    return result
  }
}
