/// Splits one chunk, a run of scalars without white space, into spaCy's English tokens.
///
/// A port of `_split_affixes` and `_attach_tokens` of `spacy/tokenizer.pyx`, 3.8.18. Time is linear in the chunk: each
/// round takes a prefix or a suffix off, and looks at a bounded number of bytes besides.
struct ChunkSplitter: ~Copyable {
  private let rules = AffixRules()
  private let address = URLPattern()
  /// Where the suffixes that were taken off start, last one first.
  private var suffixes = ReusedBuffer<Int>()

  /// Whether spaCy's second pass looks for this exception.
  func hasAffix(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
    rules.prefixByteCount(text, range) > 0 || rules.suffixByteCount(text, range) > 0
      || rules.infix(text, in: range, of: range) != nil
  }

  /// Appends the tokens of `chunk` to `tokens`. Without `cases`, as spaCy makes an exception's pattern.
  mutating func split(
    _ text: UnsafePointer<UInt8>, _ chunk: Range<Int>, usingCases: Bool, _ cases: borrowing SpecialCases,
    _ words: inout WordTable, into tokens: inout ReusedBuffer<Token>
  ) {
    suffixes.removeAll(keepingAtMost: 1 << 16)
    var start = chunk.lowerBound
    var end = chunk.upperBound
    func isCase(_ start: Int, _ end: Int, _ cases: borrowing SpecialCases) -> Bool {
      usingCases && cases.find(text + start, end - start) != nil
    }
    var lastCount = 0
    while start < end, end - start != lastCount, !isCase(start, end, cases) {
      lastCount = end - start
      let prefix = rules.prefixByteCount(text, start..<end)
      if prefix > 0, isCase(start + prefix, end, cases) {
        append(text, start..<start + prefix, &words, &tokens)
        start += prefix
        break
      }
      let suffix = rules.suffixByteCount(text, start + prefix..<end)
      if suffix > 0, isCase(start, end - suffix, cases) {
        suffixes.append(end - suffix)
        end -= suffix
        break
      }
      if prefix > 0 { append(text, start..<start + prefix, &words, &tokens) }
      if suffix > 0 { suffixes.append(end - suffix) }
      start += prefix
      end -= suffix
    }
    if start < end {
      if usingCases, let special = cases.find(text + start, end - start) {
        appendCase(special, at: start, cases, words, &tokens)
      } else if address.matches(text, start..<end) {
        append(text, start..<end, &words, &tokens)
      } else {
        splitAtInfixes(text, start..<end, &words, &tokens)
      }
    }
    for position in stride(from: suffixes.count - 1, through: 0, by: -1) {
      let next = position > 0 ? suffixes[position - 1] : chunk.upperBound
      append(text, suffixes[position]..<next, &words, &tokens)
    }
  }

  private func appendCase(
    _ special: Int, at start: Int, _ cases: borrowing SpecialCases, _ words: borrowing WordTable,
    _ tokens: inout ReusedBuffer<Token>
  ) {
    var position = UInt32(truncatingIfNeeded: start)
    for word in cases.words(of: special) {
      tokens.append(Token(word: word, start: position))
      position &+= words.traits[Int(word)].byteCount
    }
  }

  private func splitAtInfixes(
    _ text: UnsafePointer<UInt8>, _ range: Range<Int>, _ words: inout WordTable,
    _ tokens: inout ReusedBuffer<Token>
  ) {
    var done = range.lowerBound
    var searched = range.lowerBound
    while let infix = rules.infix(text, in: searched..<range.upperBound, of: range) {
      searched = infix.upperBound
      // spaCy leaves an infix at the very start where it is.
      guard infix.lowerBound > range.lowerBound else { continue }
      if done < infix.lowerBound { append(text, done..<infix.lowerBound, &words, &tokens) }
      append(text, infix, &words, &tokens)
      done = infix.upperBound
    }
    if done < range.upperBound { append(text, done..<range.upperBound, &words, &tokens) }
  }

  private func append(
    _ text: UnsafePointer<UInt8>, _ range: Range<Int>, _ words: inout WordTable,
    _ tokens: inout ReusedBuffer<Token>
  ) {
    let word = words.number(text + range.lowerBound, range.count)
    tokens.append(Token(word: word, start: UInt32(truncatingIfNeeded: range.lowerBound)))
  }
}
