/// Decides after which values a column is cut into chunks.
///
/// A pure function of the values: a cut depends on the value before it and the 64 bytes before that, and on where the
/// chunk began. So equal runs of values are cut alike wherever they stand, however they came.
/// Normative text: `format-spec/chunk.md`, "Boundaries".
package struct ChunkCutter {
  /// In bits of plain size, as ``ArrayBuilder/measure(from:seed:)`` counts it.
  package static let bitCountMin = 16 << 13
  package static let bitCountMax = 256 << 13
  package static let valueCountMax = 1 << 18
  /// A value of `b` bits is a candidate if its hash is below `b` times this: one cut in 48 KiB is expected, which with
  /// the minimum of 16 KiB makes 64 KiB.
  package static let thresholdPerBit: UInt64 = UInt64.max / (48 << 13)
  /// Short values count for this much at least, so that a chunk of them can end before `valueCountMax`.
  static let valueBitCountMin = 8

  private var window: UInt64 = 0
  private var bitCount = 0
  private var valueCount = 0

  package init() {}

  /// Takes the next value into account; whether the chunk ends after it. If so, the next value begins a chunk.
  @inline(__always)
  package mutating func endsChunk(bitCount valueBitCount: Int, hash: UInt64) -> Bool {
    let size = max(valueBitCount, Self.valueBitCountMin)
    // A value of 64 bytes or more shifts everything before it out of the window.
    window = (size >> 3 >= 64 ? 0 : window << UInt64(size >> 3)) &+ hash
    bitCount += size
    valueCount += 1
    guard bitCount >= Self.bitCountMin else { return false }
    let (threshold, overflow) = Self.thresholdPerBit.multipliedReportingOverflow(by: UInt64(size))
    guard overflow || window < threshold || bitCount >= Self.bitCountMax || valueCount >= Self.valueCountMax
    else { return false }
    self = ChunkCutter()
    return true
  }

  /// Takes the values of an unfinished chunk into account, which were found to be no chunk of their own before the last.
  ///
  /// - Parameters:
  ///   - bitCount: of all of them, each counted for no less than `valueBitCountMin`.
  ///   - last: the last values, of 64 bytes and more if there are so many: no others are in the window.
  /// - Returns: whether the chunk ends after them.
  mutating func resume(
    bitCount: Int, valueCount: Int, last: [(bitCount: Int, hash: UInt64)]
  ) -> Bool {
    guard let final = last.last else { return false }
    for value in last.dropLast() {
      let shift = max(value.bitCount, Self.valueBitCountMin) >> 3
      window = (shift >= 64 ? 0 : window << UInt64(shift)) &+ value.hash
    }
    self.bitCount = bitCount - max(final.bitCount, Self.valueBitCountMin)
    self.valueCount = valueCount - 1
    return endsChunk(bitCount: final.bitCount, hash: final.hash)
  }

  /// Takes up to `limit` equal values into account, up to the end of the chunk; the same as one after another.
  ///
  /// - Returns: how many were taken, and whether the chunk ends after them.
  mutating func takeRun(_ limit: Int, bitCount size: Int, hash: UInt64) -> (count: Int, endsChunk: Bool) {
    precondition(size >= Self.valueBitCountMin && size >> 3 < 64)
    var count = 0
    while count < limit {
      let before = window
      count += 1
      if endsChunk(bitCount: size, hash: hash) { return (count, true) }
      // Once the window no longer changes and is no candidate, only the size can end the chunk.
      if window == before, bitCount >= Self.bitCountMin {
        let room = min((Self.bitCountMax - bitCount) / size, Self.valueCountMax - valueCount) - 1
        let more = max(0, min(limit - count, room))
        count += more
        bitCount += more * size
        valueCount += more
      }
    }
    return (count, false)
  }

  /// Takes values of one byte each into account, up to the end of the chunk or of `bytes`.
  ///
  /// - Parameter hashes: the hash of each value, by value.
  /// - Returns: how many values were taken, and whether the chunk ends after them.
  mutating func take(_ bytes: UnsafeRawBufferPointer, hashes: [UInt64]) -> (count: Int, endsChunk: Bool) {
    hashes.withUnsafeBufferPointer { hashes in
      for (index, byte) in bytes.enumerated()
      where endsChunk(bitCount: 9, hash: hashes[Int(byte)]) { return (index + 1, true) }
      return (bytes.count, false)
    }
  }
}
