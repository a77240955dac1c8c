import DSVRecords
import Testing

@Suite struct JSONParserTests {
  @Test(
    "valid texts are accepted and come back canonical",
    arguments: [
      ("{}", "{}"), ("[]", "[]"), (" [ 1 , 2 ] ", "[1,2]"), ("[[[]]]", "[[[]]]"), ("[{}]", "[{}]"),
      ("null", "null"),
      ("true", "true"), ("false", "false"), (" \"a\" ", "\"a\""), ("42", "42"), ("-1.5e+3", "-1.5e+3"),
      (#"{"a":1,"b":[true,null]}"#, #"{"a":1,"b":[true,null]}"#), (#"{"":0}"#, #"{"":0}"#),
      (#"["\u0041\u00e9\u20ac\ud83d\ude00"]"#, "[\"Aé€😀\"]"),
      (#"["\"\\\/\b\f\n\r\t"]"#, #"["\"\\/\b\f\n\r\t"]"#),
      (#"["\u0000\u001f"]"#, #"["\u0000\u001f"]"#), ("[\"\u{7f}\"]", "[\"\u{7f}\"]"),
      (#"{"\u0061":1,"A":2}"#, #"{"a":1,"A":2}"#),
      ("[-0]", "[-0]"), ("[1E400]", "[1E400]"), ("[0.10]", "[0.10]"), ("[\t\n\r 1]", "[1]"),
      ("\u{20}{\"k\" : \"v\"  , \"l\":\"\" }\r", #"{"k":"v","l":""}"#), (#"["a:b,\"}]"]"#, #"["a:b,\"}]"]"#),
    ])
  func accepted(text: String, canonical: String) {
    let result = outcome(text)
    #expect(result.json == canonical, "\(text): \(String(describing: result.reason))")
  }

  @Test(
    "invalid texts are refused",
    arguments: [
      "", " ", "{", "}", "[", "]", "{]", "[}", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1,,2]", "[:]", "[1:2]",
      "[\"a\":1]",
      "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{1:2}", "{a:1}",
      "{\"a\":1}}", "{\"a\":{}",
      "{\"a\":[}", "[[]", "[]]", "{}{}", "{} x", "[1]2", "nul", "nulll", "tru", "truex", "True", "falsy",
      "NaN", "[NaN]",
      "[Infinity]", "[-Infinity]", "[nan]", "[01]", "[-]", "[+1]", "[.5]", "[1.]", "[1.e1]", "[1e]", "[1e+]",
      "[0x1]", "[1_0]",
      "[--1]", "[-01]", "[1a]", "[\"a]", "[\"\\x\"]", "[\"\\u12\"]", "[\"\\u12g4\"]", "[\"a\"b]",
      "[\"a\" \"b\"]", "['a']", "[\"\t\"]",
      "[\"\n\"]", "[\"\0\"]", "[1\0]", "\0", "[1]\0", "[\u{c}1]", "[\u{a0}1]", "\u{feff}[]", "[\"\\\"]",
      "[1]/*c*/", "{\"a\":\"b\"c}",
      "12 34", "\"a\" 1", "true false", "null,", "[tru e]", "{\"a\":tru}", "[\"\\ud800\"]", "[\"\\udc00\"]",
      "[\"\\ud800\\ud800\"]", "[\"\\ud800x\"]", "[\"\\udc00\\ud800\"]", "[\"\\ud800\\n\"]",
      "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "[{\"b\":{\"\":1,\"\":1}}]", "-", "[-a]", "[1.2.3]",
      "[1e1.5]",
    ])
  func refused(text: String) { #expect(outcome(text).json == nil, "\(text) was taken") }

  @Test("every reason is told apart and placed")
  func reasons() {
    func check(_ text: String, _ reason: BadRow.Reason, _ offset: Int) {
      let result = outcome(text)
      #expect(result.reason == reason, "\(text)")
      #expect(result.offset == offset, "\(text)")
    }
    check("{\"a\":\"\\ud800\"}", .escape, 6)
    check("{\"a\":1,\"b\":2,\"a\":3}", .duplicateKey, 13)
    check("{} {}", .trailing, 3)
    check("1 2", .trailing, 2)
    check("[\"a\u{1}\"]", .controlCharacter, 3)
    check("[\"abc", .unclosedString, 5)
    check("[1, 01]", .number, 4)
    check("  ", .empty, 0)
    #expect(outcome([0x5b, 0x22, 0xc3, 0x28, 0x22, 0x5d]).reason == .utf8)
    #expect(outcome([0x5b, 0x22, 0xc3, 0x28, 0x22, 0x5d]).offset == 2)
  }

  @Test("invalid UTF-8 is refused wherever it stands")
  func invalidUTF8() {
    let sequences: [[UInt8]] = [
      [0x80], [0xc0, 0x80], [0xc3], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xf0, 0x80, 0x80, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf8, 0x88, 0x80, 0x80, 0x80], [0xff], [0xe2, 0x82],
    ]
    for sequence in sequences {
      let inString = Array("{\"a\":\"".utf8) + sequence + Array("\"}".utf8)
      #expect(outcome(inString).reason == .utf8, "\(sequence)")
      #expect(outcome(inString).offset == 6, "\(sequence)")
      #expect(outcome(Array("{\"".utf8) + sequence + Array("\":1}".utf8)).json == nil)
      #expect(outcome([0x5b] + sequence + [0x5d]).json == nil)
    }
  }

  @Test("128 levels are taken and 129 refused, of whatever kind")
  func depth() {
    func nested(_ count: Int, _ open: String, _ close: String) -> String {
      String(repeating: open, count: count) + "1" + String(repeating: close, count: count)
    }
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
      let levels = open.hasPrefix("[{") ? 2 : 1
      #expect(outcome(nested(128 / levels, open, close)).json != nil)
      #expect(outcome(nested(128 / levels + 1, open, close)).reason == .depth)
      #expect(outcome(nested(10_000, open, close)).reason == .depth)
      #expect(outcome(nested(1_000_000, open, close)).reason == .depth)
    }
    #expect(outcome(String(repeating: "[", count: 100_000)).json == nil)
  }

  @Test("a key given twice is found among many, in good time")
  func duplicateAmongMany() {
    let keys = (0..<50_000).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
    #expect(outcome("{\(keys)}").json != nil)
    #expect(outcome("{\(keys),\"k777\":1}").reason == .duplicateKey)
    // Equal keys in different objects are fine.
    #expect(outcome("[{\"a\":{\"a\":1}},{\"a\":2}]").json != nil)
  }

  @Test("a text cut anywhere is refused and one with any byte changed never traps")
  func damage() {
    let text = Array(#"{"a":[1,-2.5e3,true,{"b":"x\u00e9\ny","c":null}],"d":"é€😀","e":{}}"#.utf8)
    #expect(outcome(text).json != nil)
    for count in 0..<text.count { #expect(outcome(Array(text[..<count])).json == nil, "\(count) bytes") }
    let parser = JSONParser()
    for position in text.indices {
      for byte: UInt8 in 0...255 {
        var changed = text
        changed[position] = byte
        parsing(changed, parser) { result in
          guard case .success(let events) = result else { return }
          #expect(outcome(canonical(events)).json == canonical(events))
        }
      }
    }
  }
}
