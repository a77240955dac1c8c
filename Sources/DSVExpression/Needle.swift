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
    let wantedFirst = SIMD32<UInt8>(repeating: bytes[first])
    let wantedSecond = SIMD32<UInt8>(repeating: bytes[second])
    var at = 0
    // Both loads end before the text does: first, second < bytes.count and at + 31 <= last.
    while at + 31 <= last {
      let one = base.loadUnaligned(fromByteOffset: at + first, as: SIMD32<UInt8>.self)
      let two = base.loadUnaligned(fromByteOffset: at + second, as: SIMD32<UInt8>.self)
      // A byte is 0 where both are as wanted.
      let difference = (one ^ wantedFirst) | (two ^ wantedSecond)
      if difference.min() == 0 {
        for lane in 0..<32 where difference[lane] == 0 && matches(text, at + lane) { return at + lane }
      }
      at += 32
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
