import DSVText
import Testing

/// Texts that would take a careless reader for ever, or out of bounds.
@Suite struct HostileTextTests {
  static let sizes = 1 << 19

  @Test(
    "long runs of one pattern are read to their end",
    arguments: [
      ".", "a", "(", "a.", "@", "a@", "-", "a-", "[1", "{", "\n", " ", "…", "'", "é", ":", ":) ", "' ", ": ",
      "...",
      "a b ", "( ", "1.", "/", "http://", "a:", "\u{3000}", "\r\n",
    ])
  func runs(pattern: String) {
    let text = String(repeating: pattern, count: Self.sizes / pattern.utf8.count)
    #expect(Fixtures.score(text)[.characters] == Double(text.unicodeScalars.count))
  }

  @Test("bytes that are not UTF-8 are each a scalar of its own, and nothing beyond them is read")
  func invalid() {
    var scorer = QualityScorer(profile: .fineweb)
    var generator = Generator(state: 1)
    for count in 0..<300 {
      let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
      let result = bytes.withUnsafeBytes { scorer.score($0) }
      #expect(result[.characters] <= Double(count))
    }
    for end: [UInt8] in [[0xE2], [0xE2, 0x80], [0xF0, 0x9F, 0x98], [0xC2], [0x80], [0xFF]] {
      let result = end.withUnsafeBytes { scorer.score($0) }
      #expect(result[.words] == Double(end.count))
    }
  }

  @Test("a scorer says the same of a document whatever it has read before")
  func independence() {
    var scorer = QualityScorer(profile: .fineweb)
    let first = scorer.score(Fixtures.prose)
    for pattern in ["(", "a b ", "x\n"] { _ = scorer.score(String(repeating: pattern, count: 50_000)) }
    let again = scorer.score(Fixtures.prose)
    for signal in QualitySignal.allCases { #expect(first[signal] == again[signal]) }
  }
}

/// xorshift64.
private struct Generator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
