import DSVText
import Testing

/// The edges of every rule. The verdicts are datatrove's on the same texts.
@Suite struct QualityRuleTests {
  let prose = Fixtures.prose

  @Test("prose is kept by every profile", arguments: QualityProfile.all)
  func kept(profile: QualityProfile) { #expect(Fixtures.verdict(prose, profile) == "kept") }

  @Test("an empty text is empty, and white space is short")
  func empty() {
    #expect(Fixtures.verdict("") == "gopher_rep.empty")
    #expect(Fixtures.verdict("", .c4) == "c4.too_few_sentences")
    #expect(Fixtures.verdict(" \n") == "gopher_quality.gopher_short_doc")
    #expect(Fixtures.score("")[.top2Gram].isNaN)
  }

  @Test("paragraphs count from their second occurrence, lines too, and empty first and last lines are lines")
  func duplicates() {
    let result = Fixtures.score("\none\n\n\none\n\ntwo\n")
    #expect(result[.duplicateParagraphs] == 1.0 / 3)
    #expect(result[.duplicateParagraphCharacters] == 3.0 / 16)
    #expect(result[.duplicateLines] == 2.0 / 5)
    #expect(result[.duplicateLineCharacters] == 3.0 / 16)
  }

  @Test("the first of the commonest n-grams counts, with its spaces and all its occurrences")
  func commonest() {
    let result = Fixtures.score("a bb a bb cccc d cccc d")
    #expect(result[.top2Gram] == 8.0 / 23)
    #expect(result[.top3Gram] == 6.0 / 23)
    #expect(Fixtures.score("a b")[.top3Gram].isNaN)
  }

  @Test("repeated n-grams are joined by nothing, and the search goes on behind them")
  func repeated() {
    // "1 23" and "12 3" are the same to datatrove.
    let result = Fixtures.score("q w e r 1 23 x q w e r 12 3 y")
    #expect(result[.duplicated5Grams] == 6.0 / 29)
    #expect(result[.duplicated6Grams] == 7.0 / 29)
    let twice = Fixtures.score("a b c d e f a b c d e f")
    #expect(twice[.duplicated5Grams] == 5.0 / 23)
    #expect(twice[.duplicated6Grams] == 6.0 / 23)
    #expect(twice[.duplicated7Grams] == 0)
  }

  @Test("repeated n-grams of a long text, whose sizes are measured one by one")
  func repeatedInLongText() {
    let text = Array(repeating: "a b c d e f g h i j", count: 14_000).joined(separator: " ")
    let result = Fixtures.score(text)
    for size in 5...10 {
      let repeated = Double((139_990 / size) * size)
      #expect(result.signals[QualitySignal.duplicated5Grams.index + size - 5] == repeated / 279_999)
    }
  }

  @Test("50 words are enough, and 100,000 are not too many")
  func length() {
    let number = { (count: Int) in (0..<count).map { "w\($0 * 7919 % 999_983)" }.joined(separator: " ") }
    func verdict(_ count: Int) -> String { Fixtures.verdict("the of " + number(count - 2), .gopher) }
    #expect(verdict(49) == "gopher_quality.gopher_short_doc")
    #expect(verdict(50) == "kept")
    #expect(verdict(100_000) == "kept")
    #expect(verdict(100_001) == "gopher_quality.gopher_long_doc")
  }

  @Test("words of punctuation alone have no length")
  func wordLength() {
    let result = Fixtures.score("one !!! three — 5.")
    #expect(result[.nonSymbolWords] == 3)
    #expect(result[.averageWordLength] == 3)
  }

  @Test("signs, lines and letters")
  func signs() {
    let result = Fixtures.score("# a....... b…\n- c ...\n  • d\r\n\n e1 …")
    #expect(result[.words] == 12)
    #expect(result[.hashRatio] == 1.0 / 12)
    #expect(result[.ellipsisRatio] == 5.0 / 12)
    #expect(result[.bulletLines] == 2.0 / 5)
    #expect(result[.ellipsisLines] == 3.0 / 5)
    #expect(result[.alphabeticWords] == 5.0 / 12)
  }

  @Test("stop words count once each, in lower case")
  func stopWords() {
    #expect(Fixtures.score("the the The of that")[.stopWords] == 3)
  }

  @Test("C4 stops at the first of lorem ipsum and a curly bracket that it sees")
  func refusals() {
    #expect(Fixtures.verdict(prose + "\nHere is Lorem IPSUM for { you.") == "c4.lorem_ipsum")
    #expect(Fixtures.verdict(prose + "\nHere { it is.\nHere is lorem ipsum too.") == "c4.curly_bracket")
    // Lines that are dropped before are not looked at.
    #expect(Fixtures.verdict(prose + "\n{ }") == "kept")
    #expect(Fixtures.verdict(prose + "\nJavaScript has a { in it.") == "kept")
    #expect(
      Fixtures.verdict(prose + "\n" + String(repeating: "x", count: 1001) + " { is long.", .c4) == "kept")
  }

  @Test("lines that C4 drops have no sentences")
  func droppedLines() {
    func sentences(_ text: String) -> Double { Fixtures.score(text, .c4)[.sentences] }
    #expect(sentences("One is here. Two is here! \"Three\"?\nFour is here.") == 4)
    #expect(sentences("One is here.\nNot this one\nNor this one...\nNot this.") == 1)
    #expect(sentences("Read the Terms of Use here.\nWe use coo\u{212A}ies here.\nOne is here.") == 1)
    #expect(sentences("One is[1] here.[citation needed]\n[1] [22] [edit].") == 2)
    #expect(Fixtures.score("One is here\nand here…")[.sentences] == 1)
  }

  @Test("FineWeb measures the text that C4 leaves")
  func rewritten() {
    let result = Fixtures.score("A javascript line.\n  One is here.[1]\t\nx\nOne is here.\nTwo is not here")
    #expect(result[.rewrittenLines] == 3)
    #expect(result[.keptLines] == 3)
    #expect(result[.punctuatedLines] == 2.0 / 3)
    #expect(result[.shortLines] == 1)
    #expect(result[.duplicateCharacters] == 12.0 / 39)
    #expect(result[.lineFeedRatio] == 2.0 / 12)
  }

  @Test("lines made blank by the removal of citations are no lines")
  func blankLines() {
    let result = Fixtures.score(String(repeating: "[1] [2] [3]\n", count: 5))
    #expect(result[.sentences] == 5)
    #expect(result[.keptLines] == 5)
    #expect(result[.rewrittenLines] == 0)
    #expect(result[.punctuatedLines].isNaN)
  }
}
