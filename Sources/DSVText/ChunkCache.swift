/// What a chunk of more than two tokens, or one that is unusual otherwise, comes to.
struct ChunkRecord: BitwiseCopyable {
  /// Its tokens in the cache; they start at bytes counted from the chunk's start.
  var firstToken: UInt32
  var tokenCount: UInt32
  var scalarCount: UInt32
  /// How many `#` it holds.
  var hashCount: UInt32
  /// How many `...` and `…` it holds.
  var ellipsisCount: UInt32
}

/// Remembers the tokens of every chunk seen, so that each distinct one is split once.
struct ChunkCache: ~Copyable {
  private var table = ChunkTable()
  private(set) var records = ReusedBuffer<ChunkRecord>(capacity: 1 << 13)
  private(set) var tokens = ReusedBuffer<Token>(capacity: 1 << 14)
  private var splitter = ChunkSplitter()
  private let matcher: PhraseMatcher
  private let cases: SpecialCases
  private(set) var words: WordTable
  /// How many chunks it may know before a text is read.
  private let limit: Int

  /// Prepares the exceptions, which takes some milliseconds.
  init(limit: Int) {
    self.limit = limit
    var words = WordTable()
    let cases = SpecialCases(numberingIn: &words)
    matcher = Self.matcher(cases, &splitter, &words)
    words.keepPermanently()
    self.words = words
    self.cases = cases
  }

  /// What the chunk of `count` bytes at `bytes` comes to.
  @inline(__always)
  mutating func chunk(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Chunk {
    let key = table.key(bytes, count)
    let found = table.find(key)
    return found.kind == .none ? add(key, bytes, count) : found
  }

  /// Forgets what it knows if that has become much.
  mutating func trim() {
    guard table.count > limit || tokens.count > 8 * limit || words.count > 2 * limit + 4096 else { return }
    table.removeAll()
    records.removeAll(keepingAtMost: 1 << 18)
    tokens.removeAll(keepingAtMost: 1 << 19)
    words.removeAll()
  }

  /// Whether the two words, next to each other, can be part of one exception's pattern.
  func isPhrasePair(_ first: UInt32, _ second: UInt32) -> Bool { matcher.holdsPair(first, second) }

  /// Applies the exceptions' patterns to the tokens of `stream` from `first` on.
  func applyPhrases(to stream: inout ReusedBuffer<Token>, from first: Int) {
    _ = matcher.apply(to: &stream, from: first, cases, words)
  }

  @inline(never)
  private mutating func add(_ key: StringKey, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Chunk {
    let first = tokens.count
    splitter.split(bytes, 0..<count, usingCases: true, cases, &words, into: &tokens)
    let contents = ChunkContents(bytes, count)
    var chunk = Chunk(key: key, first: tokens[first].word)
    chunk.marks = contents.marks.union(phraseMarks(from: first))
    let tokenCount = tokens.count - first
    if tokenCount <= 2, count < 256, contents.hashCount + contents.ellipsisCount == 0 {
      chunk.kind = tokenCount == 1 ? .one : .two
      chunk.scalarCount = UInt8(contents.scalarCount)
      if tokenCount == 2 {
        chunk.second = tokens[first + 1].word
        chunk.secondStart = UInt8(tokens[first + 1].start)
      }
      tokens.truncate(to: first)
    } else {
      chunk.kind = .recorded
      chunk.second = UInt32(truncatingIfNeeded: records.count)
      records.append(
        ChunkRecord(
          firstToken: UInt32(truncatingIfNeeded: first), tokenCount: UInt32(truncatingIfNeeded: tokenCount),
          scalarCount: contents.scalarCount, hashCount: contents.hashCount,
          ellipsisCount: contents.ellipsisCount))
    }
    table.insert(chunk)
    return chunk
  }

  /// Whether patterns can touch the tokens from `first` on.
  private func phraseMarks(from first: Int) -> ChunkMarks {
    var marks: ChunkMarks = []
    var pair = false
    var previous: WordFlags = []
    for position in first..<tokens.count {
      let flags = words.traits[Int(tokens[position].word)].flags
      pair = pair || previous.contains(.startsPhrase) && flags.contains(.continuesPhrase)
      previous = flags
    }
    if words.traits[Int(tokens[first].word)].flags.contains(.continuesPhrase) {
      marks.insert(.firstContinues)
    }
    if !previous.isDisjoint(with: [.startsPhrase, .continuesPhrase]) { marks.insert(.lastStarts) }
    guard pair else { return marks }
    var copy = ReusedBuffer<Token>(capacity: tokens.count - first)
    for position in first..<tokens.count { copy.append(tokens[position]) }
    if matcher.apply(to: &copy, from: 0, cases, words) { marks.insert(.phrase) }
    return marks
  }

  /// The patterns of the exceptions that spaCy's second pass looks for.
  ///
  /// Those of one word are left out: they change nothing, and hide nothing that is longer.
  private static func matcher(
    _ cases: borrowing SpecialCases, _ splitter: inout ChunkSplitter, _ words: inout WordTable
  ) -> PhraseMatcher {
    var matcher = PhraseMatcher()
    var pattern = ReusedBuffer<Token>()
    for rule in SpecialCases.rules() {
      let string = rule.flatMap(\.self)
      string.withUnsafeBufferPointer { bytes in
        guard let base = bytes.baseAddress, splitter.hasAffix(base, 0..<bytes.count) else { return }
        pattern.removeAll()
        splitter.split(base, 0..<bytes.count, usingCases: false, cases, &words, into: &pattern)
        guard pattern.count > 1, let special = cases.find(base, bytes.count) else { return }
        let numbers = (0..<pattern.count).map { pattern[$0].word }
        words.mark(numbers[0], .startsPhrase)
        for number in numbers.dropFirst() { words.mark(number, .continuesPhrase) }
        matcher.add(numbers, special: special)
      }
    }
    return matcher
  }
}
