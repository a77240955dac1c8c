import DSV
import DSVFormat
import DSVTesting
import Testing

/// Rows that are committed from memory become what a file of them becomes.
@Suite struct RowsInMemoryTests {
  private let message = CommitMessage("rows", author: "test", time: 0)

  private func options(_ mode: CommitOptions.Mode, key: [String] = []) -> CommitOptions {
    var options = CommitOptions()
    (options.mode, options.key) = (mode, key)
    return options
  }

  /// Of about `byteCount` bytes in all.
  private func lines(_ byteCount: Int) -> [String] {
    (0..<max(1, byteCount / 40)).map { #"{"id":\#($0),"text":"row number \#($0 &* 7919)"}"# }
  }

  @Test("of any size", arguments: [10, 5_000, 262_144, 600_000, 2_500_000])
  func sameRoot(byteCount: Int) throws {
    let (files, memory) = (try Dataset(), try Dataset())
    let lines = lines(byteCount)
    for mode in [CommitOptions.Mode.replace, .append, .upsert] {
      let rows = mode == .append ? lines.map { $0.replacing(#""id":"#, with: #""id":1"#) } : lines
      let key = mode == .append ? [] : ["id"]
      let kept =
        mode == .append ? Array(rows.prefix(1)).map { $0.replacing(#""id":1"#, with: #""id":-1"#) } : rows
      let result = try memory.repository.commit(
        rows: Array(kept.joined(separator: "\n").utf8), message, options(mode, key: key))
      #expect(try files.commit(kept, mode, key: key).root == result.root, "\(mode)")
    }
    #expect(try memory.repository.check().problems == [])
  }

  @Test("nothing, blank lines and a last line without its end are as in a file")
  func edges() throws {
    let dataset = try Dataset()
    let repository = dataset.repository
    #expect(try repository.commit(rows: [], message).rowCount == 0)
    #expect(try repository.commit(rows: Array("\n\r\n".utf8), message).rowCount == 0)
    #expect(try repository.commit(rows: Array("{\"a\":1}\r\n\n{\"a\":2}".utf8), message).rowCount == 2)
    #expect(try repository.commit(rows: Array("{\"a\":3}".utf8), message, options(.append)).rowCount == 3)
    #expect(try dataset.rows() == [#"{"a":1}"#, #"{"a":2}"#, #"{"a":3}"#])
  }

  @Test("a row that is refused is named, and one that is put aside is kept")
  func badRows() throws {
    let dataset = try Dataset()
    let rows = Array("{\"a\":1}\n{\"a\":2}\n[3]\n".utf8)
    let refused = #expect(throws: DSVError.self) { try dataset.repository.commit(rows: rows, message) }
    #expect(refused?.code == .badInput && refused?.message.contains("rows:3") == true, "\(refused as Any)")
    var options = CommitOptions()
    options.badRows = .quarantine
    let result = try dataset.repository.commit(rows: rows, message, options)
    #expect(result.quarantinedCount == 1 && result.tables == ["data": 2, "data.quarantine": 1])
    let twice = Array("{\"a\":1}\n{\"a\":1}\n".utf8)
    let repeated = #expect(throws: DSVError.self) {
      try dataset.repository.commit(rows: twice, message, self.options(.replace, key: ["a"]))
    }
    #expect(repeated?.message.contains("rows:1 and rows:2") == true, "\(repeated as Any)")
  }

  @Test("the README's example is the one that a test runs")
  func example() throws {
    let dataset = try Dataset()
    let repository = dataset.repository
    var options = CommitOptions()
    // BEGIN
    options.mode = .append
    let row = Array(#"{"id": "d1", "text": "hello"}"#.utf8)
    print(try repository.commit(rows: row, CommitMessage("one more"), options).version)
    // END
    #expect(try dataset.rows() == [#"{"id":"d1","text":"hello"}"#])
  }

  @Test("a thousand small appends make the table that one commit makes")
  func manyAppends() throws {
    let (one, many) = (try Dataset(), try Dataset())
    let lines = (0..<1000).map { number in
      let text = String(repeating: "word \(number % 13) ", count: number % 40)
      return #"{"id":\#(number),"is":\#(number % 2 == 0),"text":"\#(text)","list":[\#(number),null]}"#
    }
    var root: SnapshotID?
    for line in lines {
      root = try many.repository.commit(rows: Array(line.utf8), message, options(.append)).root
    }
    #expect(try one.commit(lines).root == root)
    #expect(try many.repository.check().problems == [])
  }
}
