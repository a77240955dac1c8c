import DSVFormat
import DSVRecords
import Testing

@Suite struct RecordReaderTests {
  @Test("lines end in LF or CRLF or not at all, blank ones are skipped, and a byte order mark as well")
  func lines() throws {
    #expect(try rows("", .jsonl) == [])
    #expect(try rows("\n\r\n  \n", .jsonl) == [])
    #expect(
      try rows("\u{feff}{\"a\":1}\r\n\n{\"a\":2}\n{\"a\":3}", .jsonl) == [
        .record(line: 1, json: "{\"a\":1}"), .record(line: 3, json: "{\"a\":2}"),
        .record(line: 4, json: "{\"a\":3}"),
      ])
    #expect(try rows("\u{feff}", .jsonl) == [])
  }

  @Test("a bad row is told with its line and reading goes on")
  func badRows() throws {
    let text = "{\"a\":1}\n{\"a\":\n[1]\n\"x\"\n{\"a\":1}{\"a\":2}\n{\"a\":2}\n{\"a\"\n"
    #expect(
      try rows(text, .jsonl) == [
        .record(line: 1, json: "{\"a\":1}"), .bad(line: 2, .syntax), .bad(line: 3, .array),
        .bad(line: 4, .notAnObject), .bad(line: 5, .trailing), .record(line: 6, json: "{\"a\":2}"),
        .bad(line: 7, .syntax),
      ])
  }

  @Test("the pieces in which bytes come make no difference", arguments: RecordFormat.allCases)
  func pieces(format: RecordFormat) throws {
    let jsonl = "\u{feff}{\"a\":\"é\\u00e9\",\"b\":[1,2]}\r\n\r\n{\"a\":1.5}\n{bad\n{\"x\":{}}"
    let csv = "\u{feff}a,b\r\n1,\"x\"\"\r\ny\"\r\n,\"\"\n\"q\"x,1\n3\n\"é\",true\r"
    let bytes = Array((format == .jsonl ? jsonl : csv).utf8)
    let whole = try rows(bytes, format)
    for pieceCount in 1...bytes.count { #expect(try rows(bytes, format, pieceCount: pieceCount) == whole) }
  }

  @Test(
    "a file cut at any byte never traps and changes no row before the cut", arguments: RecordFormat.allCases)
  func truncation(format: RecordFormat) throws {
    let jsonl = "{\"a\":\"é\\u00e9\",\"b\":[1,2]}\r\n{\"a\":1.5}\n{\"x\":{}}\n"
    let csv = "a,b\r\n1,\"x\"\"\r\ny\"\r\n,\"\"\n\"é\",true\n"
    let bytes = Array((format == .jsonl ? jsonl : csv).utf8)
    let whole = try rows(bytes, format)
    for count in 4..<bytes.count {
      let cut = try rows(Array(bytes[..<count]), format)
      #expect(cut.dropLast() == whole.prefix(max(0, cut.count - 1)), "\(count) bytes")
    }
  }

  @Test(
    "no bytes make the readers trap, and pieces make no difference to them", arguments: RecordFormat.allCases)
  func noise(format: RecordFormat) throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var generator = SeededGenerator(seed)
    let letters = Array("{}[]:,\"\\nu0a1.-e \r\n\n\"é".utf8) + [0, 0xff]
    for _ in 0..<2000 {
      let count = Int.random(in: 0...60, using: &generator)
      let noise = (0..<count).map { _ in letters.randomElement(using: &generator) ?? 0 }
      let bytes = Array(format == .jsonl ? "{\"a\":[".utf8 : "a,b\n".utf8) + noise
      let pieceCount = Int.random(in: 1...9, using: &generator)
      #expect(try rows(bytes, format) == rows(bytes, format, pieceCount: pieceCount), "\(bytes)")
    }
  }

  @Test("the source's error comes through")
  func sourceError() {
    let reader = RecordReader(source: "test", format: .jsonl) { (_) throws(DSVError) -> Int in
      throw DSVError(.io, "the disk is gone")
    }
    #expect(throws: DSVError.self) { try reader.next() }
  }

  @Test("a line of 1 GB is refused by its size, and the next line is read")
  func tooLong() throws {
    var left = 1_000_000_000
    let end = Array("\"}\n{\"a\":1}\n".utf8)
    var hasEnded = false
    let reader = RecordReader(source: "big", format: .jsonl) { (room) throws(DSVError) -> Int in
      if left == 0 {
        if hasEnded { return 0 }
        hasEnded = true
        room.copyBytes(from: end)
        return end.count
      }
      let count = min(left, room.count)
      UnsafeMutableRawBufferPointer(rebasing: room[..<count]).initializeMemory(
        as: UInt8.self, repeating: 0x61)
      left -= count
      return count
    }
    guard case .badRow(let row) = try reader.next() else { throw DSVError(.corrupt, "no bad row") }
    #expect(row.reason == .tooLong)
    #expect(row.bytes.count == 4096)
    guard case .record(let record) = try reader.next() else { throw DSVError(.corrupt, "no record") }
    #expect(record.line == 2)
    guard case .end = try reader.next() else { throw DSVError(.corrupt, "no end") }
  }

  @Test("a value of 100 MB and a row of 10,000 columns are read")
  func large() throws {
    let value = String(repeating: "a\\n", count: 33_000_000)
    let result = try rows("{\"a\":\"\(value)\"}", .jsonl)
    guard case .record(_, let json) = result.first else { throw DSVError(.corrupt, "no record") }
    #expect(json.utf8.count == value.utf8.count + 8)
    let columns = (0..<10_000).map { "c\($0)" }
    let object = columns.map { "\"\($0)\":1" }.joined(separator: ",")
    #expect(try rows("{\(object)}", .jsonl) == [.record(line: 1, json: "{\(object)}")])
    let csv = columns.joined(separator: ",") + "\n" + columns.map { _ in "1" }.joined(separator: ",")
    #expect(try rows(csv, .csv) == [.record(line: 2, json: "{\(object)}")])
  }

  @Test("a bad row's error names source, line and column, and not the value")
  func errorText() {
    let row = BadRow(source: "a\u{1b}[31m.jsonl", line: 7, offset: 4, reason: .duplicateKey, bytes: [1])
    #expect(row.error.message == "a\\x1b[31m.jsonl:7:5: an object has the same key twice")
  }
}
