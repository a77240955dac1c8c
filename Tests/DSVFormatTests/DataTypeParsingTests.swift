import DSVFormat
import Testing

@Suite struct DataTypeParsingTests {
  @Test(
    "the text form of a type is read as it is written",
    arguments: [
      .null, .bool, .int8, .uint64, .float16, .utf8, .binary, .json, .date, .timestamp(.second, zone: nil),
      .timestamp(.microsecond, zone: "Europe/Berlin"),
      .decimal128(precision: 38, scale: -9), .list(.list(.int32)), .fixedSizeList(.float32, count: 768),
      .struct([]),
      .struct([Field("a:b,<\"\\>", .int8), Field("", .int8), Field(" x ", .int8), Field("q\"", .int8)]),
      .struct([Field("a", .int64), Field("b c", .struct([Field("é", .list(.utf8))]))]),
    ] as [DataType])
  func roundTrip(type: DataType) throws { #expect(try DataType(parsing: type.description) == type) }

  @Test("white space, quoted names and not-nullable fields are read")
  func liberal() throws {
    #expect(try DataType(parsing: " list < int8 > ") == .list(.int8))
    #expect(
      try DataType(parsing: #"struct<"a:b\"c": utf8!, d :int8>"#)
        == .struct([Field("a:b\"c", .utf8, isNullable: false), Field("d", .int8)]))
  }

  @Test(
    "what is no type is refused",
    arguments: [
      "", "int", "Int8", "list", "list<", "list<>", "list<int8", "list<int8>>", "int8 int8", "timestamp",
      "timestamp[h]", "timestamp[us,]", "decimal128(39, 0)",
      "decimal128(9)", "decimal128(0, 0)", "fixed_size_list<int8>", "fixed_size_list<int8, 0>",
      "fixed_size_list<int8, 99999999999>", "struct<a>", "struct<: int8>",
      "struct<a: int8,>", "struct<a: int8, a: int8>", "struct<\"a: int8>",
      String(repeating: "list<", count: 10_000),
    ])
  func refused(text: String) {
    let error = #expect(throws: DSVError.self) { try DataType(parsing: text) }
    #expect(error?.code == .badInput)
  }
}
