/// Base64 by RFC 4648, section 4: the alphabet with `+` and `/`, with its padding.
package enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  /// A letter's six bits; 0xff for what is no letter.
  private static let bits: [UInt8] = {
    var bits = [UInt8](repeating: 0xff, count: 256)
    for (value, letter) in alphabet.enumerated() { bits[Int(letter)] = UInt8(value) }
    return bits
  }()

  /// Appends the bytes as base64.
  package static func append(encoding bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
    let room = buffer.reserve((bytes.count + 2) / 3 * 4).assumingMemoryBound(to: UInt8.self)
    var out = 0
    alphabet.withUnsafeBufferPointer { alphabet in
      for start in stride(from: 0, to: bytes.count, by: 3) {
        let count = min(3, bytes.count - start)
        var group = UInt32(bytes[start]) << 16
        if count > 1 { group |= UInt32(bytes[start + 1]) << 8 }
        if count > 2 { group |= UInt32(bytes[start + 2]) }
        for letter in 0..<4 {
          let index = Int(group >> (18 - 6 * UInt32(letter)) & 63)
          room[out + letter] = letter <= count ? alphabet[index] : UInt8(ascii: "=")
        }
        out += 4
      }
    }
    buffer.advance(by: out)
  }

  /// Appends the bytes that the base64 text means; false, and nothing appended, if it is not base64.
  package static func append(decoding text: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) -> Bool {
    guard text.count % 4 == 0 else { return false }
    guard text.count > 0 else { return true }
    let padCount =
      text[text.count - 1] != UInt8(ascii: "=") ? 0 : text[text.count - 2] != UInt8(ascii: "=") ? 1 : 2
    let room = buffer.reserve(text.count / 4 * 3).assumingMemoryBound(to: UInt8.self)
    let isValid = bits.withUnsafeBufferPointer { bits in
      for start in stride(from: 0, to: text.count, by: 4) {
        let isLast = start + 4 == text.count
        var group: UInt32 = 0
        for letter in 0..<4 {
          let isPad = isLast && letter >= 4 - padCount
          let value = isPad ? 0 : bits[Int(text[start + letter])]
          guard value != 0xff else { return false }
          group = group << 6 | UInt32(value)
        }
        if isLast, padCount > 0, group & (padCount == 1 ? 0xff : 0xffff) != 0 { return false }
        let out = start / 4 * 3
        room[out] = UInt8(truncatingIfNeeded: group >> 16)
        room[out + 1] = UInt8(truncatingIfNeeded: group >> 8)
        room[out + 2] = UInt8(truncatingIfNeeded: group)
      }
      return true
    }
    if isValid { buffer.advance(by: text.count / 4 * 3 - padCount) }
    return isValid
  }
}
