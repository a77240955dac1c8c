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
  /// Many rows are gone through several times, each time those whose hashes have another remainder; then once more for
  /// each hash that too many have to be held.
  func matchLoose() throws(DSVError) {
    var (matchedA, matchedB) = (RowSet(), RowSet())
    func take(_ pairs: [AlignedRun]) throws(DSVError) {
      for pair in pairs {
        matchedA.insert(pair.startA)
        matchedB.insert(pair.startB)
      }
      try compareMatched(pairs)
    }
    if !looseA.isEmpty, !looseB.isEmpty {
      let most = max(looseA.count, looseB.count)
      let passCount = (most + matchedAtOnce - 1) / matchedAtOnce
      for pass in 0..<passCount {
        var frequent = Set<CellHash>()
        var inA = try hashed(looseA, cellsA, pass, of: passCount, without: &frequent)
        let inB = try hashed(looseB, cellsB, pass, of: passCount, without: &frequent)
        if !frequent.isEmpty { inA.removeAll { frequent.contains($0.hash) } }
        try take(Self.pairs(inA, inB))
        for hash in frequent.sorted() { try forEachPair(of: hash, take) }
      }
    }
    try reportLoose(matchedA: matchedA, matchedB: matchedB)
  }

  /// Calls `body` with the pairs of rows that have one hash, some at a time.
  private func forEachPair(
    of hash: CellHash, _ body: ([AlignedRun]) throws(DSVError) -> Void
  ) throws(DSVError) {
    var (rowsA, rowsB) = (looseA.makeIterator(), looseB.makeIterator())
    var pairs: [AlignedRun] = []
    while let rowA = try next(&rowsA, cellsA, hash), let rowB = try next(&rowsB, cellsB, hash) {
      pairs.append(AlignedRun(startA: rowA, startB: rowB, count: 1))
      guard pairs.count == matchedAtOnce else { continue }
      try body(pairs)
      pairs.removeAll(keepingCapacity: true)
    }
    try body(pairs)
  }

  private func next(
    _ rows: inout RowSet.Iterator, _ cells: [FieldCursor], _ wanted: CellHash
  ) throws(DSVError) -> Int? {
    while let row = rows.next() {
      if row & 0xfff == 0 { try poll() }
      if try hash(cells, row) == wanted { return row }
    }
    return nil
  }

  /// The loose rows of one side in the order of their hashes.
  ///
  /// - Parameter frequent: hashes whose rows are left out; gets those that so many rows have that they are not to be held.
  private func hashed(
    _ rows: RowSet, _ cells: [FieldCursor], _ pass: Int, of passCount: Int,
    without frequent: inout Set<CellHash>
  ) throws(DSVError) -> [HashedRow] {
    var result: [HashedRow] = []
    result.reserveCapacity(rows.count / passCount + 1)
    var seen = 0
    var countMax = 2 * matchedAtOnce
    try rows.forEachRow { (row) throws(DSVError) in
      if seen & 0xfff == 0 { try poll() }
      seen += 1
      let hash = try self.hash(cells, row)
      guard passCount == 1 || Int(hash.low % UInt64(passCount)) == pass, !frequent.contains(hash) else {
        return
      }
      result.append(HashedRow(hash: hash, row: row))
      guard result.count >= countMax else { return }
      // Hashes spread evenly over the passes, so that these are many only where many are equal.
      result.sort()
      let (most, count) = Self.mostFrequent(result)
      if count >= matchedAtOnce / 4 {
        frequent.insert(most)
        result.removeAll { $0.hash == most }
      } else {
        countMax *= 2
      }
    }
    result.sort()
    return result
  }

  /// The hash that most rows have, and how many; `rows` are in order, and there are some.
  private static func mostFrequent(_ rows: [HashedRow]) -> (CellHash, Int) {
    var best = (hash: rows[0].hash, count: 0)
    var start = 0
    for index in rows.indices {
      if rows[index].hash != rows[start].hash { start = index }
      if index - start + 1 > best.count { best = (rows[index].hash, index - start + 1) }
    }
    return best
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
