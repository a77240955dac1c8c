import DSVExpression
import DSVFormat
import Testing

@Suite struct ParserTests {
  @Test(
    "an expression has one canonical text",
    arguments: [
      ("a==1 AND NOT b<>2", "a = 1 and not b != 2"),
      ("(a = 1 or b = 2) and c = 3", "(a = 1 or b = 2) and c = 3"),
      ("((a)) = (1)", "a = 1"),
      ("a - (b - c) = -5", "a - (b - c) = -5"),
      ("(a - b) - c = - 5", "a - b - c = -5"),
      ("-(5) = a", "-(5) = a"),
      ("- -a = 1", "--a = 1"),
      ("`a b`.\"or\".`in``to` is Not Missing", "\"a b\".\"or\".\"in`to\" is not missing"),
      ("LENGTH(meta . lang) > 1e3", "length(meta.lang) > 1000.0"),
      (
        "x not in('it''s', -9223372036854775808, 18446744073709551615)",
        "x not in ('it''s', -9223372036854775808, 18446744073709551615)"
      ),
      ("s LIKE 'a!%%' ESCAPE '!' or s not like '_'", "s like 'a!%%' escape '!' or s not like '_'"),
      ("a between 1+1 and .5 and (b is null) = true", "a between 1 + 1 and 0.5 and (b is null) = true"),
      ("größe > 1", "\"größe\" > 1"),
    ])
  func canonical(text: String, wanted: String) throws {
    let expression = try Expression(parsing: text)
    #expect(expression.description == wanted)
    #expect(try Expression(parsing: wanted) == expression)
  }

  @Test(
    "a mistake is shown where it is",
    arguments: [
      ("", 1), ("a = ", 5), ("a = 'x", 5), ("a = 1 b", 7), ("a ! b", 3), ("a = 1x", 6), ("(a = 1", 7),
      ("a.1 = 2", 2),
      ("a in ()", 7), ("a is nul", 6), ("matches(s, 'a.*')", 1), ("lenght(s) = 1", 1),
      ("length(s, s) = 1", 1),
      ("a = 18446744073709551616", 5), ("a = -9223372036854775809", 5), ("a = 1e999", 5), ("a < b < c", 7),
      ("s like 'a!' escape '!'", 8), ("a not 1", 7), ("1 is missing", 1), ("\"\" = 1", 1), ("é = é = é", 7),
    ])
  func mistakes(text: String, character: Int) throws {
    let error = try #require(throws: DSVError.self) { try Expression(parsing: text) }
    #expect(error.code == .badInput)
    #expect(error.message.hasPrefix("character \(character): "), "\(text): \(error.message)")
    let lines = error.message.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.last.map(String.init) == String(repeating: " ", count: character + 1) + "^")
  }

  @Test("regular expressions are refused by name, and a misspelt function has a suggestion")
  func unknownFunctions() throws {
    let regex = try #require(throws: DSVError.self) { try Expression(parsing: "matches(s, 'a.*')") }
    #expect(regex.message.contains("not supported"))
    let misspelt = try #require(throws: DSVError.self) { try Expression(parsing: "start_with(s, 'a')") }
    #expect(misspelt.message.contains("is it starts_with?"))
  }

  @Test("nesting and length have limits, and the stack holds at the limit")
  func limits() throws {
    func nested(_ open: String, _ close: String, _ count: Int) -> String {
      String(repeating: open, count: count) + "b" + String(repeating: close, count: count)
    }
    let fields = [Field("b", .bool), Field("i", .int64)]
    _ = try CheckedExpression(parsing: nested("(", ")", 200), fields: fields)
    _ = try CheckedExpression(parsing: nested("not ", "", 199), fields: fields)
    _ = try CheckedExpression(parsing: nested("coalesce(", ")", 199), fields: fields)
    for text in [
      nested("(", ")", 201), nested("(", ")", 30_000), nested("not ", "", 16_000), nested("-", "", 60_000),
      "i" + String(repeating: "+i", count: 300) + " = 1", nested("coalesce(", ")", 7000),
      String(repeating: "b or ", count: 14_000) + "b",
    ] {
      let error = #expect(throws: DSVError.self) { try Expression(parsing: text) }
      #expect(error?.code == .badInput)
    }
    let wide = (0..<6000).map { "i = \($0)" }.joined(separator: " or ").prefix(60_000).dropLast(12)
    let end = wide.lastIndex(of: "o")!
    let checked = try CheckedExpression(parsing: String(wide[..<end]), fields: fields)
    let batch = Batch(fields: fields, columns: [[.null, .null], [.integer(7), .integer(-1)]])
    #expect(batch.select(ExpressionEvaluator(checked)) == [true, false])
  }
}
