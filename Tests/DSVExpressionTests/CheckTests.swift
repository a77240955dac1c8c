import DSVExpression
import DSVFormat
import Testing

@Suite struct CheckTests {
  static let fields = [
    Field("age", .int32), Field("lang", .utf8), Field("Lang", .utf8), Field("raw", .binary),
    Field("ok", .bool),
    Field("tags", .list(.utf8)), Field("price", .decimal128(precision: 10, scale: 2)), Field("day", .date),
    Field("created", .timestamp(.second, zone: "UTC")), Field("seen", .timestamp(.nanosecond, zone: nil)),
    Field("meta", .struct([Field("lang", .utf8), Field("deep", .struct([Field("n", .uint64)]))])),
    Field("order", .int64), Field("none", .null),
  ]

  @Test(
    "what does not fit is refused where it stands",
    arguments: [
      ("length(age) > 3", DSVError.Code.badInput, 8, "length takes a text or a list"),
      ("lang > 3", .badInput, 8, "an integer cannot be compared with a text"),
      ("age", .badInput, 1, "a condition is wanted"),
      ("age = 1 and lang", .badInput, 13, "a condition is wanted"),
      ("lang + 1 = 2", .badInput, 1, "a number is wanted"),
      ("lnag = 'en'", .notFound, 1, "is it lang?"),
      ("meta.lnag = 'en'", .notFound, 1, "is it meta.lang?"),
      ("lang.x = 'en'", .notFound, 1, "is no struct"),
      ("lang = \"en\"", .notFound, 8, "single quotes"),
      ("LANG = 'en'", .notFound, 1, "is it"),
      ("meta = 'x'", .badInput, 1, "can only be tested"),
      ("price > 1", .badInput, 1, "can only be tested"),
      ("tags = 'x'", .badInput, 1, "its length can"),
      ("length(raw) = 1", .badInput, 8, "byte_length"),
      ("day = '2024-02-30'", .badInput, 7, "a time is written"),
      ("day = '2024-02-28T01:00'", .badInput, 7, "a date alone"),
      ("ok < true", .badInput, 1, "no order"),
      ("contains(lang, 3)", .badInput, 16, "a text is wanted"),
      ("age between 1 and 'x'", .badInput, 19, "cannot be compared"),
      ("coalesce(age, 'x') = 1", .badInput, 15, "cannot mix"),
    ])
  func refusals(text: String, code: DSVError.Code, character: Int, words: String) throws {
    let error = try #require(throws: DSVError.self) {
      try CheckedExpression(parsing: text, fields: CheckTests.fields)
    }
    #expect(error.code == code)
    #expect(error.message.hasPrefix("character \(character): "), "\(text): \(error.message)")
    #expect(error.message.contains(words), "\(text): \(error.message)")
  }

  @Test("an expression lists the columns that it reads, once, and what it needs of each")
  func columns() throws {
    let checked = try CheckedExpression(
      parsing:
        "meta.lang is null and (meta.deep.n > 3 or meta.lang = lang) and price is not null and none = 1",
      fields: CheckTests.fields)
    #expect(
      checked.columns.map(\.path) == [
        ["meta", "lang"], ["meta", "deep", "n"], ["lang"], ["price"], ["none"],
      ])
    #expect(checked.columns.map(\.need) == [.values, .values, .values, .presence, .presence])
  }

  @Test(
    "times compare exactly, in the unit of their column",
    arguments: [
      ("day >= '2024-01-01'", true), ("day < '2024-01-01'", false), ("'2024-01-01' = day", true),
      ("created = '2024-01-01T00:00:01Z'", true), ("created = '2024-01-01 01:00:01+01:00'", true),
      ("created > '2024-01-01T00:00:00.999'", true), ("created >= '2024-01-01T00:00:01.5'", false),
      ("created <= '2024-01-01T00:00:01.5'", true), ("created = '2024-01-01T00:00:01.5'", false),
      ("created > '2024-01-01'", true), ("seen = '2024-01-01T00:00:01.000000001'", true),
      ("seen > created", true),
      ("created > day", true), ("seen < '9999-12-31'", true), ("seen > '0001-01-01'", true),
      ("day in ('2023-12-31', '2024-01-01')", true), ("day between '2023-12-31' and '2024-12-31'", true),
      ("coalesce(day, '2000-01-01') = '2024-01-01'", true), ("day = '1969-12-31'", false),
    ])
  func times(text: String, wanted: Bool) throws {
    let second: Int128 = 1_704_067_201
    let fields = ["day", "created", "seen"].map { name in CheckTests.fields.first { $0.name == name }! }
    let batch = Batch(
      fields: fields,
      columns: [[.integer(19_723)], [.integer(second)], [.integer(second * 1_000_000_000 + 1)]])
    let checked = try CheckedExpression(parsing: text, fields: fields)
    #expect(batch.select(ExpressionEvaluator(checked)) == [wanted])
  }

  @Test("a full batch of texts is searched as one, and no match crosses rows")
  func fullBatch() throws {
    let count = ExpressionEvaluator.batchRowLimit
    let cells = (0..<count).map { row -> Cell in
      row % 11 == 3 ? .null : .text(["needl", "e", "a needle in hay", "", "needle", "needneedle"][row % 6])
    }
    let batch = Batch(fields: [Field("s", .utf8)], columns: [cells])
    for text in [
      "contains(s, 'needle')", "not contains(s, 'needle')", "s like '%e%l%'", "contains(trim(s), 'needle')",
    ] {
      let expression = try Expression(parsing: text)
      let checked = try CheckedExpression(expression, fields: batch.fields)
      let wanted = (0..<count).map { Reference(batch: batch, row: $0).isSelected(expression) }
      #expect(batch.select(ExpressionEvaluator(checked)) == wanted, "\(text)")
    }
  }
}
