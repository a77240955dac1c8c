/// Writes CSV cells by RFC 4180. Commas between cells are the caller's; a null is no bytes at all.
extension ByteBuffer {
  /// Appends a text cell, in quotes only where it must be: if it holds a comma, a quote or a line end, or is
  /// empty, because an empty cell without quotes is null.
  package mutating func appendCSV(text: UnsafeRawBufferPointer) {
    let needsQuotes =
      text.isEmpty || text.firstIndex(of: 0x2c, or: 0x22, from: 0) < text.count
      || text.firstIndex(of: 0x0a, or: 0x0d, from: 0) < text.count
    guard needsQuotes else { return append(text) }
    append(UInt8(ascii: "\""))
    var start = 0
    while start < text.count {
      let quote = text.firstIndex(of: 0x22, or: 0x22, from: start)
      let end = min(quote + 1, text.count)
      append(UnsafeRawBufferPointer(rebasing: text[start..<end]))
      if quote < text.count { append(UInt8(ascii: "\"")) }
      start = quote + 1
    }
    append(UInt8(ascii: "\""))
  }

  /// Appends a text cell.
  package mutating func appendCSV(text: String) {
    var text = text
    text.withUTF8 { appendCSV(text: UnsafeRawBufferPointer($0)) }
  }

  /// Appends a number as in JSON, and `NaN`, `Infinity` or `-Infinity` without quotes.
  package mutating func appendCSV(_ value: Double) {
    value.isFinite ? appendJSON(value) : append(Self.word(value))
  }

  /// Appends the end of a row.
  package mutating func appendCSVLineEnd() { append(UInt8(ascii: "\n")) }
}
