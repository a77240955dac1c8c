/// spaCy's `URL_MATCH`: whether a whole string is a web or mail address.
///
/// A port of `URL_PATTERN` of `spacy/lang/tokenizer_exceptions.py`, 3.8.18, to one scan. That works because each part
/// after the user name ends at a scalar that the part cannot hold. Time is linear in the string.
struct URLPattern {
  private let classes = ScalarClassTable.shared

  /// Whether the bytes in `range`, which hold no white space, are one address.
  func matches(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
    if matchesHost(text, range) { return true }
    if let afterScheme = schemeEnd(text, range), matchesHost(text, afterScheme..<range.upperBound) {
      return true
    }
    // `\S+(?::\S*)?@` is anything of one scalar or more before any @.
    guard range.count > 1 else { return false }
    for index in range.lowerBound + 1..<range.upperBound where text[index] == UInt8(ascii: "@") {
      if matchesHost(text, index + 1..<range.upperBound) { return true }
    }
    return false
  }

  /// Where `(?:[\w\+\-\.]{2,})://` ends.
  private func schemeEnd(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Int? {
    var index = range.lowerBound
    var count = 0
    while index < range.upperBound {
      let scalar = text.scalar(at: index, end: range.upperBound)
      guard classes[scalar.value].contains(.wordCharacter) || isSchemeSign(text[index]) else { break }
      index += scalar.byteCount
      count += 1
    }
    guard count >= 2, DSVText.matches(text, at: index, end: range.upperBound, "://") else { return nil }
    return index + 3
  }

  private func isSchemeSign(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
  }

  /// Host or IPv4 address, then a port or not, then a path or not, and nothing after.
  private func matchesHost(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
    var end = range.lowerBound
    var lastStop: Int?
    scan: while end < range.upperBound {
      switch text[end] {
      case UInt8(ascii: ":"), UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "#"): break scan
      case UInt8(ascii: "@"): return false
      case UInt8(ascii: "."): lastStop = end
      default: break
      }
      end += 1
    }
    guard let lastStop, hasTail(text, end..<range.upperBound) else { return false }
    return isTopLevelDomain(text, lastStop + 1..<end) && areLabels(text, range.lowerBound..<lastStop)
      || IPv4Pattern(classes: classes).matches(text, range.lowerBound..<end)
  }

  /// `(?::\d{2,5})?(?:[/?#]\S*)?$`
  private func hasTail(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
    var index = range.lowerBound
    guard index < range.upperBound, text[index] == UInt8(ascii: ":") else { return true }
    index += 1
    var digits = 0
    while index < range.upperBound, digits <= 5 {
      let scalar = text.scalar(at: index, end: range.upperBound)
      guard classes[scalar.value].contains(.decimal) else { break }
      digits += 1
      index += scalar.byteCount
    }
    guard (2...5).contains(digits) else { return false }
    guard index < range.upperBound else { return true }
    return text[index] == UInt8(ascii: "/") || text[index] == UInt8(ascii: "?")
      || text[index] == UInt8(ascii: "#")
  }

  private func isTopLevelDomain(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
    var index = range.lowerBound
    var count = 0
    while index < range.upperBound, count <= 63 {
      let scalar = text.scalar(at: index, end: range.upperBound)
      guard classes[scalar.value].contains(.lower) else { return false }
      index += scalar.byteCount
      count += 1
    }
    return (2...63).contains(count)
  }

  /// One or more labels of 1 to 64 scalars with full stops between; `_` and `-` only inside a label.
  private func areLabels(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
    var index = range.lowerBound
    var count = 0
    var endsInLetter = false
    while index < range.upperBound {
      let scalar = text.scalar(at: index, end: range.upperBound)
      index += scalar.byteCount
      if scalar.value == 0x2E {
        guard endsInLetter else { return false }
        count = 0
        endsInLetter = false
        continue
      }
      endsInLetter = isHostLetter(scalar.value)
      guard endsInLetter || count > 0 && (scalar.value == 0x5F || scalar.value == 0x2D) else { return false }
      count += 1
      guard count <= 64 else { return false }
    }
    return endsInLetter
  }

  /// `[A-Za-z0-9\u00a1-\uffff]`
  private func isHostLetter(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0xA1...0xFFFF: true
    default: false
    }
  }
}
