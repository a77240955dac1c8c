extension ChunkCutter {
  /// Goes on after an array of values: what decides is their size, and the last 64 bytes of them.
  ///
  /// - Returns: whether the chunk ends after them.
  mutating func resume(after array: ArrayView, seed: UInt64) -> Bool {
    // Values smaller than the least are all of one size, so that it can be applied to the sum.
    let bitCount = max(array.bitCount, array.count * Self.valueBitCountMin)
    return resume(bitCount: bitCount, valueCount: array.count, last: Self.lastValues(array, seed))
  }

  /// The size and hash of the last values that have 64 bytes together, or of all.
  private static func lastValues(_ array: ArrayView, _ seed: UInt64) -> [(bitCount: Int, hash: UInt64)] {
    let builder = ArrayBuilder(array.layout)
    // Most often one long value, or eight numbers; 64 values have 64 bytes, as none counts for less than one.
    for count in [1, 9, 64] {
      builder.removeAll()
      var values: [(bitCount: Int, hash: UInt64)] = []
      var byteCount = 0
      for index in max(0, array.count - count)..<array.count {
        builder.append(from: array, index)
        values.append(builder.measure(from: builder.count - 1, seed: seed))
        byteCount += max(values[values.count - 1].bitCount, valueBitCountMin) >> 3
      }
      if byteCount >= 64 || count >= array.count { return values }
    }
    preconditionFailure("64 values have 64 bytes")
  }
}

extension ArrayView {
  /// The values' size in bits, as ``ArrayBuilder/measure(from:seed:)`` counts it.
  fileprivate var bitCount: Int {
    switch layout {
    case .none: count
    case .bool: count * 2
    case .fixed(let width): count * (8 * width + 1)
    case .bytes: count * 33 + 8 * (offsets.map { Int($0[count]) } ?? 0)
    case .list: count * 33 + children[0].bitCount
    case .fixedSizeList: count + children[0].bitCount
    case .struct: children.reduce(count) { $0 + $1.bitCount }
    }
  }
}
