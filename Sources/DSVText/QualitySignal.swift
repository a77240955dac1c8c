/// What is measured of a document. The raw value is the column's name, and never changes its meaning.
///
/// Each one is what a rule of datatrove 0.10.1 compares, under the name of the rule's reason where there is one. Lengths
/// are in Unicode scalars; words are tokens of spaCy's blank English tokenizer without white space. A signal that is not
/// defined for a document (a share of nothing) is NaN, and fails no rule.
package enum QualitySignal: String, CaseIterable, Sendable {
  /// The length of the text.
  case characters = "text.characters"
  /// The share of paragraphs that occurred before. Paragraphs are parted by two or more line feeds.
  case duplicateParagraphs = "gopher_rep.dup_para_frac"
  /// The share of the text's length in paragraphs that occurred before.
  case duplicateParagraphCharacters = "gopher_rep.dup_para_char_frac"
  /// The share of lines that occurred before. Lines are parted by one or more line feeds.
  case duplicateLines = "gopher_rep.dup_line_frac"
  /// The share of the text's length in lines that occurred before.
  case duplicateLineCharacters = "gopher_rep.dup_line_char_frac"
  /// The length of the commonest pair of words, joined by a space, times its count, by the text's length.
  case top2Gram = "gopher_rep.top_2_gram"
  /// As `top2Gram`, for three words.
  case top3Gram = "gopher_rep.top_3_gram"
  /// As `top2Gram`, for four words.
  case top4Gram = "gopher_rep.top_4_gram"
  /// The length of five words in a row, joined by nothing, that occurred before, summed, by the text's length.
  case duplicated5Grams = "gopher_rep.duplicated_5_n_grams"
  /// As `duplicated5Grams`, for six words.
  case duplicated6Grams = "gopher_rep.duplicated_6_n_grams"
  /// As `duplicated5Grams`, for seven words.
  case duplicated7Grams = "gopher_rep.duplicated_7_n_grams"
  /// As `duplicated5Grams`, for eight words.
  case duplicated8Grams = "gopher_rep.duplicated_8_n_grams"
  /// As `duplicated5Grams`, for nine words.
  case duplicated9Grams = "gopher_rep.duplicated_9_n_grams"
  /// As `duplicated5Grams`, for ten words.
  case duplicated10Grams = "gopher_rep.duplicated_10_n_grams"
  /// How many words there are.
  case words = "gopher_quality.words"
  /// How many words there are that are not punctuation alone.
  case nonSymbolWords = "gopher_quality.non_symbol_words"
  /// The mean length of the words that are not punctuation alone.
  case averageWordLength = "gopher_quality.avg_word_length"
  /// How many `#` there are for each word.
  case hashRatio = "gopher_quality.hash_ratio"
  /// How many `...` and `…` there are for each word.
  case ellipsisRatio = "gopher_quality.ellipsis_ratio"
  /// The share of lines that start with `•` or `-`, white space aside.
  case bulletLines = "gopher_quality.bullet_lines_ratio"
  /// The share of lines that end with `...` or `…`, white space aside.
  case ellipsisLines = "gopher_quality.ellipsis_lines_ratio"
  /// The share of words with a letter.
  case alphabeticWords = "gopher_quality.alpha_words_ratio"
  /// How many of the, be, to, of, and, that, have, with occur, in lower case: 0 to 8.
  case stopWords = "gopher_quality.stop_words"
  /// 1 where C4 refuses the document for "lorem ipsum", 0 elsewhere.
  case loremIpsum = "c4.lorem_ipsum"
  /// 1 where C4 refuses the document for a `{`, 0 elsewhere. At most one of the two is 1: the one met first.
  case curlyBracket = "c4.curly_bracket"
  /// How many sentences spaCy's sentencizer finds in the lines that C4 keeps, each line by itself.
  case sentences = "c4.sentences"
  /// How many lines C4 keeps.
  case keptLines = "c4.kept_lines"
  /// How many lines that are not blank the text has as C4 rewrites it. This and the next four are of that text.
  case rewrittenLines = "fineweb.lines"
  /// The share of lines that end with terminal punctuation.
  case punctuatedLines = "fineweb.line_punct_ratio"
  /// The share of lines of 30 or fewer scalars.
  case shortLines = "fineweb.short_line_ratio"
  /// The share of the text's length, line feeds aside, in lines that occurred before.
  case duplicateCharacters = "fineweb.char_dup_ratio"
  /// How many line feeds there are for each word.
  case lineFeedRatio = "fineweb.list_ratio"

  /// How many signals there are.
  package static let count = 32

  /// The signal's place in the order of all.
  package var index: Int { Self.places[self, default: 0] }

  private static let places = Dictionary(
    uniqueKeysWithValues: allCases.enumerated().map { ($0.element, $0.offset) })
}
