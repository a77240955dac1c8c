extension ExpressionEvaluator {
  func evaluateText(_ index: Int) {
    switch nodes[index] {
    case .isInTexts(let a, let values): isIn(index, a, values)
    case .search(.contains, let a, let b) where vectors[b].mask == 0 && vectors[a].offsets != nil:
      contains(index, a, TextRows(vectors[b])[0])
    case .search(let search, let a, let b): self.search(index, search, a, b)
    case .like(let a, let pattern):
      let rows = TextRows(vectors[a])
      testKnown(index, a, a) { pattern.matches(rows[$0]) }
    case .length(let a):
      let rows = TextRows(vectors[a])
      measure(index, a) { scalarCount(rows[$0]) }
    case .byteLength(let a):
      let rows = TextRows(vectors[a])
      measure(index, a) { rows[$0].count }
    case .map(.trim, let a):
      let rows = TextRows(vectors[a])
      slice(index, vectors[a].known, nil) { trimmed(rows[$0]) }
    case .map(let map, let a): mapCase(index, a, isUpper: map == .upper)
    case .coalesce(let a, let b):
      let (first, second, known) = (TextRows(vectors[a]), TextRows(vectors[b]), vectors[a].known)
      slice(index, known, vectors[b].known) {
        known[$0 >> 6] >> UInt64($0 & 63) & 1 == 1 ? first[$0] : second[$0]
      }
    default: preconditionFailure("no such node over texts")
    }
  }

  // MARK: Conditions

  func compareText(_ index: Int, _ comparison: Expression.Comparison, _ a: Int, _ b: Int) {
    let (left, right) = (TextRows(vectors[a]), TextRows(vectors[b]))
    switch comparison {
    case .equal: testKnown(index, a, b) { areEqual(left[$0], right[$0]) }
    case .notEqual: testKnown(index, a, b) { !areEqual(left[$0], right[$0]) }
    default: testKnown(index, a, b) { comparison.holds(order(left[$0], right[$0])) }
    }
  }

  private func search(_ index: Int, _ search: Search, _ a: Int, _ b: Int) {
    let (rows, sought) = (TextRows(vectors[a]), TextRows(vectors[b]))
    switch search {
    case .startsWith: testKnown(index, a, b) { hasPrefix(rows[$0], sought[$0]) }
    case .endsWith: testKnown(index, a, b) { hasSuffix(rows[$0], sought[$0]) }
    case .contains:
      if vectors[b].mask == 0 {
        let needle = Needle(sought[0])
        testKnown(index, a, b) { needle.first(in: rows[$0]) != nil }
      } else {
        testKnown(index, a, b) { Needle(sought[$0]).first(in: rows[$0]) != nil }
      }
    }
  }

  /// Searches the texts of a column all at once: what is found across the end of a row is passed over.
  private func contains(_ index: Int, _ a: Int, _ sought: TextSlice) {
    let (known, result) = (vectors[a].known, vectors[index])
    guard !sought.isEmpty, rowCount > 0 else {
      for word in 0..<words { (result.truth[word], result.falsity[word]) = (known[word], 0) }
      return
    }
    for word in 0..<words { result.truth[word] = 0 }
    let offsets = vectors[a].offsets.unsafelyUnwrapped
    let data = vectors[a].base.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self)
    let needle = Needle(sought)
    let end = Int(offsets[rowCount])
    var position = Int(offsets[0])
    var row = 0
    while let found = needle.first(in: TextSlice(start: data + position, count: end - position)) {
      let start = position + found
      while Int(offsets[row + 1]) <= start { row += 1 }
      if start + sought.count <= Int(offsets[row + 1]) {
        result.truth[row >> 6] |= 1 << UInt64(row & 63)
        position = Int(offsets[row + 1])
      } else {
        position = start + 1
      }
    }
    for word in 0..<words {
      result.truth[word] &= known[word]
      result.falsity[word] = known[word] & ~result.truth[word]
    }
  }

  private func isIn(_ index: Int, _ a: Int, _ values: [Bytes]) {
    let rows = TextRows(vectors[a])
    testKnown(index, a, a) { row in
      var (low, high) = (0, values.count)
      while low < high {
        let middle = (low + high) / 2
        let order = values[middle].bytes.withUnsafeBufferPointer { DSVExpression.order($0, rows[row]) }
        if order == .same { return true }
        if order == .before { low = middle + 1 } else { high = middle }
      }
      return false
    }
  }

  // MARK: Values

  @inline(__always)
  private func measure(_ index: Int, _ a: Int, _ body: (Int) -> Int) {
    let (known, result) = (vectors[a].known, vectors[index])
    let target = result.storage.unsafelyUnwrapped.assumingMemoryBound(to: Int64.self)
    for word in 0..<words {
      var rest = known[word]
      result.known[word] = rest
      while rest != 0 {
        let row = word << 6 + rest.trailingZeroBitCount
        target[row] = Int64(body(row))
        rest &= rest - 1
      }
    }
  }

  /// Makes a slice for each row in either of two bitmaps.
  @inline(__always)
  private func slice(
    _ index: Int, _ known: UnsafeMutablePointer<UInt64>, _ alsoKnown: UnsafeMutablePointer<UInt64>?,
    _ body: (Int) -> TextSlice
  ) {
    let result = vectors[index]
    let target = result.storage.unsafelyUnwrapped.assumingMemoryBound(to: TextSlice.self)
    for word in 0..<words {
      var rest = known[word] | (alsoKnown?[word] ?? 0)
      result.known[word] = rest
      while rest != 0 {
        let row = word << 6 + rest.trailingZeroBitCount
        target[row] = body(row)
        rest &= rest - 1
      }
    }
  }

  /// Writes the mapped texts one after another, and points to them once their memory moves no more.
  private func mapCase(_ index: Int, _ a: Int, isUpper: Bool) {
    let rows = TextRows(vectors[a])
    let (known, result) = (vectors[a].known, vectors[index])
    mapped.removeAll(keepingCapacity: true)
    mappedEnds.removeAll(keepingCapacity: true)
    for row in 0..<rowCount {
      if known[row >> 6] >> UInt64(row & 63) & 1 == 1 {
        appendMapped(rows[row], isUpper: isUpper, to: &mapped)
      }
      mappedEnds.append(mapped.count)
    }
    for word in 0..<words { result.known[word] = known[word] }
    let arena = arena(index, copying: mapped)
    let target = result.storage.unsafelyUnwrapped.assumingMemoryBound(to: TextSlice.self)
    var start = 0
    for row in 0..<rowCount {
      target[row] = TextSlice(start: arena + start, count: mappedEnds[row] - start)
      start = mappedEnds[row]
    }
  }
}
