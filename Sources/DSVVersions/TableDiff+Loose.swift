import DSVColumns
import DSVFormat
import DSVTables

/// How rows that the spine does not align find their match.
extension TableDiff {
  private struct HashedRow: Comparable {
    let hash: CellHash
    let row: Int

    static func < (a: Self, b: Self) -> Bool { a.hash == b.hash ? a.row < b.row : a.hash < b.hash }
  }

  /// Matches loose rows by what identifies them, first with first where several are alike, and reports the others.
  ///
  /// Many rows are gone through several times, each time those whose hashes have another remainder.
  func matchLoose() throws(DSVError) {
    var (matchedA, matchedB) = (RowSet(), RowSet())
    if !looseA.isEmpty, !looseB.isEmpty {
      let most = max(looseA.count, looseB.count)
      let passCount = (most + Self.matchedAtOnce - 1) / Self.matchedAtOnce
      for pass in 0..<passCount {
        let inA = try hashed(looseA, cellsA, pass, of: passCount)
        let inB = try hashed(looseB, cellsB, pass, of: passCount)
        let pairs = Self.pairs(inA, inB)
        for pair in pairs {
          matchedA.insert(pair.startA)
          matchedB.insert(pair.startB)
        }
        try compareMatched(pairs)
      }
    }
    try reportLoose(matchedA: matchedA, matchedB: matchedB)
  }

  /// The loose rows of one side in the order of their hashes.
  private func hashed(
    _ rows: RowSet, _ cells: [FieldCursor], _ pass: Int, of passCount: Int
  ) throws(DSVError) -> [HashedRow] {
    var result: [HashedRow] = []
    result.reserveCapacity(rows.count / passCount + 1)
    var seen = 0
    try rows.forEachRow { (row) throws(DSVError) in
      if seen & 0xfff == 0 { try poll() }
      seen += 1
      let hash = try hash(cells, row)
      if passCount == 1 || Int(hash.low % UInt64(passCount)) == pass {
        result.append(HashedRow(hash: hash, row: row))
      }
    }
    result.sort()
    return result
  }

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

  /// Rows of equal hashes, as runs of one row each, in the order of A.
  private static func pairs(_ a: [HashedRow], _ b: [HashedRow]) -> [AlignedRun] {
    var pairs: [AlignedRun] = []
    var (i, j) = (0, 0)
    while i < a.count, j < b.count {
      if a[i].hash == b[j].hash {
        pairs.append(AlignedRun(startA: a[i].row, startB: b[j].row, count: 1))
        (i, j) = (i + 1, j + 1)
      } else if a[i].hash < b[j].hash {
        i += 1
      } else {
        j += 1
      }
    }
    pairs.sort { $0.startA < $1.startA }
    return pairs
  }

  private func compareMatched(_ pairs: [AlignedRun]) throws(DSVError) {
    var runs: [AlignedRun] = []
    for pair in pairs { runs.join(pair) }
    // A loose row is not counted among those that changed in place.
    let inPlace = changed
    changed = RowSet()
    try compare(runs, known: identity, isInPlace: false)
    for pair in pairs where !changed.contains(pair.startA) { matched.join(pair) }
    changed = inPlace
  }

  /// Reports the loose rows that have no match.
  func reportLoose(matchedA: RowSet, matchedB: RowSet) throws(DSVError) {
    counts.removed = looseA.count - matchedA.count
    counts.added = looseB.count - matchedB.count
    guard let visit else { return }
    try looseA.forEachRow(without: matchedA) { (row) throws(DSVError) in try visit(.removed(rowA: row)) }
    try looseB.forEachRow(without: matchedB) { (row) throws(DSVError) in try visit(.added(rowB: row)) }
  }
}
