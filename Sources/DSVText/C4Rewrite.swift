/// What C4's rules leave of a text. A port of `C4QualityFilter` of datatrove 0.10.1.
///
/// Where C4 would stop at a line for "lorem ipsum" or `{`, this goes on as if it had passed that test, so that the
/// signals of every document are defined.
struct C4Rewrite: ~Copyable {
  /// Which of the two that end a document came first.
  enum Refusal {
    case loremIpsum
    case curlyBracket
  }

  /// One line kept: a range of the text, or of `edited`.
  struct Line: BitwiseCopyable {
    var start: Int
    var end: Int
    var isEdited: Bool
  }

  private(set) var lines = ReusedBuffer<Line>()
  /// The lines from which citations were removed, one after the other.
  private(set) var edited = ReusedBuffer<UInt8>()
  private(set) var refusal: Refusal?
  private(set) var sentenceCount = 0
  /// How many words the lines kept have.
  private(set) var wordCount = 0
  private var editedTokens = TokenStream()

  /// Applies the rules to `text`, of which `stream` is the reading.
  mutating func apply(
    to text: UnsafePointer<UInt8>, _ stream: borrowing TokenStream, keepsUnterminatedLines: Bool,
    _ tokenizer: inout EnglishTokenizer
  ) {
    lines.removeAll(keepingAtMost: 1 << 18)
    edited.removeAll(keepingAtMost: 1 << 19)
    refusal = nil
    sentenceCount = 0
    wordCount = 0
    for index in 0..<stream.lines.count {
      let line = stream.lines[index]
      guard line.chunkCount >= 3, !line.marks.contains(.long) else { continue }
      let start = edited.count
      if line.marks.contains(.bracket), removeCitations(text, Int(line.start)..<Int(line.end)) {
        let bytes = UnsafePointer(edited.base)
        if keeps(bytes, start..<edited.count, line.marks.union(.suspect), keepsUnterminatedLines) {
          count(editedRange: start..<edited.count, &tokenizer)
          lines.append(Line(start: start, end: edited.count, isEdited: true))
        }
      } else if keeps(text, Int(line.start)..<Int(line.end), line.marks, keepsUnterminatedLines) {
        let traits = UnsafePointer(tokenizer.cache.words.traits.base)
        count(stream.tokenBuffer, Int(line.firstToken)..<Int(line.endToken), traits)
        lines.append(Line(start: Int(line.start), end: Int(line.end), isEdited: false))
      }
    }
  }

  /// Whether C4 keeps a line, which has three words and none too long. Notes what ends the document.
  private mutating func keeps(
    _ text: UnsafePointer<UInt8>, _ range: Range<Int>, _ marks: ChunkMarks, _ keepsUnterminatedLines: Bool
  ) -> Bool {
    guard keepsUnterminatedLines || endsSentence(text, range) else { return false }
    let isSuspect = marks.contains(.suspect)
    if isSuspect {
      if refusal == nil, C4Phrases.holdsLoremIpsum(text, range) { refusal = .loremIpsum }
      if C4Phrases.holdsJavaScript(text, range) { return false }
    }
    if refusal == nil, marks.contains(.brace) { refusal = .curlyBracket }
    return !(isSuspect && C4Phrases.holdsPolicy(text, range))
  }

  private func endsSentence(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
    guard let last = range.last else { return false }
    switch text[last] {
    case UInt8(ascii: "?"), UInt8(ascii: "!"), UInt8(ascii: "\""), UInt8(ascii: "'"): return true
    case UInt8(ascii: "."):
      return range.count < 3 || text[last - 1] != UInt8(ascii: ".") || text[last - 2] != UInt8(ascii: ".")
    default: return false
    }
  }

  /// Appends the line without `\[\d*]|\[edit]|\[citation needed]` to `edited`; appends nothing if it has none.
  private mutating func removeCitations(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
    let start = edited.count
    var index = range.lowerBound
    var removed = false
    while index < range.upperBound {
      let count = text[index] == UInt8(ascii: "[") ? citationByteCount(text, index..<range.upperBound) : 0
      if count > 0 {
        removed = true
        index += count
      } else {
        edited.append(text[index])
        index += 1
      }
    }
    if !removed { edited.truncate(to: start) }
    return removed
  }

  private func citationByteCount(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Int {
    let start = range.lowerBound
    if matches(text, at: start, end: range.upperBound, "[edit]") { return 6 }
    if matches(text, at: start, end: range.upperBound, "[citation needed]") { return 17 }
    var index = start + 1
    while index < range.upperBound {
      if text[index] == UInt8(ascii: "]") { return index + 1 - start }
      let scalar = text.scalar(at: index, end: range.upperBound)
      guard ScalarClassTable.shared[scalar.value].contains(.decimal) else { return 0 }
      index += scalar.byteCount
    }
    return 0
  }

  private mutating func count(editedRange range: Range<Int>, _ tokenizer: inout EnglishTokenizer) {
    tokenizer.readWithoutTrimming(
      UnsafeRawBufferPointer(start: edited.base + range.lowerBound, count: range.count), into: &editedTokens)
    let traits = UnsafePointer(tokenizer.cache.words.traits.base)
    let (sentences, words) = Self.count(editedTokens.tokenBuffer, 0..<editedTokens.tokenBuffer.count, traits)
    sentenceCount += sentences
    wordCount += words
  }

  private mutating func count(
    _ tokens: borrowing ReusedBuffer<Token>, _ range: Range<Int>, _ traits: UnsafePointer<WordTraits>
  ) {
    let (sentences, words) = Self.count(tokens, range, traits)
    sentenceCount += sentences
    wordCount += words
  }

  /// Counts sentences as spaCy's `Sentencizer` does, white space taking part, and words.
  private static func count(
    _ tokens: borrowing ReusedBuffer<Token>, _ range: Range<Int>, _ traits: UnsafePointer<WordTraits>
  ) -> (sentences: Int, words: Int) {
    var sentences = range.isEmpty ? 0 : 1
    var words = 0
    var ended = false
    for position in range {
      let token = tokens[position]
      let flags = traits[Int(token.word)].flags
      if !token.isSpace { words &+= 1 }
      if ended, flags.isDisjoint(with: [.punctuation, .endsSentence]) {
        sentences &+= 1
        ended = false
      } else if flags.contains(.endsSentence) {
        ended = true
      }
    }
    return (sentences, words)
  }
}
