package import DSVFormat
import Glibc

/// The smallest and the largest value of a run, where its type has an order that bytes can carry.
///
/// Fixed types: the value, little-endian. Bool: one byte. Text and binary: at most 16 bytes; a longer minimum is cut,
/// a longer maximum is cut and its last byte that can be raised is raised. NaN is left out of both.
package struct Bounds: Equatable, Sendable {
  package static let byteCountMax = 16
  let low: Bound
  let high: Bound
  package let minIsExact: Bool
  package let maxIsExact: Bool

  package var min: [UInt8] { low.bytes }
  package var max: [UInt8] { high.bytes }

  package init(min: [UInt8], max: [UInt8], minIsExact: Bool = true, maxIsExact: Bool = true) {
    self.init(
      min.withUnsafeBytes { Bound($0) }, max.withUnsafeBytes { Bound($0) }, minIsExact: minIsExact,
      maxIsExact: maxIsExact)
  }

  init(_ low: Bound, _ high: Bound, minIsExact: Bool, maxIsExact: Bool) {
    (self.low, self.high, self.minIsExact, self.maxIsExact) = (low, high, minIsExact, maxIsExact)
  }
}

/// The bytes of one of ``Bounds``. No array: a node has two for each child, and is read and written often.
struct Bound: Equatable, Sendable {
  /// The first byte is the lowest; those behind the last are 0.
  let word: UInt128
  let byteCount: UInt8

  /// - Parameter bytes: at most ``Bounds/byteCountMax``.
  init(_ bytes: UnsafeRawBufferPointer) {
    var word: UInt128 = 0
    withUnsafeMutableBytes(of: &word) { $0.copyMemory(from: bytes) }
    (self.word, byteCount) = (UInt128(littleEndian: word), UInt8(bytes.count))
  }

  var bytes: [UInt8] { withUnsafeBytes(of: word.littleEndian) { Array($0[..<Int(byteCount)]) } }

  /// As the bytes compare, the first ones first.
  static func isBefore(_ a: Bound, _ b: Bound) -> Bool {
    a.word == b.word ? a.byteCount < b.byteCount : a.word.byteSwapped < b.word.byteSwapped
  }
}

