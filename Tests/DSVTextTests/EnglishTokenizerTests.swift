import DSVText
import Testing

@Suite struct EnglishTokenizerTests {
  @Test("strings made to be hard come out as spaCy's tokens")
  func frozen() throws {
    var tokenizer = EnglishTokenizer()
    var wrong: [String] = []
    let rows = try Fixtures.rows("tokens.jsonl")
    for case let row as [String] in rows {
      let words = Fixtures.words(row[0], &tokenizer)
      if words != Array(row.dropFirst()) { wrong.append("\(row): \(words)") }
    }
    #expect(wrong.isEmpty)
    #expect(rows.count >= 3000)
  }

  @Test(
    "each kind of rule",
    arguments: [
      ("don't", ["do", "n't"]), ("(it’s)", ["(", "it", "’s", ")"]), ("10p.m.", ["10", "p.m."]),
      ("end.", ["end", "."]), ("U.S.A.", ["U.S.A."]), ("wait...", ["wait", "..."]),
      ("a-b--c", ["a", "-", "b", "--", "c"]), ("1-2", ["1", "-", "2"]), ("x:y", ["x", ":", "y"]),
      ("5km", ["5", "km"]), ("US$5", ["US$", "5"]), ("+5", ["+5"]), ("+x", ["+", "x"]),
      ("http://a.example.org/b?c#d.", ["http://a.example.org/b?c#d", "."]),
      ("me@example.org", ["me@example.org"]), ("8.8.8.8:53", ["8.8.8.8:53"]), ("foo:)", ["foo", ":)"]),
      ("\"Mr.\"", ["\"", "Mr.", "\""]),
    ])
  func kinds(text: String, words: [String]) { #expect(Fixtures.words(text) == words) }

  @Test("a pattern across a space joins nothing, but hides a shorter one, as in spaCy")
  func acrossSpace() {
    #expect(Fixtures.words(": )") == [":", ")"])
    #expect(Fixtures.words("a :) b") == ["a", ":)", "b"])
  }

  @Test("white space is a token only where it is more than one space after a word")
  func whiteSpace() {
    var tokenizer = EnglishTokenizer()
    var stream = TokenStream()
    func kinds(_ text: StaticString) -> [Bool] {
      tokenizer.read(
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), into: &stream)
      return stream.tokens.map(\.isSpace)
    }
    #expect(kinds("a b") == [false, false])
    #expect(kinds("a  b") == [false, true, false])
    #expect(kinds(" a\n") == [true, false, true])
    #expect(kinds("a ") == [false])
    #expect(kinds(" ") == [true])
    #expect(kinds("") == [])
  }

  @Test("forgetting what it remembers changes no token")
  func forgetting() throws {
    var tokenizer = EnglishTokenizer(remembering: 100)
    for case let row as [String] in try Fixtures.rows("tokens.jsonl").prefix(1500) {
      #expect(Fixtures.words(row[0], &tokenizer) == Array(row.dropFirst()))
    }
  }
}
