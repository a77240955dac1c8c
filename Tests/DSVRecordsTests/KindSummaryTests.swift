import DSVFormat
import DSVRecords
import Testing

@Suite struct KindSummaryTests {
  /// The type of a field `a` that has these values.
  private func type(of values: String...) throws -> String {
    try summary(values.map { "{\"a\":\($0)}\n" }.joined()).inferredFields()[0].type.description
  }

  @Test("scalars get the type that holds them all")
  func scalars() throws {
    #expect(try type(of: "null") == "null")
    #expect(try type(of: "true", "null", "false") == "bool")
    #expect(try type(of: "1", "-9223372036854775808", "9223372036854775807") == "int64")
    #expect(try type(of: "0", "18446744073709551615") == "uint64")
    #expect(try type(of: "-1", "18446744073709551615") == "json")
    #expect(try type(of: "1", "1.5", "9007199254740992") == "float64")
    #expect(try type(of: "1.5", "9007199254740993") == "json")
    #expect(try type(of: "1.5", "-9007199254740993") == "json")
    #expect(try type(of: "1.5", "9223372036854775808") == "json")
    #expect(try type(of: "-0") == "float64")
    #expect(try type(of: "1", "1e400") == "json")
    #expect(try type(of: "18446744073709551616") == "json")
    #expect(try type(of: "\"\"", "null") == "utf8")
    #expect(try type(of: "\"NaN\"") == "utf8")
    #expect(try type(of: "1", "\"1\"") == "json")
    #expect(try type(of: "1", "true") == "json")
    #expect(try type(of: "{}", "1") == "json")
    #expect(try type(of: "{}", "[]") == "json")
  }

  @Test("objects become structs and arrays lists, within the bounds")
  func nested() throws {
    #expect(try type(of: "{\"x\":1}", "null", "{\"y\":\"s\",\"x\":2.5}") == "struct<x: float64, y: utf8>")
    #expect(try type(of: "[]") == "list<null>")
    #expect(try type(of: "[1,2]", "[null,3]", "[]") == "list<int64>")
    #expect(try type(of: "[[1],[]]", "[[2.5]]") == "list<list<float64>>")
    #expect(try type(of: "[{\"x\":1}]") == "json")
    #expect(try type(of: "[[1,{}]]") == "json")
    #expect(try type(of: "[1,\"a\"]") == "json")
    #expect(try type(of: "[1]", "[\"a\"]") == "json")
    #expect(try type(of: "{\"x\":[1,\"a\"]}") == "struct<x: json>")
    let deep16 = String(repeating: "{\"d\":", count: 15) + "1" + String(repeating: "}", count: 15)
    #expect(try type(of: deep16).hasSuffix("int64" + String(repeating: ">", count: 15)))
    #expect(try type(of: "{\"d\":\(deep16)}").contains("d: json"))
  }

  @Test("an object with more than 256 keys in all rows is json, and a row may have any number")
  func openKeys() throws {
    let rows = (0..<257).map { "{\"k\($0)\":1}" }
    #expect(try type(of: "{\"a\":1}", "{\"b\":1}") == "struct<a: int64, b: int64>")
    let inferred = try summary(rows[..<256].map { "{\"a\":\($0)}" }.joined(separator: "\n"))
    guard case .struct(let fields) = inferred.inferredFields()[0].type else {
      throw DSVError(.corrupt, "no struct")
    }
    #expect(fields.count == 256)
    let open = try summary(rows.map { "{\"a\":\($0)}" }.joined(separator: "\n"))
    #expect(open.inferredFields()[0].type == .json)
    #expect(try summary(rows.joined(separator: "\n")).inferredFields().count == 257)
  }

  @Test("in CSV a mix is text")
  func csv() throws {
    let fields = try summary(
      "a,b,c,d,e\n1,1,x,true,\n2,x,,false,\n3,1.5,y,,\n18446744073709551616,2,,,\n", .csv
    )
    .inferredFields()
    #expect(fields.map(\.type) == [.utf8, .utf8, .utf8, .bool, .null])
    #expect(fields.map(\.name) == ["a", "b", "c", "d", "e"])
  }

