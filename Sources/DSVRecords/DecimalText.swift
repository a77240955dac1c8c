/// Decimals from and to text.
package enum DecimalText {
  /// The integer that stands for the number at the given scale: `1.25` at scale 3 is 1250.
  ///
  /// - Parameter spelling: a number by JSON's grammar.
  /// - Returns: `nil` if it has more than `precision` digits at that scale, or a digit other than 0 that is
  ///   finer.
  package static func value(_ spelling: UnsafeRawBufferPointer, precision: Int, scale: Int) -> Int128? {
    guard let number = NumberText.event(spelling, offset: 0) else { return nil }
    if number.kind == .int64, scale == 0 { return limited(Int128(number.int64), precision) }
    let digits = significantDigits(spelling)
    guard !digits.isEmpty else { return 0 }
    let zeroCount = digits.exponent + scale
    guard zeroCount >= 0, digits.count + zeroCount <= precision else { return nil }
    var value: Int128 = 0
    for byte in spelling[digits.range] where byte != UInt8(ascii: ".") {
      value = value * 10 + Int128(byte - 0x30)
    }
    for _ in 0..<zeroCount { value *= 10 }
    return spelling[0] == UInt8(ascii: "-") ? -value : value
  }

  /// Appends the number that `value` stands for at the given scale, with as many digits after the point.
  package static func append(_ value: Int128, scale: Int, to buffer: inout ByteBuffer) {
    if value < 0 { buffer.append(UInt8(ascii: "-")) }
    var digits = String(value.magnitude)
    if scale <= 0 {
      buffer.append(digits)
      if value != 0 { for _ in 0..<(-scale) { buffer.append(UInt8(ascii: "0")) } }
      return
    }
    if digits.utf8.count <= scale {
      digits = String(repeating: "0", count: scale + 1 - digits.utf8.count) + digits
    }
    buffer.append(String(digits.dropLast(scale)))
    buffer.append(UInt8(ascii: "."))
    buffer.append(String(digits.suffix(scale)))
  }

  private struct Digits {
    /// From the first digit that is not 0 to the last; a point may lie between.
    var range: Range<Int>
    var count: Int
    /// The power of ten of the last of them.
    var exponent: Int
    var isEmpty: Bool { count == 0 }
  }

  private static func limited(_ value: Int128, _ precision: Int) -> Int128? {
    var limit: Int128 = 1
    for _ in 0..<min(precision, 20) { limit *= 10 }
    return value.magnitude < limit.magnitude ? value : nil
  }

  private static func significantDigits(_ spelling: UnsafeRawBufferPointer) -> Digits {
    let mark = spelling.firstIndex { $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "E") } ?? spelling.count
    let point = spelling[..<mark].firstIndex(of: UInt8(ascii: ".")) ?? mark
    func isSignificant(_ byte: UInt8) -> Bool { (0x31...0x39).contains(byte) }
    guard let first = spelling[..<mark].firstIndex(where: isSignificant),
      let last = spelling[..<mark].lastIndex(where: isSignificant)
    else { return Digits(range: 0..<0, count: 0, exponent: 0) }
    var exponent = 0
    if mark < spelling.count {
      let text = String(decoding: spelling[(mark + 1)...], as: UTF8.self)
      // Beyond any precision whatever it is, and far from overflow below.
      exponent = max(-1 << 40, min(1 << 40, Int(text) ?? (text.hasPrefix("-") ? -1 << 40 : 1 << 40)))
    }
    let hasPointInside = first < point && point < last
    return Digits(
      range: first..<last + 1, count: last + 1 - first - (hasPointInside ? 1 : 0),
      exponent: exponent + (last < point ? point - last - 1 : point - last))
  }
}
