/// A text that is sought in others.
///
/// Looks for its two bytes that are rarest in prose, 32 places at a time, and compares the whole
/// only where both are found.
struct Needle {
  private let bytes: TextSlice
  private let first: Int
  private let second: Int

  /// - Parameter bytes: borrowed for as long as the needle lives.
  init(_ bytes: TextSlice) {
    self.bytes = bytes
    var best = (first: 0, second: max(0, bytes.count - 1))
    if bytes.count > 2 {
      for (index, byte) in bytes.prefix(256).enumerated()
      where Needle.commonness(byte) < Needle.commonness(bytes[best.first]) { best.first = index }
      if best.second == best.first { best.second = 0 }
      for (index, byte) in bytes.prefix(256).enumerated() where index != best.first {
        if Needle.commonness(byte) < Needle.commonness(bytes[best.second]) { best.second = index }
      }
    }
    (first, second) = best
  }

  /// Roughly how common a byte is in prose: the higher, the commoner.
  private static func commonness(_ byte: UInt8) -> Int {
    let letters: StaticString = "zqxjkvbpygfwmucldrhsnioate "
    for index in 0..<letters.utf8CodeUnitCount where letters.utf8Start[index] == byte { return index + 2 }
    return byte < 0x80 ? 0 : 1
  }

  /// Where it begins in `text` for the first time.
  func first(in text: TextSlice) -> Int? {
    guard bytes.count <= text.count else { return nil }
    guard !bytes.isEmpty else { return 0 }
    let base = UnsafeRawPointer(text.baseAddress.unsafelyUnwrapped)
    let last = text.count - bytes.count
    let ones: UInt64 = 0x0101_0101_0101_0101
    let wantedFirst = ones &* UInt64(bytes[first])
    let wantedSecond = ones &* UInt64(bytes[second])
    // A byte of the result has its high bit set where both bytes are as wanted; one above such a byte may too,
    // by a borrow, so each is compared.
    @inline(__always) func candidates(_ at: Int) -> UInt64 {
      let one = base.loadUnaligned(fromByteOffset: at &+ first, as: UInt64.self).littleEndian
      let two = base.loadUnaligned(fromByteOffset: at &+ second, as: UInt64.self).littleEndian
      let difference = (one ^ wantedFirst) | (two ^ wantedSecond)
      return (difference &- ones) & ~difference & 0x8080_8080_8080_8080
    }
    var at = 0
    // All loads end before the text does: first, second < bytes.count and at + 31 <= last.
    while at &+ 31 <= last {
      if candidates(at) | candidates(at &+ 8) | candidates(at &+ 16) | candidates(at &+ 24) != 0 {
        for part in 0..<4 {
          var found = candidates(at + part * 8)
          while found != 0 {
            let place = at + part * 8 + found.trailingZeroBitCount / 8
            if matches(text, place) { return place }
            found &= found &- 1
          }
        }
      }
      at &+= 32
    }
    while at <= last {
      if text[at + first] == bytes[first], matches(text, at) { return at }
      at += 1
    }
    return nil
  }

  @inline(__always)
  private func matches(_ text: TextSlice, _ at: Int) -> Bool {
    var index = 0
    while index < bytes.count, text[at + index] == bytes[index] { index += 1 }
    return index == bytes.count
  }
}
