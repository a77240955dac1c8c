import DSVFormat
import DSVRecords
import Testing

@Suite struct SchemaFileTests {
  private func read(_ text: String) throws -> [Field] {
    try SchemaFile.read(Array(text.utf8), source: "s.json")
  }

  @Test("the full and the short form are read")
  func forms() throws {
    #expect(
      try read(
        #"{"fields":[{"name":"id","type":"int32","nullable":false},{"name":"v","type":"fixed_size_list<float32, 768>","metadata":{"unit":"m"}}]}"#
      )
        == [
          Field("id", .int32, isNullable: false),
          Field("v", .fixedSizeList(.float32, count: 768), metadata: ["unit": "m"]),
        ])
    #expect(
      try read(#"{"id":"int32!","text":"utf8"}"#) == [
        Field("id", .int32, isNullable: false), Field("text", .utf8),
      ])
  }

  @Test(
    "a schema that cannot be meant is refused with its place",
    arguments: [
      "", "[]", "{}", "{\"fields\":[]}", "{\"fields\":{}}", "{\"fields\":[1]}",
      "{\"fields\":[{\"name\":\"a\"}]}", "{\"fields\":[{\"type\":\"utf8\"}]}",
      "{\"fields\":[{\"name\":\"a\",\"type\":\"int31\"}]}",
      "{\"fields\":[{\"name\":\"a\",\"type\":\"utf8\",\"nullabel\":true}]}", "{\"a\":1}", "{\"a\":\"\"}",
      "{\"fields\":[{\"name\":\"a\",\"type\":\"utf8\"},{\"name\":\"a\",\"type\":\"utf8\"}]}",
      "{\"a\":\"utf8\",}", "{\"fields\":[{\"name\":1,\"type\":\"utf8\"}]}",
    ])
  func refused(text: String) {
    let error = #expect(throws: DSVError.self) { try read(text) }
    #expect(error?.code == .badInput)
    #expect(error?.message.contains("s.json") == true)
  }
}
