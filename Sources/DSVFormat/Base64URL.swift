/// Base64 with `-` and `_` (RFC 4648, section 5), padded: as Fernet's keys and tokens are written.
///
/// Reads only what it would write, so that one value has one text. No branch and no address depends on a character's value, since
/// keys are read here too.
package enum Base64URL {
  package static func textByteCount(_ byteCount: Int) -> Int { (byteCount + 2) / 3 * 4 }

  /// Writes `textByteCount(bytes.count)` characters.
  package static func encode(_ bytes: UnsafeRawBufferPointer, into text: UnsafeMutableRawBufferPointer) {
    precondition(text.count == textByteCount(bytes.count))
    var position = 0
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let count = min(3, bytes.count - start)
      var group = UInt32(bytes[start]) << 16
      if count > 1 { group |= UInt32(bytes[start + 1]) << 8 }
      if count > 2 { group |= UInt32(bytes[start + 2]) }
      for index in 0..<4 {
        let isDigit = index <= count
        text[position] = isDigit ? digit(group >> UInt32(18 - 6 * index) & 63) : UInt8(ascii: "=")
        position += 1
      }
    }
  }

  package static func text(_ bytes: UnsafeRawBufferPointer) -> String {
    let count = textByteCount(bytes.count)
    return String(unsafeUninitializedCapacity: count) { text in
      encode(
        bytes, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(text)[..<count]))
      return count
    }
  }

  /// How many bytes a text stands for; `nil` if its length, or how it ends, is no text's.
  package static func byteCount(_ text: UnsafeRawBufferPointer) -> Int? {
    guard text.count % 4 == 0 else { return nil }
    guard let last = text.last else { return 0 }
    let paddingCount = last != UInt8(ascii: "=") ? 0 : text[text.count - 2] != UInt8(ascii: "=") ? 1 : 2
    return text.count / 4 * 3 - paddingCount
  }

  /// Fills `bytes`, which has as many as ``byteCount(_:)`` says.
  ///
  /// - Returns: whether `text` is what ``encode(_:into:)`` writes; what is in `bytes` means nothing otherwise.
  package static func decode(
    _ text: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer
  ) -> Bool {
    guard byteCount(text) == bytes.count else { return false }
    var problem: UInt32 = 0
    for start in stride(from: 0, to: text.count, by: 4) {
      let first = start / 4 * 3
      let count = min(3, bytes.count - first)
      var group: UInt32 = 0
      for index in 0..<4 {
        let value = index <= count ? value(text[start + index]) : 0
        problem |= value & ~63
        group = group << 6 | value & 63
      }
      for index in 0..<3 {
        let byte = UInt8(truncatingIfNeeded: group >> UInt32(16 - 8 * index))
        if index < count { bytes[first + index] = byte } else { problem |= UInt32(byte) }
      }
    }
    return problem == 0
  }

  package static func bytes(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    guard let count = byteCount(text) else { return nil }
    var bytes = [UInt8](repeating: 0, count: count)
    return bytes.withUnsafeMutableBytes({ decode(text, into: $0) }) ? bytes : nil
  }

  /// The character for six bits.
  private static func digit(_ value: UInt32) -> UInt8 {
    let value = Int32(value)
    // Each step adds the distance between two runs of characters from where the second begins.
    var code = value + 65
    code += (25 - value) >> 31 & (97 - 26 - 65)
    code += (51 - value) >> 31 & (48 - 52 - (97 - 26))
    code += (61 - value) >> 31 & (45 - 62 - (48 - 52))
    code += (62 - value) >> 31 & (95 - 63 - (45 - 62))
    return UInt8(truncatingIfNeeded: code)
  }

  /// The six bits that a character stands for, or a number with bits beyond them.
  private static func value(_ character: UInt8) -> UInt32 {
    let code = Int32(character)
    /// All ones for a character in a run.
    func mask(_ low: Int32, _ high: Int32) -> Int32 { ~((code - low) >> 31 | (high - code) >> 31) }
    let (upper, lower, number) = (mask(65, 90), mask(97, 122), mask(48, 57))
    let (minus, underscore) = (mask(45, 45), mask(95, 95))
    var value = upper & (code - 65) | lower & (code - 71) | number & (code + 4)
    value |= minus & 62 | underscore & 63
    value |= ~(upper | lower | number | minus | underscore) & 64
    return UInt32(bitPattern: value)
  }
}
