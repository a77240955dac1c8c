import DSVFormat
import DSVRecords
import Testing

@Suite struct WritingTests {
  @Test("any text is written so that it comes back, with no escape more than needed")
  func strings() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var generator = SeededGenerator(seed)
    let parser = JSONParser()
    #expect(
      written { $0.appendJSON(string: "\u{0}\u{1f}\u{8}\u{c}\n\r\t\"\\/\u{7f}é😀\u{2028}") }
        == "\"\\u0000\\u001f\\b\\f\\n\\r\\t\\\"\\\\/\u{7f}é😀\u{2028}\"")
    for round in 0..<2000 {
      var text = ""
      for _ in 0..<Int.random(in: 0...80, using: &generator) {
        let limit: UInt32 = round % 4 == 0 ? 0x80 : 0x110000
        if let scalar = Unicode.Scalar(UInt32.random(in: 0..<limit, using: &generator)) {
          text.unicodeScalars.append(scalar)
        }
      }
      let json = written { $0.appendJSON(string: text) }
      parsing(Array(json.utf8), parser) { result in
        let back = (try? result.get()).map { String(decoding: $0.events[0].text, as: UTF8.self) }
        #expect(back?.unicodeScalars.elementsEqual(text.unicodeScalars) == true)
      }
    }
  }

  @Test("any value is the same when its canonical text is read again")
  func values() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var generator = SeededGenerator(seed)
    func value(_ depth: Int) -> String {
      switch Int.random(in: 0..<(depth < 5 ? 9 : 7), using: &generator) {
      case 0: return "null"
      case 1: return Bool.random(using: &generator) ? "true" : "false"
      case 2: return written { $0.appendJSON(Int64(truncatingIfNeeded: generator.next())) }
      case 3: return written { $0.appendJSON(generator.next()) }
      case 4: return written { $0.appendJSON(Double(Int64(truncatingIfNeeded: generator.next())) / 1024) }
      case 5: return "1e\(generator.next() % 1000)"
      case 6:
        return written {
          $0.appendJSON(string: String(repeating: "\\é\u{1}x", count: Int(generator.next() % 30)))
        }
      case 7:
        return "[" + (0..<generator.next() % 5).map { _ in value(depth + 1) }.joined(separator: ",") + "]"
      default:
        return "{"
          + (0..<generator.next() % 20).map { "\"k\($0)\":" + value(depth + 1) }.joined(separator: ",") + "}"
      }
    }
    for _ in 0..<500 {
      let text = value(0)
      #expect(outcome(text).json == text)
      // White space between tokens makes no difference.
      #expect(outcome(" \(text)\r").json == text)
    }
  }

  @Test("a cursor skips whole values")
  func skipping() {
    parsing(Array(#"{"a":{"b":[1,{"c":2}]},"d":"x","e":[],"f":7}"#.utf8)) { result in
      guard let events = try? result.get() else { return }
      var cursor = EventCursor(events)
      #expect(cursor.next().length == 4)
      var names: [String] = []
      while cursor.peek.kind == .key {
        names.append(String(decoding: cursor.next().text, as: UTF8.self))
        cursor.skip()
      }
      #expect(names == ["a", "d", "e", "f"])
      #expect(cursor.next().kind == .objectEnd)
      #expect(cursor.isAtEnd)
    }
  }

  @Test("what a terminal would act on is escaped")
  func terminal() {
    #expect(
      TerminalText.escaped("a\u{1b}[2J\u{9b}\u{7f}\n\t\u{202e}é😀\\") == "a\\x1b[2J\\x9b\\x7f\\n\\t\\u202eé😀\\"
    )
    #expect(TerminalText.escaped("plain") == "plain")
  }
}
