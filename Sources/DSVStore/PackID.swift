package import DSVFormat
import DSVSystem

/// The 16 random bytes that name a pack, in its header and on a remote.
package struct PackID: Hashable, Sendable, Comparable, CustomStringConvertible {
  package static let byteCount = 16
  package let high, low: UInt64

  package init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

  package init(_ bytes: [UInt8]) {
    precondition(bytes.count == Self.byteCount)
    func word(_ start: Int) -> UInt64 { bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) } }
    self.init(high: word(0), low: word(8))
  }

  package static func random() -> PackID { PackID(RandomSource.bytes(byteCount)) }

  /// Reads 32 lower-case hexadecimal digits; `nil` for anything else.
  package init?(hex: some StringProtocol) {
    guard hex.utf8.count == 32, hex.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }),
      let high = UInt64(hex.prefix(16), radix: 16), let low = UInt64(hex.suffix(16), radix: 16)
    else { return nil }
    self.init(high: high, low: low)
  }

  package var bytes: [UInt8] {
    [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
  }

  package static func < (a: Self, b: Self) -> Bool { (a.high, a.low) < (b.high, b.low) }

  package var description: String {
    [high, low].map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}

extension ByteReader {
  package mutating func readPackID() throws(DSVError) -> PackID {
    PackID([UInt8](try readBytes(PackID.byteCount)))
  }
}
