import CArrow
import DSV
import DSVColumns
import DSVFormat
import Testing

/// What another library meets behind Arrow's C data interface.
@Suite struct ArrowExportTests {
  private static let formats: [(String, String)] = [
    ("null", "n"), ("bool", "b"), ("int8", "c"), ("uint8", "C"), ("int16", "s"), ("uint16", "S"),
    ("int32", "i"),
    ("uint32", "I"), ("int64", "l"), ("uint64", "L"), ("float16", "e"), ("float32", "f"), ("float64", "g"),
    ("utf8", "u"), ("json", "u"), ("binary", "z"), ("date", "tdD"), ("timestamp[s]", "tss:"),
    ("timestamp[ms, UTC]", "tsm:UTC"), ("timestamp[us]", "tsu:"), ("timestamp[ns]", "tsn:"),
    ("decimal128(38, 9)", "d:38,9"), ("list<int32>", "+l(i)"), ("fixed_size_list<float32, 7>", "+w:7(f)"),
    ("struct<a: int64, b: list<utf8>!>", "+s(l,+l(u))"),
  ]

  private static func format(_ schema: UnsafeMutablePointer<ArrowSchema>) -> String {
    let own = String(cString: schema.pointee.format)
    let children = (0..<Int(schema.pointee.n_children)).map { format(schema.pointee.children[$0]!) }
    return children.isEmpty ? own : "\(own)(\(children.joined(separator: ",")))"
  }

  @Test("each type has the format that the C data interface gives it", arguments: formats)
  func schema(type: String, format: String) throws {
    var field = Field("näme", try DataType(parsing: type), isNullable: false, metadata: ["unit": "m"])
    field.isSignal = true
    var schema = ArrowSchema()
    try ArrowSchemaExport.export([field, Field("b", .bool)], to: &schema)
    #expect(withUnsafeMutablePointer(to: &schema, Self.format) == "+s(\(format),b)")
    let child = schema.children[0]!.pointee
    #expect(
      String(cString: child.name) == "näme" && child.flags == 0 && schema.children[1]!.pointee.flags == 2)
    #expect(UnsafeRawPointer(child.metadata!).loadUnaligned(as: Int32.self) == (type == "json" ? 3 : 2))
    #expect(schema.children[1]!.pointee.metadata == nil)
    schema.release(&schema)
    #expect(schema.release == nil)
  }

  @Test(
    "a name with a NUL, where C would have it end, is refused",
    arguments: [#"{"a\u0000b":1}"#, #"{"a":1,"s":{"l":{"\u0000":1}}}"#])
  func nul(row: String) throws {
    let dataset = try Dataset()
    try dataset.commit([row])
    let scan = try dataset.repository.version().table().scan()
    var schema = ArrowSchema()
    let error = try #require(throws: DSVError.self) { try ArrowSchemaExport.export(scan.fields, to: &schema) }
    #expect(error.code == .badInput && error.message.contains("NUL") && !error.message.utf8.contains(0))
    #expect(schema.release == nil)
    var stream = ArrowArrayStream()
    withUnsafeMutablePointer(to: &stream) { scan.exportArrow(to: $0) }
    #expect(stream.get_schema(&stream, &schema) == 22 && schema.release == nil)
    #expect(String(cString: try #require(stream.get_last_error(&stream))) == error.message)
    stream.release(&stream)
  }

  @Test("a batch's buffers are handed over where they lie, and live until they are released")
  func array() throws {
    let dataset = try Dataset()
    try dataset.commit([
      #"{"a":"x","b":[1,2],"c":{"d":true}}"#, #"{"b":[],"c":null}"#, #"{"a":"yz","b":[3]}"#,
    ])
    var batch = try dataset.repository.version().table().scan().next()
    var array = ArrowArray()
    weak var owner: GatheredArray?
    do {
      let filled = try #require(batch)
      withUnsafeMutablePointer(to: &array) { filled.exportArrow(to: $0) }
      owner = filled.columns[0].owner
      filled.columns[1].withOffsets { offsets in
        #expect(
          UnsafeRawPointer(array.children[1]!.pointee.buffers[1])
            == offsets.withUnsafeBytes { $0.baseAddress })
      }
    }
    batch = nil
    #expect(batch == nil && owner != nil)
    #expect(array.length == 3 && array.n_buffers == 1 && array.n_children == 3 && array.null_count == 0)
    let (a, b, c) = (array.children[0]!.pointee, array.children[1]!.pointee, array.children[2]!.pointee)
    #expect(
      (a.null_count, a.n_buffers, b.null_count, b.n_buffers, c.null_count, c.n_buffers) == (1, 3, 0, 2, 2, 1))
    #expect(a.buffers[0]!.load(as: UInt8.self) == 0b101 && b.buffers[0] == nil)
    #expect((0..<4).map { a.buffers[1]!.load(fromByteOffset: $0 * 4, as: Int32.self) } == [0, 1, 1, 3])
    #expect((0..<3).map { a.buffers[2]!.load(fromByteOffset: $0, as: UInt8.self) } == Array("xyz".utf8))
    #expect((0..<4).map { b.buffers[1]!.load(fromByteOffset: $0 * 4, as: Int32.self) } == [0, 2, 2, 3])
    let numbers = b.children[0]!.pointee
    #expect(numbers.length == 3)
    #expect((0..<3).map { numbers.buffers[1]!.load(fromByteOffset: $0 * 8, as: Int64.self) } == [1, 2, 3])
    #expect(c.children[0]!.pointee.null_count == 2 && c.children[0]!.pointee.length == 3)
    // A consumer may move a child out, which then is its own to release.
    var moved = array.children[0]!.pointee
    array.children[0]!.pointee.release = nil
    array.release(&array)
    #expect(array.release == nil && owner != nil)
    moved.release(&moved)
    #expect(owner == nil)
  }

  @Test("a stream gives the schema, each batch, and then an end")
  func stream() throws {
    let dataset = try Dataset(threadCount: 2)
    try dataset.commit((0..<50).map { #"{"a":\#($0)}"# })
    var options = Scan.Options(where: "a >= 5")
    options.batchRowCount = 7
    var stream = ArrowArrayStream()
    let scan = try dataset.repository.version().table().scan(options)
    withUnsafeMutablePointer(to: &stream) { scan.exportArrow(to: $0) }
    var schema = ArrowSchema()
    #expect(stream.get_schema(&stream, &schema) == 0)
    #expect(withUnsafeMutablePointer(to: &schema, Self.format) == "+s(l)")
    schema.release(&schema)
    var rows: [Int64] = []
    while true {
      var array = ArrowArray()
      #expect(stream.get_next(&stream, &array) == 0)
      guard array.release != nil else { break }
      let column = array.children[0]!.pointee
      rows += (0..<Int(array.length)).map { column.buffers[1]!.load(fromByteOffset: $0 * 8, as: Int64.self) }
      array.release(&array)
    }
    #expect(rows == Array(5..<50))
    #expect(stream.get_last_error(&stream) == nil)
    stream.release(&stream)
    #expect(stream.release == nil)
  }
}
