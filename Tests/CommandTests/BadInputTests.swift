import DSVTesting
import Testing

/// Input of every bad kind: a clear message or the right result, and nothing lost.
@Suite struct BadInputTests {
  let bench: Bench

  init() throws {
    bench = try Bench()
    try bench.ok("commit", "-", "-m", "first", input: "{\"a\":1}\n")
  }

  private func expectNothingChanged(at place: SourceLocation = #_sourceLocation) throws {
    #expect(try bench.log() == ["v1"], sourceLocation: place)
    #expect(try bench.ok("export") == "{\"a\":1}\n", sourceLocation: place)
    try bench.expectWhole(at: place)
  }

  @Test(
    "what is no row is refused, with its place",
    arguments: [
      ("{\"a\":1}\n{\"a\":", ":2:", ""), ("{\"a\":1}\n{\"a\":\"x", ":2:", "cut off"),
      ("[1]\n", ":1:", "JSON object"),
      ("{\"a\":\"\\ud800\"}\n", ":1:", "escape"), ("{\"a\":\"\\udc00\\ud800\"}\n", ":1:", "escape"),
      ("{\"a\":NaN}\n", ":1:", "number"), ("{\"a\":Infinity}\n", ":1:", "number"),
      ("{\"a\":-Infinity}\n", ":1:", ""),
      ("{\"a\":1,\"a\":2}\n", ":1:", "same key twice"),
      ("{\"o\":{\"a\":1,\"a\":2}}\n", ":1:", "same key twice"),
      ("{\"a\":1}{\"a\":2}\n", ":1:", "more after"), ("{\"a\":01}\n", ":1:", ""),
      ("{\"a\":\"\u{1}\"}\n", ":1:", "control"),
      ("\n\n{\"a\":1}\n3\n", ":4:", ""), ("{'a':1}\n", ":1:", ""), ("{\"a\":1,}\n", ":1:", ""),
      ("\u{0}\n", ":1:", ""),
    ])
  func refused(text: String, place: String, words: String) throws {
    let outcome = try bench.run("commit", "-", "-m", "bad", input: text)
    #expect(outcome.exitCode == 7 && outcome.errors.contains("-" + place), "\(outcome.errors)")
    #expect(words.isEmpty || outcome.errors.contains(words), "\(outcome.errors)")
    try expectNothingChanged()
    let aside = try bench.json(
      "commit", "-", "-m", "bad", "--bad-rows", "quarantine", "--table", "q", input: text)
    #expect(try aside["quarantined"].int == 1)
    #expect(try bench.json("count", "--table", "q.quarantine")["rows"].int == 1)
  }

  @Test("bytes that are no UTF-8 are refused, with their place")
  func invalidUTF8() throws {
    for bytes: [UInt8] in [
      [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82],
    ] {
      let path = try bench.folder.write("bad.jsonl", Array("{\"a\":\"".utf8) + bytes + Array("\"}\n".utf8))
      try bench.fails(7, "UTF-8", "commit", path, "-m", "bad")
    }
    try expectNothingChanged()
  }

  @Test("nesting of 10,000 levels is refused", arguments: ["[", "{\"a\":"])
  func depth(open: String) throws {
    let close = open == "[" ? "]" : "}"
    let value = String(repeating: open, count: 10_000) + "1" + String(repeating: close, count: 10_000)
    try bench.fails(7, "within each other", "commit", "-", "-m", "deep", input: "{\"d\":\(value)}\n")
    try expectNothingChanged()
  }

  @Test("100 levels come back")
  func allowedDepth() throws {
    let value = String(repeating: "{\"a\":[", count: 50) + "1" + String(repeating: "]}", count: 50)
    try bench.ok("commit", "-", "-m", "deep", input: "{\"d\":\(value)}\n")
    #expect(try bench.ok("export") == "{\"d\":\(value)}\n")
  }

  @Test("10,000 columns come back")
  func columns() throws {
    let row = "{" + (0..<10_000).map { "\"c\($0)\":\($0)" }.joined(separator: ",") + "}\n"
    let commit = try bench.json("commit", "-", "-m", "wide", input: row + "{\"c9999\":null}\n" + row)
    #expect(try commit["rows"].int == 3)
    #expect(try bench.ok("export") == row + "{\"c9999\":null}\n" + row)
    try bench.expectWhole()
  }

