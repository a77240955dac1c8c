/// spaCy's prefix, suffix and infix patterns for English, on UTF-8 bytes.
///
/// A port of `TOKENIZER_PREFIXES` and `TOKENIZER_SUFFIXES` of `spacy/lang/punctuation.py` and `TOKENIZER_INFIXES` of
/// `spacy/lang/en/punctuation.py`, 3.8.18. Every function looks at no byte outside its range, and at O(1) bytes besides
/// runs of full stops.
struct AffixRules {
  private let classes = ScalarClassTable.shared
  private let units = UnitSuffixes()

  /// How many bytes the pattern takes at the start of `range`; 0 if it does not match.
  ///
  /// The patterns are tried in order, but no two of different length begin alike.
  func prefixByteCount(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Int {
    guard !range.isEmpty else { return 0 }
    let start = range.lowerBound
    let first = text.scalar(at: start, end: range.upperBound)
    switch first.value {
    case ascii("."):
      let run = stopRun(text, from: start, end: range.upperBound)
      return run >= 2 ? run : 0
    case ascii("+"):
      return start + 1 < range.upperBound && isDigit(text[start + 1]) ? 0 : 1
    case ascii("U"):
      return matches(text, at: start, end: range.upperBound, "US$") ? 3 : 0
    case ascii("C"), ascii("A"):
      return start + 1 < range.upperBound && text[start + 1] == UInt8(ascii: "$") ? 2 : 0
    default:
      return classes[first.value].contains(.prefix) ? first.byteCount : 0
    }
  }

  /// How many bytes the pattern takes at the end of `range`; 0 if it does not match.
  ///
  /// spaCy searches from the left, so of all that match, the longest counts.
  func suffixByteCount(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Int {
    guard !range.isEmpty else { return 0 }
    let (start, end) = (range.lowerBound, range.upperBound)
    let last = text.scalar(before: end, start: start)
    let before = end - last.byteCount
    var longest = classes[last.value].contains(.suffix) ? last.byteCount : 0
    switch last.value {
    case ascii("."):
      return stopSuffix(text, range)
    case ascii("s"), ascii("S"):
      if before > start, text[before - 1] == UInt8(ascii: "'") { longest = 2 }
      if before - 3 >= start, matches(text, at: before - 3, end: end, "’") { longest = 4 }
    case ellipsis:
      if before - 3 >= start, matches(text, at: before - 3, end: end, "…") { longest = 6 }
    case ascii("+"):
      if before > start, isDigit(text[before - 1]) { longest = 1 }
    case ascii("$"):
      for sign: StaticString in ["$", "C$", "A$", "US$"] where end - sign.utf8CodeUnitCount > start {
        let at = end - sign.utf8CodeUnitCount
        if isDigit(text[at - 1]), matches(text, at: at, end: end, sign) { longest = end - at }
      }
    default:
      if classes[last.value].contains(.currency), before > start, isDigit(text[before - 1]) {
        longest = last.byteCount
      }
    }
    return max(longest, units.byteCount(text, range))
  }

  /// The first infix that starts in `range`, when the string is `whole`; nil if there is none.
  func infix(_ text: UnsafePointer<UInt8>, in range: Range<Int>, of whole: Range<Int>) -> Range<Int>? {
    var index = range.lowerBound
    var previous: ScalarClass = []
    var afterDigit = false
    if index > whole.lowerBound {
      previous = classes[text.scalar(before: index, start: whole.lowerBound).value]
      afterDigit = isDigit(text[index - 1])
    }
    while index < range.upperBound {
      let scalar = text.scalar(at: index, end: whole.upperBound)
      let kind = classes[scalar.value]
      if !kind.contains(.alpha) {
        let count = infixByteCount(
          text, at: index, end: whole.upperBound, scalar, after: previous, afterDigit: afterDigit)
        if count > 0 { return index..<index + count }
      } else if kind.contains(.infix) {
        return index..<index + scalar.byteCount
      }
      previous = kind
      afterDigit = isDigit(text[index])
      index += scalar.byteCount
    }
    return nil
  }

  private func infixByteCount(
    _ text: UnsafePointer<UInt8>, at index: Int, end: Int, _ scalar: DecodedScalar,
    after previous: ScalarClass,
    afterDigit: Bool
  ) -> Int {
    let next = index + scalar.byteCount
    let afterWord = afterDigit || previous.contains(.alpha)
    switch scalar.value {
    case ascii("."):
      let run = stopRun(text, from: index, end: end)
      if run >= 2 { return run }
      guard !previous.isDisjoint(with: [.lower, .quote]), next < end else { return 0 }
      return kind(text, at: next, end: end).isDisjoint(with: [.upper, .quote]) ? 0 : 1
    case ascii("+"), ascii("*"), ascii("^"):
      return afterDigit && next < end && isDigitOrHyphen(text[next]) ? 1 : 0
    case ascii(","):
      return previous.contains(.alpha) && isAlpha(text, at: next, end: end) ? 1 : 0
    case ascii("-"):
      if afterDigit, next < end, isDigitOrHyphen(text[next]) { return 1 }
      guard afterWord else { return 0 }
      return hyphenRun(text, at: index, end: end, hyphen: scalar, atMost: 3)
    case 0x2014:
      return afterWord ? hyphenRun(text, at: index, end: end, hyphen: scalar, atMost: 2) : 0
    case 0x2013, ascii("~"):
      return afterWord ? hyphenRun(text, at: index, end: end, hyphen: scalar, atMost: 1) : 0
    case ascii(":"), ascii("<"), ascii(">"), ascii("="), ascii("/"):
      return afterWord && isAlpha(text, at: next, end: end) ? 1 : 0
    default:
      return classes[scalar.value].contains(.infix) ? scalar.byteCount : 0
    }
  }

  /// The bytes of up to `most` hyphens, of which the last is followed by a letter; 0 if none is.
  private func hyphenRun(
    _ text: UnsafePointer<UInt8>, at index: Int, end: Int, hyphen: DecodedScalar, atMost most: Int
  ) -> Int {
    var next = index + hyphen.byteCount
    for _ in 1...most {
      guard next < end else { return 0 }
      let scalar = text.scalar(at: next, end: end)
      if classes[scalar.value].contains(.alpha) { return next - index }
      guard scalar.value == hyphen.value else { return 0 }
      next += scalar.byteCount
    }
    return 0
  }

  /// A suffix that ends in a full stop: a run of them, or one after the right scalar.
  private func stopSuffix(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Int {
    let (start, before) = (range.lowerBound, range.upperBound - 1)
    var run = before
    while run > start, text[run - 1] == UInt8(ascii: ".") { run -= 1 }
    if run < before { return range.upperBound - run }
    guard before > start else { return 0 }
    let last = text.scalar(before: before, start: start)
    let kind = classes[last.value]
    if kind.contains(.beforeStop) { return 1 }
    let second = before - last.byteCount
    guard second > start else { return 0 }
    let other = text.scalar(before: second, start: start).value
    if kind.contains(.upper), classes[other].contains(.upper) { return 1 }
    let isDegree = [ascii("F"), ascii("C"), ascii("K"), ascii("f"), ascii("c"), ascii("k")].contains(
      last.value)
    return other == 0xB0 && isDegree ? 1 : 0
  }

  private func stopRun(_ text: UnsafePointer<UInt8>, from start: Int, end: Int) -> Int {
    var index = start
    while index < end, text[index] == UInt8(ascii: ".") { index += 1 }
    return index - start
  }

  private func kind(_ text: UnsafePointer<UInt8>, at index: Int, end: Int) -> ScalarClass {
    classes[text.scalar(at: index, end: end).value]
  }

  private func isAlpha(_ text: UnsafePointer<UInt8>, at index: Int, end: Int) -> Bool {
    index < end && kind(text, at: index, end: end).contains(.alpha)
  }
}

private let ellipsis: UInt32 = 0x2026

@inline(__always)
private func ascii(_ scalar: Unicode.Scalar) -> UInt32 { scalar.value }

/// An ASCII digit, `[0-9]`.
@inline(__always)
func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

@inline(__always)
private func isDigitOrHyphen(_ byte: UInt8) -> Bool { isDigit(byte) || byte == UInt8(ascii: "-") }

/// Whether the bytes at `index`, before `end`, begin with `string`.
func matches(_ text: UnsafePointer<UInt8>, at index: Int, end: Int, _ string: StaticString) -> Bool {
  let count = string.utf8CodeUnitCount
  guard index + count <= end else { return false }
  let wanted = string.utf8Start
  for offset in 0..<count where text[index + offset] != wanted[offset] { return false }
  return true
}
