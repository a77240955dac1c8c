/// Writes JSON values. Commas and brackets are the caller's.
extension ByteBuffer {
  /// Appends a string with its quotes. Only `"`, `\` and controls are escaped: as `\b \f \n \r \t`, else
  /// `\u00xx`.
  package mutating func appendJSON(string text: UnsafeRawBufferPointer) {
    append(UInt8(ascii: "\""))
    var rest = text
    while true {
      let plainCount = rest.plainJSONCount
      append(UnsafeRawBufferPointer(rebasing: rest[..<plainCount]))
      guard plainCount < rest.count else { break }
      appendEscape(rest[plainCount])
      rest = UnsafeRawBufferPointer(rebasing: rest[(plainCount + 1)...])
    }
    append(UInt8(ascii: "\""))
  }

  /// Appends a string with its quotes.
  package mutating func appendJSON(string text: String) {
    var text = text
    text.withUTF8 { appendJSON(string: UnsafeRawBufferPointer($0)) }
  }

  /// Appends an integer in decimal.
  package mutating func appendJSON(_ value: Int64) {
    advance(by: NumberText.write(value, to: reserve(NumberText.maxByteCount)))
  }

  /// Appends an integer in decimal.
  package mutating func appendJSON(_ value: UInt64) {
    advance(by: NumberText.write(value, to: reserve(NumberText.maxByteCount)))
  }

  /// Appends the shortest text that reads back as the same bits: `0.1`, `1.0`, `1e-07`, `5e-324`, `-0.0`.
  ///
  /// It has a point or an exponent, so that it is never read back as an integer. JSON has no word for what is
  /// not finite: that is written as a string, `"NaN"`, `"Infinity"` or `"-Infinity"`, which a float column
  /// reads back.
  package mutating func appendJSON(_ value: Double) {
    guard value.isFinite else { return appendJSON(string: Self.word(value)) }
    advance(by: NumberText.write(value, to: reserve(NumberText.maxByteCount)))
  }

  /// Appends the shortest text that reads back as the same 32-bit float; else as for `Double`.
  package mutating func appendJSON(_ value: Float) {
    guard value.isFinite else { return appendJSON(string: Self.word(Double(value))) }
    advance(by: NumberText.write(value, to: reserve(NumberText.maxByteCount)))
  }

  /// Appends the shortest text that reads back as the same 16-bit float; else as for `Double`.
  package mutating func appendJSON(_ value: Float16) {
    guard value.isFinite else { return appendJSON(string: Self.word(Double(value))) }
    append(value.description)
  }

  /// Appends `true` or `false`.
  package mutating func appendJSON(_ value: Bool) { append(value ? "true" : "false") }

  /// Appends `null`.
  package mutating func appendJSONNull() { append("null") }

  /// The word for a value that is not finite.
  static func word(_ value: Double) -> String {
    value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
  }

  private mutating func appendEscape(_ byte: UInt8) {
    switch byte {
    case 0x22: append("\\\"")
    case 0x5c: append("\\\\")
    case 0x08: append("\\b")
    case 0x0c: append("\\f")
    case 0x0a: append("\\n")
    case 0x0d: append("\\r")
    case 0x09: append("\\t")
    default:
      append("\\u00")
      append(byte < 16 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
      append(byte & 15 < 10 ? UInt8(ascii: "0") + (byte & 15) : UInt8(ascii: "a") + (byte & 15) - 10)
    }
  }
}
