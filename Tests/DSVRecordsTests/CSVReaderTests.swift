import DSVFormat
import DSVRecords
import Testing

@Suite struct CSVReaderTests {
  private func jsons(_ text: String) throws -> [String] {
    try rows(text, .csv).map { row in
      switch row {
      case .record(_, let json): json
      case .bad(let line, let reason): "line \(line): \(reason.rawValue)"
      }
    }
  }

  @Test("cells are nulls, bools, numbers by JSON's grammar, and else strings as written")
  func kinds() throws {
    #expect(
      try jsons(
        "a,b,c,d,e\n,\"\",true,false,True\n1,-2.50,1e5,-0,18446744073709551616\n007,+1,1.,nan,.5\n\"1\",\"true\", 1,1 ,-\n"
      )
        == [
          #"{"a":null,"b":"","c":true,"d":false,"e":"True"}"#,
          #"{"a":1,"b":-2.50,"c":1e5,"d":-0,"e":18446744073709551616}"#,
          #"{"a":"007","b":"+1","c":"1.","d":"nan","e":".5"}"#,
          #"{"a":1,"b":true,"c":" 1","d":"1 ","e":"-"}"#,
        ])
  }

  @Test("quoted cells hold commas, line ends and doubled quotes, and lines are counted through them")
  func quotes() throws {
    #expect(
      try rows(
        "a,b\r\n\"x,\"\"y\"\"\",\"l1\r\nl2\n\"\r\n1,2\r\n5\" pipe,a\"b\r\n\"\"\"\",\"\"\"\"\"\"\r\n", .csv)
        == [
          .record(line: 2, json: #"{"a":"x,\"y\"","b":"l1\r\nl2\n"}"#),
          .record(line: 5, json: #"{"a":1,"b":2}"#),
          .record(line: 6, json: #"{"a":"5\" pipe","b":"a\"b"}"#),
          .record(line: 7, json: #"{"a":"\"","b":"\"\""}"#),
        ])
  }

  @Test("ragged, unclosed and badly quoted rows are bad rows")
  func badRows() throws {
    #expect(
      try rows("a,b\n1\n1,2,3\n\"x\"y,2\n1,2\n1,\"open\n3,4\n", .csv) == [
        .bad(line: 2, .columnCount), .bad(line: 3, .columnCount), .bad(line: 4, .strayQuote),
        .record(line: 5, json: #"{"a":1,"b":2}"#), .bad(line: 6, .unclosedQuote),
      ])
    #expect(try rows(Array("a\n".utf8) + [0xff, 0x0a], .csv) == [.bad(line: 2, .utf8)])
  }

  @Test("a header that is empty, names nothing or names a column twice is an error")
  func headers() throws {
    #expect(try jsons("") == [])
    #expect(try jsons("a,b") == [])
    for text in ["\n1\n", "a,,b\n", "a,b,a\n", "a,\"b\n", "\"a\"x\n", ",\n", "\"\"\n"] {
      #expect(throws: DSVError.self, "\(text)") { try rows(text, .csv) }
    }
    #expect(try jsons("\"a\"\"b\",\"c\nd\"\n1,2\n") == [#"{"a\"b":1,"c\nd":2}"#])
  }

  @Test("blank lines are skipped, but are nulls where there is one column")
  func blankLines() throws {
    #expect(try jsons("a,b\n\n1,2\n\n") == [#"{"a":1,"b":2}"#])
    #expect(try jsons("a\n\n1\n\"\"\n") == [#"{"a":null}"#, #"{"a":1}"#, #"{"a":""}"#])
    #expect(try jsons("a,b\n1,") == [#"{"a":1,"b":null}"#])
  }

  @Test("texts that are written come back")
  func roundTrip() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var generator = SeededGenerator(seed)
    let pieces = ["a", ",", "\"", "\n", "\r", "\r\n", "é", "😀", " ", "\0", "b,c", "\"\""]
    for _ in 0..<300 {
      let texts = (0..<20).map { _ in
        "x"
          + (0..<Int.random(in: 0...6, using: &generator)).map { _ in
            pieces.randomElement(using: &generator) ?? ""
          }.joined()
      }
      var csv = written { $0.append("c,d\n") }
      for text in texts {
        csv += written {
          $0.appendCSV(text: text)
          $0.append(",")
          $0.appendCSV(text: "")
          $0.appendCSVLineEnd()
        }
      }
      let expected = texts.map { text in "{\"c\":" + written { $0.appendJSON(string: text) } + ",\"d\":\"\"}"
      }
      #expect(try jsons(csv) == expected)
    }
  }
}
