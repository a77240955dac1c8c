import DSVText
import Foundation

/// Files and documents that the tests share.
enum Fixtures {
  /// The rows of a file in `fixtures/quality`, one JSON value a line.
  static func rows(_ name: String) throws -> [Any] {
    let folder = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("fixtures/quality")
    let data = try Data(contentsOf: folder.appendingPathComponent(name))
    return try data.split(separator: 0x0A).map { try JSONSerialization.jsonObject(with: $0) }
  }

  /// Scores a string by itself.
  static func score(_ text: String, _ profile: QualityProfile = .fineweb) -> QualityResult {
    var scorer = QualityScorer(profile: profile)
    return scorer.score(text)
  }

  /// The name of the first rule that a string fails, scored by itself; "kept" if it fails none.
  static func verdict(_ text: String, _ profile: QualityProfile = .fineweb) -> String {
    score(text, profile).failedRule.map { profile.rules[$0].name } ?? "kept"
  }

  /// spaCy's tokens of a string, white space left out.
  static func words(_ text: String, _ tokenizer: inout EnglishTokenizer) -> [String] {
    var stream = TokenStream()
    let bytes = Array(text.utf8)
    bytes.withUnsafeBytes { tokenizer.read($0, into: &stream) }
    return stream.tokens.filter { !$0.isSpace }.map { token in
      let start = Int(token.start)
      return String(decoding: bytes[start..<start + tokenizer.byteCount(ofWord: token.word)], as: UTF8.self)
    }
  }

  static func words(_ text: String) -> [String] {
    var tokenizer = EnglishTokenizer()
    return words(text, &tokenizer)
  }

  /// Ninety words of prose that every profile keeps, in six sentences, one a line.
  static let prose = """
    The committee met on Tuesday to discuss the future of the old library building.
    Several members of the public came to hear what the architects had proposed for it.
    One plan would have turned the reading room into a small theatre with eighty seats.
    Another would keep every shelf in place and add a quiet garden behind the east wing.
    After two hours of debate, nobody was willing to be the first to call for a vote.
    They agreed that more money, and more time, would be needed before any work began.
    """
}

extension QualityScorer {
  mutating func score(_ text: String) -> QualityResult {
    var text = text
    return text.withUTF8 { score(UnsafeRawBufferPointer($0)) }
  }
}
