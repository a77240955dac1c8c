import DSVFormat

/// The text of an expression, and how to point into it.
struct SourceText {
  /// The text's characters; positions are indexes into these.
  let scalars: [Unicode.Scalar]

  init(_ text: String) { scalars = Array(text.unicodeScalars) }

  /// An error whose message says what is wrong and shows where, with a caret under the place.
  ///
  /// Only the line in question is shown, and of it at most 60 characters.
  func error(_ code: DSVError.Code = .badInput, at position: Int, _ what: String) -> DSVError {
    let position = min(max(0, position), scalars.count)
    var start = position
    while start > 0, position - start < 40, scalars[start - 1] != "\n" { start -= 1 }
    var end = position
    while end < scalars.count, end - start < 60, scalars[end] != "\n" { end += 1 }
    var line = String.UnicodeScalarView()
    for scalar in scalars[start..<end] { line.append(scalar.isControl ? " " : scalar) }
    let caret = String(repeating: " ", count: position - start) + "^"
    return DSVError(code, "character \(position + 1): \(what)\n  \(String(line))\n  \(caret)")
  }
}

extension Unicode.Scalar {
  fileprivate var isControl: Bool { value < 0x20 || (0x7f...0x9f).contains(value) }
}
