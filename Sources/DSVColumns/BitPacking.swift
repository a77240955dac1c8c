/// Unsigned numbers of 0 to 56 bits each, one after another, least significant bit first.
package enum BitPacking {
  package static let widthMax = 56

  package static func byteCount(_ count: Int, width: Int) -> Int { (count * width + 7) / 8 }

  /// The bits that `value` needs.
  package static func width(of value: UInt64) -> Int { 64 - value.leadingZeroBitCount }

  /// Appends `count` numbers of `width` bits, as `number` gives them.
  @inline(__always)
  package static func write(
    _ count: Int, width: Int, to buffer: GrowingBytes, _ number: (Int) -> UInt64
  ) {
    let byteCount = byteCount(count, width: width)
    // The last word is written whole: the buffer has room behind its end.
    let target = buffer.grow(by: byteCount)
    if width > 32 { return writeWide(count, width: width, to: target, number) }
    var (word, filled, offset) = (0 as UInt64, 0, 0)
    for index in 0..<count {
      word |= number(index) << UInt64(filled)
      filled += width
      if filled >= 32 {
        target.storeBytes(
          of: UInt32(truncatingIfNeeded: word).littleEndian, toByteOffset: offset, as: UInt32.self)
        word >>= 32
        filled -= 32
        offset += 4
      }
    }
    target.storeBytes(
      of: UInt32(truncatingIfNeeded: word).littleEndian, toByteOffset: offset, as: UInt32.self)
  }

  @inline(__always)
  private static func writeWide(
    _ count: Int, width: Int, to target: UnsafeMutableRawPointer, _ number: (Int) -> UInt64
  ) {
    var (word, filled, offset) = (0 as UInt64, 0, 0)
    for index in 0..<count {
      word |= number(index) << UInt64(filled)
      filled += width
      while filled >= 8 {
        target.storeBytes(of: UInt8(truncatingIfNeeded: word), toByteOffset: offset, as: UInt8.self)
        word >>= 8
        filled -= 8
        offset += 1
      }
    }
    if filled > 0 {
      target.storeBytes(of: UInt8(truncatingIfNeeded: word), toByteOffset: offset, as: UInt8.self)
    }
  }

  /// Number `index`. Eight bytes after the packed ones must be readable.
  @inline(__always)
  package static func read(_ packed: UnsafeRawPointer, _ index: Int, width: Int) -> UInt64 {
    // What is read lies in a buffer, so that the bit's number cannot overflow.
    let bit = index &* width
    let word = packed.loadUnaligned(fromByteOffset: bit &>> 3, as: UInt64.self)
    let mask = (1 as UInt64) &<< UInt64(truncatingIfNeeded: width) &- 1
    return word &>> UInt64(truncatingIfNeeded: bit & 7) & mask
  }
}
