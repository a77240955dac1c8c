/// One token of a text.
package struct Token: BitwiseCopyable {
  /// The word's number in its tokenizer, good until the next text is read; 0 for white space.
  package var word: UInt32
  /// Where it starts, in bytes from the start of the text.
  package var start: UInt32

  /// Whether the token is white space, which spaCy makes a token of and datatrove drops.
  package var isSpace: Bool { word == 0 }
}

/// What one run of scalars without white space holds that only C4's rules and the phrase matcher care for.
struct ChunkMarks: OptionSet, BitwiseCopyable {
  let rawValue: UInt8

  /// A `[`, with which a citation starts.
  static let bracket = ChunkMarks(rawValue: 1 << 0)
  /// A `{`.
  static let brace = ChunkMarks(rawValue: 1 << 1)
  /// More than 1,000 scalars.
  static let long = ChunkMarks(rawValue: 1 << 2)
  /// A word without which none of C4's phrases can occur.
  static let suspect = ChunkMarks(rawValue: 1 << 3)
  /// The first token can be the second or a later one of an exception's pattern.
  static let firstContinues = ChunkMarks(rawValue: 1 << 4)
  /// The last token can be the first or a later one of an exception's pattern.
  static let lastStarts = ChunkMarks(rawValue: 1 << 5)
  /// An exception's pattern changes its tokens.
  static let phrase = ChunkMarks(rawValue: 1 << 6)
}

/// A line of a text in the sense of CPython's `str.splitlines`, without the white space around it. Never empty.
struct TextLine: BitwiseCopyable {
  /// Its bytes in the text.
  var start: UInt32
  var end: UInt32
  /// Its tokens in the stream; tokens of white space inside the line are among them.
  var firstToken: UInt32
  var endToken: UInt32
  /// How many words CPython's `str.split` makes of it.
  var chunkCount: UInt32
  /// What its chunks hold, together.
  var marks: ChunkMarks
}

/// What a tokenizer reads out of one text. Reused from text to text.
package struct TokenStream: ~Copyable {
  var tokenBuffer = ReusedBuffer<Token>(capacity: 1 << 12)
  /// The bytes of the text without white space.
  var dense = ReusedBuffer<UInt8>(capacity: 1 << 14)
  /// The lines that are not blank.
  var lines = ReusedBuffer<TextLine>(capacity: 1 << 8)
  /// How many lines there are, blank ones too.
  var lineCount = 0
  /// The length of the text in Unicode scalars.
  package internal(set) var scalarCount = 0
  /// How many `#` there are.
  var hashCount = 0
  /// How many `...` and `…` there are.
  var ellipsisCount = 0

  /// Makes an empty one.
  package init() {}

  /// The tokens in order, valid until the stream is written again or ends.
  package var tokens: UnsafeBufferPointer<Token> {
    UnsafeBufferPointer(start: tokenBuffer.base, count: tokenBuffer.count)
  }

  mutating func removeAll() {
    tokenBuffer.removeAll(keepingAtMost: 1 << 19)
    dense.removeAll(keepingAtMost: 1 << 19)
    lines.removeAll(keepingAtMost: 1 << 18)
    lineCount = 0
    scalarCount = 0
    hashCount = 0
    ellipsisCount = 0
  }
}