  @Test("more columns than a table may have are refused")
  func tooManyColumns() throws {
    let row = "{" + (0..<66_000).map { "\"c\($0)\":1" }.joined(separator: ",") + "}\n"
    try bench.fails(7, "columns", "commit", "-", "-m", "wide", input: row)
    try expectNothingChanged()
  }

  @Test("mixed types come back as they were")
  func mixed() throws {
    let rows = [
      "1", "\"1\"", "null", "[1,\"x\"]", "{\"b\":1.50}", "true", "12345678901234567890123", "1e400",
    ]
    .map { "{\"m\":\($0)}\n" }.joined()
    try bench.ok("commit", "-", "-m", "mixed", input: rows)
    #expect(try bench.ok("export") == rows)
  }

  @Test("an empty file makes an empty table, and strings of no length stay")
  func empty() throws {
    for input in ["", "\n\n"] {
      #expect(try bench.json("commit", "-", "-m", "empty", input: input)["rows"].int == 0)
      #expect(try bench.ok("export") == "")
      #expect(try bench.ok("export", "--format", "csv").count <= 2)
      #expect(try bench.json("count")["rows"].int == 0)
      #expect(try bench.json("fingerprint")["fingerprint"].text.count == 64)
    }
    #expect(try bench.json("diff", "v1", "v2")["removed"].int == 1)
    let rows = "{\"\":\"\"}\n{}\n{\"\":\"\"}\n"
    try bench.ok("commit", "-", "-m", "lengthless", "--append", input: rows)
    #expect(try bench.ok("export") == rows)
    try bench.fails(7, "header is empty", "commit", "-", "-m", "csv", "--format", "csv", input: "\n")
    try bench.ok("commit", "-", "-m", "csv", "--format", "csv", "--table", "c", input: "a,b\n")
    #expect(try bench.ok("export", "--table", "c") == "")
    try bench.expectWhole()
  }

  @Test("bad CSV is refused, with its place")
  func csv() throws {
    for (text, words) in [
      ("a,b\n1\n", "1 cells and the header 2"), ("a,a\n1,2\n", "twice"), ("a,b\n\"x\"y,1\n", "closing quote"),
      ("a,b\n1,\"x\n", "not closed"),
    ] {
      try bench.fails(7, words, "commit", "-", "--format", "csv", "-m", "bad", input: text)
    }
    try expectNothingChanged()
  }

  @Test("a value of 100 MB comes back, within bounded memory")
  func largeValue() throws {
    let piece = Array(String(repeating: "0123456789abcdef", count: 1 << 16).utf8)
    let outcome = try bench.run(["commit", "-", "-m", "large"]) { write in
      write(Array("{\"v\":\"".utf8))
      for _ in 0..<100 { write(piece) }
      write(Array("\"}\n".utf8))
    }
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    #expect(outcome.peakMemory <= 512 << 20, "\(outcome.peakMemory)")
    let export = try bench.run("export")
    #expect(
      export.output.count == 100 * piece.count + 9 && export.output.hasPrefix(Array("{\"v\":\"0123".utf8)))
    try bench.expectWhole()
  }

  @Test("a line of 1 GB is refused, within bounded memory")
  func longLine() throws {
    let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
    let outcome = try bench.run(["commit", "-", "-m", "long"]) { write in
      write(Array("{\"a\":1}\n{\"v\":\"".utf8))
      for _ in 0..<1024 { write(piece) }
      write(Array("\"}\n".utf8))
    }
    #expect(outcome.exitCode == 7 && outcome.errors.contains("-:2:") && outcome.errors.contains("256 MiB"))
    #expect(outcome.peakMemory <= 512 << 20, "\(outcome.peakMemory)")
    try expectNothingChanged()
  }
}

extension [UInt8] {
  fileprivate func hasPrefix(_ bytes: [UInt8]) -> Bool { starts(with: bytes) }
}
