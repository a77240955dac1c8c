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
    var word: UInt64 = 0
    var filled = 0
    for index in 0..<count {
      word |= number(index) << UInt64(filled)
      filled += width
      while filled >= 8 {
        buffer.append(UInt8(truncatingIfNeeded: word))
        word >>= 8
        filled -= 8
      }
    }
    if filled > 0 { buffer.append(UInt8(truncatingIfNeeded: word)) }
  }

  /// Number `index`. Eight bytes after the packed ones must be readable.
  @inline(__always)
  package static func read(_ packed: UnsafeRawPointer, _ index: Int, width: Int) -> UInt64 {
    let bit = index * width
    let word = packed.loadUnaligned(fromByteOffset: bit >> 3, as: UInt64.self)
    return word >> UInt64(bit & 7) & (1 << UInt64(width) - 1)
  }
}
