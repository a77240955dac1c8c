/// One scalar decoded from UTF-8, and how many bytes it took.
struct DecodedScalar {
  /// U+FFFD where the bytes are not UTF-8.
  var value: UInt32
  var byteCount: Int
}

/// Decoding of single scalars between two bounds, forward and backward.
///
/// The text is meant to be valid UTF-8. Where it is not, each offending byte counts as one U+FFFD, and nothing outside
/// the bounds is read.
extension UnsafePointer<UInt8> {
  /// The scalar that starts at `index`, which is below `end`.
  @inline(__always)
  func scalar(at index: Int, end: Int) -> DecodedScalar {
    let first = self[index]
    if first < 0x80 { return DecodedScalar(value: UInt32(first), byteCount: 1) }
    return multibyteScalar(at: index, end: end)
  }

  /// The scalar that ends just before `end`, which is above `start`.
  @inline(__always)
  func scalar(before end: Int, start: Int) -> DecodedScalar {
    let last = self[end - 1]
    if last < 0x80 { return DecodedScalar(value: UInt32(last), byteCount: 1) }
    var index = end - 1
    while index > start, end - index < 4, self[index] & 0xC0 == 0x80 { index -= 1 }
    let found = multibyteScalar(at: index, end: end)
    return index + found.byteCount == end ? found : DecodedScalar(value: 0xFFFD, byteCount: 1)
  }

  private func multibyteScalar(at index: Int, end: Int) -> DecodedScalar {
    let first = self[index]
    if first < 0x80 { return DecodedScalar(value: UInt32(first), byteCount: 1) }
    let count = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
    guard first >= 0xC2, first < 0xF5, index + count <= end else {
      return DecodedScalar(value: 0xFFFD, byteCount: 1)
    }
    var value = UInt32(first) & (0x7F >> UInt32(count))
    for next in index + 1..<index + count {
      guard self[next] & 0xC0 == 0x80 else { return DecodedScalar(value: 0xFFFD, byteCount: 1) }
      value = value << 6 | UInt32(self[next] & 0x3F)
    }
    return DecodedScalar(value: value, byteCount: count)
  }

  /// How many scalars start in `range`: its bytes that are no continuation bytes.
  func scalarCount(in range: Range<Int>) -> Int {
    var count = 0
    var index = range.lowerBound
    let raw = UnsafeRawPointer(self)
    while index + 8 <= range.upperBound {
      let word = raw.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      // A continuation byte has bit 7 set and bit 6 clear.
      let continuation = (word >> 7) & ~(word >> 6) & 0x0101_0101_0101_0101
      count += 8 - continuation.nonzeroBitCount
      index += 8
    }
    while index < range.upperBound {
      if self[index] & 0xC0 != 0x80 { count += 1 }
      index += 1
    }
    return count
  }
}
