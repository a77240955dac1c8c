/// Measures documents and judges them by a profile, as datatrove 0.10.1 would.
///
/// One a thread. It keeps its tables and buffers from document to document, so that once they have grown it allocates
/// next to nothing a document. Time is linear in the document, whatever it holds. Memory stays below 150 MB between
/// documents, and is at most 150 bytes more a word while one is scored: a document of 100 million one-letter words is the
/// worst of its size.
package struct QualityScorer: ~Copyable {
  /// What documents are judged by.
  package let profile: QualityProfile
  private var tokenizer = EnglishTokenizer()
  private var stream = TokenStream()
  private var words = ReusedBuffer<UInt32>(capacity: 1 << 12)
  private var lines = RepeatedSpans()
  private var paragraphs = RepeatedSpans()
  private var common = CommonNGrams()
  private var repeated = RepeatedNGrams()
  private var rewrite = C4Rewrite()
  private var rewritten = RewrittenLines()

  /// Prepares the tables, which takes some milliseconds.
  package init(profile: QualityProfile) { self.profile = profile }

  /// Computes every signal of `text`, and the first rule of the profile that it fails.
  ///
  /// - Parameter text: UTF-8, of which the first 2^32 − 2 bytes are read. Of a text that is not valid UTF-8, lengths count the
  ///   bytes that are no continuation bytes.
  package mutating func score(_ text: UnsafeRawBufferPointer) -> QualityResult {
    var result = QualityResult()
    tokenizer.read(text, into: &stream)
    measureWords(&result)
    if let base = text.baseAddress {
      let bytes = base.assumingMemoryBound(to: UInt8.self)
      measureRepetition(bytes, min(text.count, Int(UInt32.max) - 1), &result)
      measureLines(bytes, &result)
      measureRewritten(bytes, &result)
    }
    result.failedRule = profile.rules.firstIndex { $0.fails(result[$0.signal]) }
    return result
  }

  /// Gopher's measures of words; also collects the words.
  private mutating func measureWords(_ result: inout QualityResult) {
    let traits = tokenizer.cache.words.traits.base
    words.removeAll(keepingAtMost: 1 << 18)
    words.reserve(stream.tokenBuffer.count)
    var (nonSymbol, length, alphabetic) = (0, 0, 0)
    var stopWords: UInt8 = 0
    for position in 0..<stream.tokenBuffer.count {
      let token = stream.tokenBuffer[position]
      if token.isSpace { continue }
      words.append(token.word)
      let word = traits[Int(token.word)]
      if word.flags.contains(.hasNonSymbol) {
        nonSymbol &+= 1
        length &+= Int(word.scalarCount)
      }
      if word.flags.contains(.hasLetter) { alphabetic &+= 1 }
      stopWords |= word.stopWord
    }
    let count = Double(words.count)
    result[.characters] = Double(stream.scalarCount)
    result[.words] = count
    result[.nonSymbolWords] = Double(nonSymbol)
    result[.averageWordLength] = Double(length) / Double(nonSymbol)
    result[.hashRatio] = Double(stream.hashCount) / count
    result[.ellipsisRatio] = Double(stream.ellipsisCount) / count
    result[.alphabeticWords] = Double(alphabetic) / count
    result[.stopWords] = Double(stopWords.nonzeroBitCount)
  }

  /// Gopher's measures of repetition.
  private mutating func measureRepetition(
    _ text: UnsafePointer<UInt8>, _ count: Int, _ result: inout QualityResult
  ) {
    let length = Double(stream.scalarCount)
    addLines(text, count)
    addParagraphs(text, count)
    result[.duplicateParagraphs] = Double(paragraphs.repeatedCount) / Double(paragraphs.count)
    result[.duplicateParagraphCharacters] = Double(paragraphs.repeatedScalars) / length
    result[.duplicateLines] = Double(lines.repeatedCount) / Double(lines.count)
    result[.duplicateLineCharacters] = Double(lines.repeatedScalars) / length
    let traits = tokenizer.cache.words.traits.base
    let top = common.measure(words, traits)
    result[.top2Gram] = top.two.map { Double($0) / length } ?? .nan
    result[.top3Gram] = top.three.map { Double($0) / length } ?? .nan
    result[.top4Gram] = top.four.map { Double($0) / length } ?? .nan
    let lengths = repeated.measure(words, traits, dense: stream.dense)
    for place in lengths.indices {
      result.signals[QualitySignal.duplicated5Grams.index + place] = Double(lengths[place]) / length
    }
  }

  /// Lines as CPython's `re.split("\n+", text)` makes them: with an empty one where the text begins or ends with a feed.
  private mutating func addLines(_ text: UnsafePointer<UInt8>, _ count: Int) {
    lines.removeAll()
    var start = 0
    while true {
      let end = text.lineFeed(in: start..<count)
      lines.add(text, start..<end)
      guard end < count else { return }
      start = end
      while start < count, text[start] == 0x0A { start += 1 }
    }
  }

  /// Paragraphs as CPython's `re.split(r"\n{2,}", text.strip())` makes them.
  private mutating func addParagraphs(_ text: UnsafePointer<UInt8>, _ count: Int) {
    paragraphs.removeAll()
    let range = text.stripped(0..<count)
    var start = range.lowerBound
    var search = start
    while true {
      let end = text.lineFeed(in: search..<range.upperBound)
      if end + 1 < range.upperBound, text[end + 1] != 0x0A {
        search = end + 1
        continue
      }
      paragraphs.add(text, start..<end)
      guard end < range.upperBound else { return }
      start = end
      while text[start] == 0x0A { start += 1 }
      search = start
    }
  }

  /// Gopher's measures of lines.
  private func measureLines(_ text: UnsafePointer<UInt8>, _ result: inout QualityResult) {
    var (bullets, ellipses) = (0, 0)
    for index in 0..<stream.lines.count {
      let (start, end) = (Int(stream.lines[index].start), Int(stream.lines[index].end))
      if text[start] == UInt8(ascii: "-") || matches(text, at: start, end: end, "•") { bullets += 1 }
      if end - start >= 3,
        matches(text, at: end - 3, end: end, "...") || matches(text, at: end - 3, end: end, "…")
      {
        ellipses += 1
      }
    }
    result[.bulletLines] = Double(bullets) / Double(stream.lineCount)
    result[.ellipsisLines] = Double(ellipses) / Double(stream.lineCount)
  }

  /// C4's measures, and FineWeb's of the text that C4 leaves.
  private mutating func measureRewritten(_ text: UnsafePointer<UInt8>, _ result: inout QualityResult) {
    rewrite.apply(
      to: text, stream, keepsUnterminatedLines: profile.keepsUnterminatedLines, &tokenizer)
    rewritten.measure(text, rewrite)
    result[.loremIpsum] = rewrite.refusal == .loremIpsum ? 1 : 0
    result[.curlyBracket] = rewrite.refusal == .curlyBracket ? 1 : 0
    result[.sentences] = Double(rewrite.sentenceCount)
    result[.keptLines] = Double(rewrite.lines.count)
    let count = Double(rewritten.lineCount)
    result[.rewrittenLines] = count
    result[.punctuatedLines] = Double(rewritten.punctuatedCount) / count
    result[.shortLines] = Double(rewritten.shortCount) / count
    result[.duplicateCharacters] = Double(rewritten.repeatedScalars) / Double(rewritten.scalarCount)
    result[.lineFeedRatio] = Double(rewritten.lineFeedCount) / Double(rewrite.wordCount)
  }
}
