/// A hash of bytes of which the hash of two strings, one after the other, follows: the string as a polynomial modulo
/// 2^61 − 1, at a point drawn once a process.
///
/// datatrove counts repeated n-grams as words joined by nothing, so "a bc" and "ab c" are the same. Two different
/// strings of n bytes collide with probability below n / 2^60.
struct WordHash: BitwiseCopyable {
  static let modulus: UInt64 = 1 << 61 - 1

  /// The polynomial's value, below `modulus`.
  var value: UInt64
  /// The point to the power of the string's length in bytes.
  var power: UInt64

  /// The hash of the empty string.
  init() {
    value = 0
    power = 1
  }

  init(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    self.init()
    let point = HashSeed.shared.point
    for index in 0..<count {
      value = Self.product(value, point) &+ UInt64(bytes[index]) &+ 1
      if value >= Self.modulus { value &-= Self.modulus }
      power = Self.product(power, point)
    }
  }

  /// The hash's value of a string of value `prefix` followed by this one.
  @inline(__always)
  func appended(to prefix: UInt64) -> UInt64 {
    let sum = Self.product(prefix, power) &+ value
    return sum >= Self.modulus ? sum &- Self.modulus : sum
  }

  @inline(__always)
  static func product(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let full = a.multipliedFullWidth(by: b)
    let sum = (full.low & modulus) &+ (full.low >> 61 | full.high << 3)
    return sum >= modulus ? sum &- modulus : sum
  }
}