/// How the bounds of a type compare.
package enum BoundsOrder: Sendable {
  case signed, unsigned, float, bytes

  package init?(_ type: DataType) {
    switch type {
    case .int8, .int16, .int32, .int64, .date, .timestamp: self = .signed
    case .bool, .uint8, .uint16, .uint32, .uint64: self = .unsigned
    case .float32, .float64: self = .float
    case .utf8, .binary: self = .bytes
    case .null, .json, .float16, .decimal128, .list, .fixedSizeList, .struct: return nil
    }
  }

  /// Whether bound `a` comes before bound `b`.
  func precedes(_ a: Bound, _ b: Bound) -> Bool {
    switch self {
    case .signed: Self.integer(a) < Self.integer(b)
    case .unsigned: Self.unsigned(a) < Self.unsigned(b)
    case .float: Self.double(a) < Self.double(b)
    case .bytes: Bound.isBefore(a, b)
    }
  }

  private static func unsigned(_ bound: Bound) -> UInt64 { UInt64(truncatingIfNeeded: bound.word) }

  private static func integer(_ bound: Bound) -> Int64 {
    let shift = UInt64(64 - 8 * Swift.min(8, Int(bound.byteCount)))
    return shift == 64 ? 0 : Int64(bitPattern: unsigned(bound) << shift) >> Int64(shift)
  }

  private static func double(_ bound: Bound) -> Double {
    bound.byteCount == 4
      ? Double(Float(bitPattern: UInt32(truncatingIfNeeded: unsigned(bound))))
      : Double(bitPattern: unsigned(bound))
  }

  package static func unsigned(_ bytes: [UInt8]) -> UInt64 { unsigned(bytes.withUnsafeBytes { Bound($0) }) }

  package static func integer(_ bytes: [UInt8]) -> Int64 { integer(bytes.withUnsafeBytes { Bound($0) }) }

  package static func double(_ bytes: [UInt8]) -> Double { double(bytes.withUnsafeBytes { Bound($0) }) }

  /// Bounds that hold for both runs.
  func union(_ a: Bounds, _ b: Bounds) -> Bounds {
    let low = precedes(b.low, a.low) ? b : a
    let high = precedes(a.high, b.high) ? b : a
    return Bounds(low.low, high.high, minIsExact: low.minIsExact, maxIsExact: high.maxIsExact)
  }

  /// The bounds of an array's values that are not null; `nil` if there are none.
  func bounds(of array: ArrayView) -> Bounds? {
    switch (self, array.layout) {
    case (.signed, .fixed(1)): Self.integerBounds(array, Int8.self)
    case (.signed, .fixed(2)): Self.integerBounds(array, Int16.self)
    case (.signed, .fixed(4)): Self.integerBounds(array, Int32.self)
    case (.signed, .fixed(8)): Self.integerBounds(array, Int64.self)
    case (.unsigned, .fixed(1)): Self.integerBounds(array, UInt8.self)
    case (.unsigned, .fixed(2)): Self.integerBounds(array, UInt16.self)
    case (.unsigned, .fixed(4)): Self.integerBounds(array, UInt32.self)
    case (.unsigned, .fixed(8)): Self.integerBounds(array, UInt64.self)
    case (.float, .fixed(4)): Self.bounds(array, Float.self)
    case (.float, .fixed(8)): Self.bounds(array, Double.self)
    case (.unsigned, .bool): Self.boolBounds(array)
    case (.bytes, .bytes): Self.byteBounds(array)
    default: nil
    }
  }

  private static func integerBounds<T: FixedWidthInteger & BitwiseCopyable>(
    _ array: ArrayView, _: T.Type
  ) -> Bounds? {
    guard array.validity == nil, array.count > 0 else { return bounds(array, T.self) }
    // Without branches, so that many are compared at once.
    var (low, high) = (T.max, T.min)
    for index in 0..<array.count {
      let value = array.fixed(index, as: T.self)
      low = min(low, value)
      high = max(high, value)
    }
    return Bounds(min: withUnsafeBytes(of: low, Array.init), max: withUnsafeBytes(of: high, Array.init))
  }

  private static func bounds<T: Comparable & BitwiseCopyable>(_ array: ArrayView, _: T.Type) -> Bounds? {
    var low: T?
    var high: T?
    for index in 0..<array.count where !array.isNull(index) {
      let value = array.fixed(index, as: T.self)
      // Only NaN differs from itself.
      guard value == value else { continue }
      if let known = low { if value < known { low = value } } else { low = value }
      if let known = high { if known < value { high = value } } else { high = value }
    }
    guard let low, let high else { return nil }
    return Bounds(min: withUnsafeBytes(of: low, Array.init), max: withUnsafeBytes(of: high, Array.init))
  }

  private static func boolBounds(_ array: ArrayView) -> Bounds? {
    var seen = (false, false)
    for index in 0..<array.count where !array.isNull(index) {
      if array.bool(index) { seen.1 = true } else { seen.0 = true }
    }
    return seen == (false, false) ? nil : Bounds(min: [seen.0 ? 0 : 1], max: [seen.1 ? 1 : 0])
  }

  private static func byteBounds(_ array: ArrayView) -> Bounds? {
    // A blob's bytes are elsewhere: with one, nothing is known.
    guard array.blobs == nil else { return nil }
    var low: UnsafeRawBufferPointer?
    var high: UnsafeRawBufferPointer?
    for index in 0..<array.count where !array.isNull(index) {
      let value = array.bytes(index)
      if let known = low { if precedes(value, known) { low = value } } else { low = value }
      if let known = high { if precedes(known, value) { high = value } } else { high = value }
    }
    guard let low, let high else { return nil }
    var cut = Array(high.prefix(byteCountMax))
    if high.count > byteCountMax {
      while let last = cut.last, last == 0xff { cut.removeLast() }
      guard let last = cut.last else { return nil }
      cut[cut.count - 1] = last + 1
    }
    return Bounds(
      min: Array(low.prefix(byteCountMax)), max: cut, minIsExact: low.count <= byteCountMax,
      maxIsExact: high.count <= byteCountMax)
  }

  private static func precedes(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard let start = a.baseAddress, let other = b.baseAddress else { return a.count < b.count }
    let order = memcmp(start, other, Swift.min(a.count, b.count))
    return order == 0 ? a.count < b.count : order < 0
  }

  private static var byteCountMax: Int { Bounds.byteCountMax }
}