  @Test("two summaries merged say what one of all rows says")
  func merging() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var generator = SeededGenerator(seed)
    let values = [
      "1", "-1", "2.5", "null", "true", "\"s\"", "[]", "[1]", "[1.5,null]", "{\"x\":1}", "{\"y\":{\"z\":2}}",
      "9007199254740993", "18446744073709551615", "1e999",
    ]
    for _ in 0..<500 {
      func some() -> String {
        (0..<Int.random(in: 0...3, using: &generator)).map { _ in
          let name = ["a", "b", "c"].randomElement(using: &generator) ?? ""
          return "{\"\(name)\":\(values.randomElement(using: &generator) ?? "")}\n"
        }.joined()
      }
      let (first, second) = (some(), some())
      let merged = try summary(first)
      merged.merge(try summary(second))
      #expect(merged.inferredType() == (try summary(first + second)).inferredType(), "\(first)|\(second)")
      #expect(merged.rowCount == (try summary(first + second)).rowCount)
    }
  }

  @Test(
    "existing types stay where values fit and widen where they do not",
    arguments: [
      ("null", "1", "int64"), ("int64", "null", "int64"), ("int8", "127", "int8"), ("int8", "128", "int64"),
      ("uint8", "255", "uint8"),
      ("uint8", "-1", "int64"), ("uint64", "-1", "json"), ("int64", "9223372036854775808", "json"),
      ("uint32", "9223372036854775808", "uint64"),
      ("int32", "1.5", "float64"), ("int64", "1.5", "json"), ("int64", "\"a\"", "json"),
      ("float64", "3", "float64"),
      ("float64", "9007199254740993", "json"), ("float64", "\"NaN\"", "float64"),
      ("float64", "\"nan\"", "json"), ("float32", "0.1", "float32"),
      ("float32", "1e39", "float64"), ("float32", "16777217", "float64"), ("float16", "65504.0", "float16"),
      ("float16", "1e5", "float64"),
      ("utf8", "\"a\"", "utf8"), ("utf8", "1", "json"), ("binary", "\"YQ==\"", "binary"),
      ("date", "\"2024-01-01\"", "date"),
      ("timestamp[us, UTC]", "17", "timestamp[us, UTC]"), ("decimal128(9, 2)", "1.25", "decimal128(9, 2)"),
      ("decimal128(9, 2)", "true", "json"),
      ("json", "{}", "json"), ("bool", "true", "bool"), ("bool", "1", "json"),
      ("list<int8>", "[1,300]", "list<int64>"),
      ("list<int8>", "[\"a\"]", "json"), ("list<int8>", "1", "json"),
      ("list<json>", "[1,\"a\"]", "list<json>"),
      ("list<struct<a: int64>>", "[{\"a\":1,\"b\":2}]", "list<struct<a: int64, b: int64>>"),
      ("fixed_size_list<float32, 2>", "[1.5,2]", "fixed_size_list<float32, 2>"),
      ("fixed_size_list<float32, 2>", "[1.5]", "list<float32>"),
      ("struct<a: int8>", "{\"a\":1}", "struct<a: int8>"),
      ("struct<a: int8>", "{\"b\":\"x\"}", "struct<a: int8, b: utf8>"), ("struct<a: int8>", "[]", "json"),
      ("list<null>", "[1]", "list<int64>"),
    ])
  func widening(existing: String, value: String, result: String) throws {
    let fields = [Field("a", try DataType(parsing: existing), isNullable: false), Field("z", .bool)]
    let widened = try summary("{\"a\":\(value)}").fields(widening: fields)
    #expect(widened.map(\.type.description) == [result, "bool"])
    #expect(widened[0].isNullable == false)
  }

  @Test("missing values are counted")
  func missing() throws {
    let seen = try summary("{\"a\":1}\n{\"a\":null}\n{\"b\":2}")
    #expect(seen.missingCount(of: "a") == 2)
    #expect(seen.missingCount(of: "b") == 2)
    #expect(seen.missingCount(of: "c") == 3)
  }

  @Test("new fields come last")
  func newFields() throws {
    let widened = try summary("{\"n\":1,\"a\":2}").fields(widening: [Field("a", .int64)])
    #expect(widened == [Field("a", .int64), Field("n", .int64)])
    #expect(try summary("a\nx\n1\n", .csv).fields(widening: [Field("a", .int64)]) == [Field("a", .utf8)])
    for type in [DataType.utf8, .binary, .float64] {
      #expect(try summary("a\n1\n", .csv).fields(widening: [Field("a", type)]) == [Field("a", type)])
    }
    let list = [Field("a", .list(.int8))]
    #expect(try summary("a\n[1]\n", .csv).fields(widening: list) == list)
  }
}
