/// What CPython, spaCy and datatrove ask of one Unicode scalar, as a set of bits.
///
/// The names say whose question each one is, since the answers differ: CPython's `isalpha` knows more letters than
/// spaCy's `ALPHA`. The order is that of `fixtures/quality/make_tables.py`.
struct ScalarClass: OptionSet {
  let rawValue: UInt32

  /// CPython's `str.isspace`, which is also `\s` of its `re`.
  static let space = ScalarClass(rawValue: 1 << 0)
  /// Ends a line for CPython's `str.splitlines`.
  static let lineBreak = ScalarClass(rawValue: 1 << 1)
  /// CPython's `str.isalpha`.
  static let letter = ScalarClass(rawValue: 1 << 2)
  /// `\w` of CPython's `re`.
  static let wordCharacter = ScalarClass(rawValue: 1 << 3)
  /// CPython's `str.isdecimal`, which is `\d` of its `re`.
  static let decimal = ScalarClass(rawValue: 1 << 4)
  /// General category P*: spaCy's `is_punct` asks it of every scalar of a token.
  static let punctuation = ScalarClass(rawValue: 1 << 5)
  /// datatrove's `PUNCTUATION_SET`: a word of these alone is a symbol to Gopher.
  static let symbol = ScalarClass(rawValue: 1 << 6)
  /// datatrove's `TERMINAL_PUNCTUATION`: ends a line for FineWeb.
  static let terminal = ScalarClass(rawValue: 1 << 7)
  /// `default_punct_chars` of spaCy's `Sentencizer`.
  static let sentenceEnd = ScalarClass(rawValue: 1 << 8)
  /// spaCy's `ALPHA`.
  static let alpha = ScalarClass(rawValue: 1 << 9)
  /// spaCy's `ALPHA_LOWER`, which holds the letters of scripts without case too.
  static let lower = ScalarClass(rawValue: 1 << 10)
  /// spaCy's `ALPHA_UPPER`, which holds the letters of scripts without case too.
  static let upper = ScalarClass(rawValue: 1 << 11)
  /// Alone a prefix for spaCy, whatever follows.
  static let prefix = ScalarClass(rawValue: 1 << 12)
  /// Alone a suffix for spaCy, whatever precedes.
  static let suffix = ScalarClass(rawValue: 1 << 13)
  /// Alone an infix for spaCy, whatever surrounds it: `…` and the pictures.
  static let infix = ScalarClass(rawValue: 1 << 14)
  /// spaCy's `CONCAT_QUOTES`.
  static let quote = ScalarClass(rawValue: 1 << 15)
  /// A full stop after one of these is a suffix for spaCy.
  static let beforeStop = ScalarClass(rawValue: 1 << 16)
  /// spaCy's one-scalar currency signs: a suffix after an ASCII digit.
  static let currency = ScalarClass(rawValue: 1 << 17)
}
