import DSVColumns
import DSVFormat

/// Rows of one version that stand together in another.
struct AlignedRun: Equatable {
  var startA: Int
  var startB: Int
  var count: Int
  var endA: Int { startA + count }
  var endB: Int { startB + count }
  var delta: Int { startB - startA }
  var rowsA: Range<Int> { startA..<endA }
  var rowsB: Range<Int> { startB..<endB }
}

extension [AlignedRun] {
  /// Appends, or makes the last one longer where the new one goes on from it.
  mutating func join(_ run: AlignedRun) {
    if let last, last.endA == run.startA, last.delta == run.delta {
      self[count - 1].count += run.count
    } else {
      append(run)
    }
  }
}

/// A chunk or node of a column, and where in the column it is.
struct TreePlace {
  let entry: TreeEntry
  let startRow: Int
  /// How many nulls stand before it.
  let startNull: Int
  var endRow: Int { startRow + entry.rowCount }

  init(_ id: ColumnID, _ root: ColumnRoot) { (entry, startRow, startNull) = (root.entry(id), 0, 0) }

  private init(_ entry: TreeEntry, _ startRow: Int, _ startNull: Int) {
    (self.entry, self.startRow, self.startNull) = (entry, startRow, startNull)
  }

  /// The children of nodes of one level.
  static func children(
    of places: [TreePlace], level: Int, _ reader: ObjectReader
  ) throws(DSVError) -> [TreePlace] {
    var result: [TreePlace] = []
    for place in places {
      var (row, null) = (place.startRow, place.startNull)
      for child in try reader.node(place.entry, level: level).children {
        result.append(TreePlace(child, row, null))
        row += child.rowCount
        null += child.nullCount
      }
    }
    return result
  }
}

/// Which rows of two columns are equal because they lie in the same chunks, wherever these stand.
///
/// Walks both trees level by level and never looks below nodes that both have, so the cost follows the change.
struct ColumnAlignment {
  /// In the order of A. Neighbours with equal shifts are joined.
  private(set) var runs: [AlignedRun] = []

  init(_ a: ColumnRoot, _ b: ColumnRoot, reader: ObjectReader) throws(DSVError) {
    if a == b {
      if a.rowCount > 0 { runs = [AlignedRun(startA: 0, startB: 0, count: a.rowCount)] }
      return
    }
    guard case .object(let idA, let levelA) = a.place, case .object(let idB, let levelB) = b.place else {
      return
    }
    var (placesA, placesB): ([TreePlace], [TreePlace]) = ([], [])
    for level in (0...max(levelA, levelB)).reversed() {
      if level == levelA { placesA = [TreePlace(idA, a)] }
      if level == levelB { placesB = [TreePlace(idB, b)] }
      match(&placesA, &placesB)
      if level > 0 {
        placesA = try TreePlace.children(of: placesA, level: level, reader)
        placesB = try TreePlace.children(of: placesB, level: level, reader)
      }
    }
    runs.sort { $0.startA < $1.startA }
    var joined: [AlignedRun] = []
    for run in runs { joined.join(run) }
    runs = joined
  }

  /// Takes out of both lists what both have: from the front and from the back as far as they agree, so that chunks
  /// that a column has many times stay where they are; then first with first.
  private mutating func match(_ a: inout [TreePlace], _ b: inout [TreePlace]) {
    var (start, endA, endB) = (0, a.count, b.count)
    while start < min(endA, endB), a[start].entry.id == b[start].entry.id {
      align(a[start], b[start])
      start += 1
    }
    while min(endA, endB) > start, a[endA - 1].entry.id == b[endB - 1].entry.id {
      (endA, endB) = (endA - 1, endB - 1)
      align(a[endA], b[endB])
    }
    let (middleA, middleB) = (a[start..<endA], b[start..<endB])
    var inB: [ColumnID: [Int]] = [:]
    for index in middleB.indices.reversed() { inB[b[index].entry.id, default: []].append(index) }
    var matchedB = Set<Int>()
    a = middleA.filter { place in
      guard let index = inB[place.entry.id]?.popLast() else { return true }
      matchedB.insert(index)
      align(place, middleB[index])
      return false
    }
    b = middleB.indices.filter { !matchedB.contains($0) }.map { middleB[$0] }
  }

  private mutating func align(_ a: TreePlace, _ b: TreePlace) {
    runs.append(AlignedRun(startA: a.startRow, startB: b.startRow, count: a.entry.rowCount))
  }

  /// The rows before `rowCount` that no range covers.
  static func gaps(_ covered: [Range<Int>], _ rowCount: Int) -> [Range<Int>] {
    var gaps: [Range<Int>] = []
    var row = 0
    for range in covered.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if range.lowerBound > row { gaps.append(row..<range.lowerBound) }
      row = max(row, range.upperBound)
    }
    if row < rowCount { gaps.append(row..<rowCount) }
    return gaps
  }
}
