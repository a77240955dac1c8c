/// The phrases that C4 looks for in a line, whatever their case. A port of `c4_filters.py` of datatrove 0.10.1.
///
/// CPython's `str.lower` turns one scalar besides A … Z into an ASCII letter of these phrases: U+212A, the Kelvin sign.
enum C4Phrases {
  /// For these, C4 drops the line.
  private static let policies: [StaticString] = [
    "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies",
  ]
  static func holdsLoremIpsum(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
    holds(text, range, "lorem ipsum")
  }

  static func holdsJavaScript(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
    holds(text, range, "javascript")
  }

  static func holdsPolicy(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
    policies.contains { holds(text, range, $0) }
  }

  /// Whether a chunk has a part of one of the phrases that holds no space, without which a line needs no closer look.
  static func holdsSuspect(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
    guard range.count >= 5 else { return false }
    for start in range {
      let part: StaticString
      switch text[start] | 0x20 {
      case UInt8(ascii: "c"): part = "cookie"
      case UInt8(ascii: "i"): part = "ipsum"
      case UInt8(ascii: "j"): part = "javascript"
      case UInt8(ascii: "p"): part = "privacy"
      case UInt8(ascii: "t"): part = "terms"
      default: continue
      }
      if isPhrase(text, start..<range.upperBound, part) { return true }
    }
    return false
  }

  private static func holds(_ text: UnsafePointer<UInt8>, _ range: Range<Int>, _ phrase: StaticString) -> Bool
  {
    let first = phrase.utf8Start[0]
    for start in range where text[start] | 0x20 == first {
      if isPhrase(text, start..<range.upperBound, phrase) { return true }
    }
    return false
  }

  private static func isPhrase(
    _ text: UnsafePointer<UInt8>, _ range: Range<Int>, _ phrase: StaticString
  ) -> Bool {
    var index = range.lowerBound
    for offset in 0..<phrase.utf8CodeUnitCount {
      guard index < range.upperBound else { return false }
      let wanted = phrase.utf8Start[offset]
      let byte = text[index]
      if byte == wanted || wanted != UInt8(ascii: " ") && byte | 0x20 == wanted {
        index += 1
      } else if wanted == UInt8(ascii: "k"), matches(text, at: index, end: range.upperBound, "\u{212A}") {
        index += 3
      } else {
        return false
      }
    }
    return true
  }
}
