/// Counts stretches of text that occurred before. A port of datatrove's `find_duplicates`.
struct RepeatedSpans: ~Copyable {
  private var index = StringIndex(slotCount: 64)
  /// How many stretches there were.
  private(set) var count = 0
  /// How many of them occurred before.
  private(set) var repeatedCount = 0
  /// The length of those, in scalars.
  private(set) var repeatedScalars = 0

  mutating func add(_ bytes: UnsafePointer<UInt8>, _ range: Range<Int>) {
    count += 1
    let known = index.count
    guard index.insert(index.key(bytes + range.lowerBound, range.count)) < known else { return }
    repeatedCount += 1
    repeatedScalars += bytes.scalarCount(in: range)
  }

  mutating func removeAll() {
    index.removeAll(slotCount: 64, keepingAtMost: 1 << 18)
    count = 0
    repeatedCount = 0
    repeatedScalars = 0
  }
}

extension UnsafePointer<UInt8> {
  /// The next line feed in `range`, or its end.
  @inline(__always)
  func lineFeed(in range: Range<Int>) -> Int {
    let raw = UnsafeRawPointer(self)
    var index = range.lowerBound
    while index + 8 <= range.upperBound {
      // A byte of `word` is zero where there is a line feed; the lowest bit found marks the first one.
      let loaded = raw.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      let word = UInt64(littleEndian: loaded) ^ 0x0A0A_0A0A_0A0A_0A0A
      let found = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
      if found != 0 { return index + found.trailingZeroBitCount >> 3 }
      index += 8
    }
    while index < range.upperBound, self[index] != 0x0A { index += 1 }
    return index
  }

  /// `range` without the white space at its two ends.
  func stripped(_ range: Range<Int>) -> Range<Int> {
    let classes = ScalarClassTable.shared
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end {
      let scalar = scalar(at: start, end: end)
      guard classes[scalar.value].contains(.space) else { break }
      start += scalar.byteCount
    }
    while start < end {
      let scalar = scalar(before: end, start: start)
      guard classes[scalar.value].contains(.space) else { break }
      end -= scalar.byteCount
    }
    return start..<end
  }
}
