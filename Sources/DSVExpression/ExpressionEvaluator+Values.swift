extension ExpressionEvaluator {
  func evaluateValues(_ index: Int) {
    switch nodes[index] {
    case .compare(let comparison, let a, let b): compare(index, comparison, a, b)
    case .compareMixed(let comparison, let a, let left, let b, let right):
      compareMixed(index, comparison, a, left, b, right)
    case .isInIntegers(let a, let values): isIn(index, a, values)
    case .toDouble(let a): toDouble(index, a)
    case .toInt64(let a):
      let lane = vectors[a].lane(UInt64.self)
      compute(index, a, a) { Int64(exactly: lane[$0]) }
    case .arithmetic(let operation, let a, let b): arithmetic(index, operation, a, b)
    case .abs(let a): abs(index, a)
    case .coalesce(let a, let b) where kinds[index] != .text: coalesce(index, a, b)
    default: evaluateText(index)
    }
  }

  // MARK: Kernels

  /// Answers `test` for each row where `a` and `b` have values.
  ///
  /// `test` is called for every row of the batch, so that the loop has no branches.
  @inline(__always)
  func test(_ index: Int, _ a: Int, _ b: Int, _ test: (Int) -> Bool) {
    let (left, right, result) = (vectors[a].known, vectors[b].known, vectors[index])
    let (truth, falsity) = (result.truth, result.falsity)
    let whole = rowCount / 64
    for word in 0..<words {
      var bits: UInt64 = 0
      if word < whole {
        // A constant count lets the compiler unroll.
        for bit in 0..<64 { bits |= (test(word &* 64 &+ bit) ? 1 : 0) &<< UInt64(truncatingIfNeeded: bit) }
      } else {
        for bit in 0..<rowCount - word * 64 {
          bits |= (test(word &* 64 &+ bit) ? 1 : 0) &<< UInt64(truncatingIfNeeded: bit)
        }
      }
      let known = left[word] & right[word]
      truth[word] = bits & known
      falsity[word] = ~bits & known
    }
  }

  /// Answers `test` for each row where `a` and `b` have values, and calls it for those only.
  @inline(__always)
  func testKnown(_ index: Int, _ a: Int, _ b: Int, _ test: (Int) -> Bool) {
    let (left, right, result) = (vectors[a].known, vectors[b].known, vectors[index])
    for word in 0..<words {
      let known = left[word] & right[word]
      var rest = known
      var bits: UInt64 = 0
      while rest != 0 {
        let bit = rest.trailingZeroBitCount
        if test(word << 6 + bit) { bits |= 1 << UInt64(bit) }
        rest &= rest - 1
      }
      result.truth[word] = bits
      result.falsity[word] = known & ~bits
    }
  }

  /// Computes a number for each row where `a` and `b` have values; nil makes the row null.
  @inline(__always)
  private func compute<T>(_ index: Int, _ a: Int, _ b: Int, _ body: (Int) -> T?) {
    let (left, right, result) = (vectors[a].known, vectors[b].known, vectors[index])
    let target = result.storage.unsafelyUnwrapped.assumingMemoryBound(to: T.self)
    for word in 0..<words {
      let known = left[word] & right[word]
      var bits: UInt64 = 0
      for row in word * 64..<min(rowCount, word * 64 + 64) {
        if let value = body(row) {
          target[row] = value
          bits |= 1 << UInt64(row & 63)
        }
      }
      result.known[word] = bits & known
    }
  }

  // MARK: Comparison

  private func compare(_ index: Int, _ comparison: Expression.Comparison, _ a: Int, _ b: Int) {
    switch kinds[a] {
    case .int64: compare(index, comparison, a, b, Int64.self)
    case .uint64: compare(index, comparison, a, b, UInt64.self)
    case .double: compare(index, comparison, a, b, Double.self)
    case .text: compareText(index, comparison, a, b)
    case .truth: preconditionFailure("conditions have no order")
    }
  }

  private func compare<T: Comparable>(
    _ index: Int, _ comparison: Expression.Comparison, _ a: Int, _ b: Int, _: T.Type
  ) {
    if vectors[b].mask == 0, vectors[a].mask != 0 {
      let (left, constant) = (vectors[a].lane(T.self).base, vectors[b].lane(T.self)[0])
      switch comparison {
      case .equal: test(index, a, b) { left[$0] == constant }
      case .notEqual: test(index, a, b) { left[$0] != constant }
      case .less: test(index, a, b) { left[$0] < constant }
      case .lessOrEqual: test(index, a, b) { left[$0] <= constant }
      case .greater: test(index, a, b) { left[$0] > constant }
      case .greaterOrEqual: test(index, a, b) { left[$0] >= constant }
      }
      return
    }
    let (left, right) = (vectors[a].lane(T.self), vectors[b].lane(T.self))
    switch comparison {
    case .equal: test(index, a, b) { left[$0] == right[$0] }
    case .notEqual: test(index, a, b) { left[$0] != right[$0] }
    case .less: test(index, a, b) { left[$0] < right[$0] }
    case .lessOrEqual: test(index, a, b) { left[$0] <= right[$0] }
    case .greater: test(index, a, b) { left[$0] > right[$0] }
    case .greaterOrEqual: test(index, a, b) { left[$0] >= right[$0] }
    }
  }

  private func compareMixed(
    _ index: Int, _ comparison: Expression.Comparison, _ a: Int, _ left: Int64, _ b: Int, _ right: Int64
  ) {
    if kinds[a] == .double {
      return compareMixed(index, comparison.flipped, b, right, a, left)
    }
    func integer(_ vector: Vector, _ kind: Node.Kind, _ factor: Int64) -> (Int) -> Int128 {
      if kind == .uint64 {
        let lane = vector.lane(UInt64.self)
        return { Int128(lane[$0]) }
      }
      let lane = vector.lane(Int64.self)
      return { Int128(lane[$0]) * Int128(factor) }
    }
    let integers = integer(vectors[a], kinds[a], left)
    if kinds[b] == .double {
      let doubles = vectors[b].lane(Double.self)
      testKnown(index, a, b) { comparison.holds(Order(integers($0), doubles[$0])) }
    } else {
      let others = integer(vectors[b], kinds[b], right)
      testKnown(index, a, b) { comparison.holds(Order(integers($0), others($0))) }
    }
  }

  private func isIn(_ index: Int, _ a: Int, _ values: [Int64]) {
    let lane = vectors[a].lane(Int64.self)
    values.withUnsafeBufferPointer { values in
      guard values.count > 8 else {
        return test(index, a, a) { row in
          var found = false
          for value in values { found = found || value == lane[row] }
          return found
        }
      }
      testKnown(index, a, a) { row in
        var (low, high) = (0, values.count)
        while low < high {
          let middle = (low + high) / 2
          if values[middle] < lane[row] { low = middle + 1 } else { high = middle }
        }
        return low < values.count && values[low] == lane[row]
      }
    }
  }

  // MARK: Numbers

  private func toDouble(_ index: Int, _ a: Int) {
    if kinds[a] == .uint64 {
      let lane = vectors[a].lane(UInt64.self)
      compute(index, a, a) { Double(lane[$0]) }
    } else {
      let lane = vectors[a].lane(Int64.self)
      compute(index, a, a) { Double(lane[$0]) }
    }
  }

  private func arithmetic(_ index: Int, _ operation: Expression.Arithmetic, _ a: Int, _ b: Int) {
    if kinds[index] == .int64 {
      let (left, right) = (vectors[a].lane(Int64.self), vectors[b].lane(Int64.self))
      compute(index, a, b) { apply(operation, left[$0], right[$0]) }
    } else {
      let (left, right) = (vectors[a].lane(Double.self), vectors[b].lane(Double.self))
      compute(index, a, b) { apply(operation, left[$0], right[$0]) }
    }
  }

  private func abs(_ index: Int, _ a: Int) {
    if kinds[a] == .double {
      let lane = vectors[a].lane(Double.self)
      compute(index, a, a) { Swift.abs(lane[$0]) }
    } else {
      let lane = vectors[a].lane(Int64.self)
      compute(index, a, a) { lane[$0] == .min ? nil : Swift.abs(lane[$0]) }
    }
  }

  /// The bits of one number or the other: its kind does not matter.
  private func coalesce(_ index: Int, _ a: Int, _ b: Int) {
    let (left, right, result) = (vectors[a], vectors[b], vectors[index])
    let (first, second) = (left.lane(UInt64.self), right.lane(UInt64.self))
    let target = result.storage.unsafelyUnwrapped.assumingMemoryBound(to: UInt64.self)
    for row in 0..<rowCount {
      target[row] = left.known[row >> 6] >> UInt64(row & 63) & 1 == 1 ? first[row] : second[row]
    }
    for word in 0..<words { result.known[word] = left.known[word] | right.known[word] }
  }
}
