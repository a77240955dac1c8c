import DSV
import DSVFormat
import DSVRecords
import DSVTables
import DSVTesting
import Synchronization
import Testing

/// Appending, upserting, widening, quarantine, schemas, keys.
@Suite struct CommitTests {
  private func refused(
    _ words: String, at place: SourceLocation = #_sourceLocation, _ body: () throws -> Void
  ) {
    do {
      try body()
      Issue.record("nothing was thrown", sourceLocation: place)
    } catch let error as DSVError {
      #expect(error.code == .badInput && error.message.contains(words), "\(error)", sourceLocation: place)
    } catch {
      Issue.record(error, sourceLocation: place)
    }
  }

  @Test("an upsert replaces rows of the same key and adds the others")
  func upsert() throws {
    let dataset = try Dataset()
    try dataset.commit([#"{"k":1,"v":"a"}"#, #"{"k":2,"v":"b"}"#], key: ["k"])
    try dataset.commit([#"{"k":2,"v":"B"}"#, #"{"k":3,"v":"c"}"#], .upsert)
    #expect(try dataset.rows() == [#"{"k":1,"v":"a"}"#, #"{"k":2,"v":"B"}"#, #"{"k":3,"v":"c"}"#])
    try dataset.commit([#"{"k":2,"v":"b"}"#], .upsert)
    #expect(try dataset.rows() == [#"{"k":1,"v":"a"}"#, #"{"k":3,"v":"c"}"#, #"{"k":2,"v":"b"}"#])
    #expect(try dataset.repository.check().problems == [])
  }

  @Test("rows whose fields come in another order, or not at all, become the columns that they would in order")
  func fieldOrder() throws {
    var random = SeededGenerator(seed: 3)
    var (ordered, mixed): ([String], [String]) = ([], [])
    for row in 0..<5000 {
      var fields = [
        "\"id\":\(row)", "\"a\":\(random.below(9) == 0 ? "null" : "\(row % 7)")",
        "\"b\":\(row % 3 == 1 ? "\(row)" : "\(row).5")", "\"c\":\(row % 2 == 0)",
        "\"d\":\"text \(row % 11)\"",
      ]
      if row > 0, random.below(8) == 0 { fields.remove(at: random.below(5)) }
      ordered.append("{\(fields.joined(separator: ","))}")
      if row > 0, random.below(3) == 0 { fields.shuffle(using: &random) }
      mixed.append("{\(fields.joined(separator: ","))}")
    }
    let dataset = try Dataset()
    let root = try dataset.commit(ordered).root
    #expect(try dataset.rows() == ordered.map { $0.replacing(/"b":(\d+)(?=[,}])/) { "\"b\":\($0.1).0" } })
    #expect(ordered != mixed)
    #expect(try Dataset().commit(mixed).root == root)
  }

  @Test("an upsert of rows that are there already changes nothing")
  func upsertOfEqualRows() throws {
    let dataset = try Dataset()
    let rows = [#"{"k":1,"v":"a","l":[1,null]}"#, #"{"k":2,"v":null}"#, #"{"k":3}"#]
    let first = try dataset.commit(rows, key: ["k"])
    let again = try dataset.commit(rows.reversed(), .upsert)
    #expect(!again.isNew && again.version == "v1" && again.root == first.root)
    let some = try dataset.commit([rows[0], #"{"k":2,"v":"b"}"#, #"{"k":4,"v":"d"}"#, rows[2]], .upsert)
    #expect(some.rowCount == 4)
    #expect(
      try dataset.rows() == [
        #"{"k":1,"v":"a","l":[1,null]}"#, #"{"k":3}"#, #"{"k":2,"v":"b"}"#, #"{"k":4,"v":"d"}"#,
      ])
    // A null is not a field that is missing.
    #expect(try dataset.commit([#"{"k":3,"v":null}"#], .upsert).isNew)
  }

  @Test("an upsert without a key is refused")
  func upsertWithoutKey() throws {
    let dataset = try Dataset()
    try dataset.commit([#"{"k":1}"#])
    refused("no key") { try dataset.commit([#"{"k":1}"#], .upsert) }
    #expect(try dataset.log() == ["v1"])
  }

  @Test("keys that repeat, or have no value, are refused with the rows")
  func keys() throws {
    let dataset = try Dataset()
    refused("rows.jsonl:3: the rows have the same key (k)") {
      try dataset.commit([#"{"k":1}"#, #"{"k":2}"#, #"{"k":1}"#], key: ["k"])
    }
    refused("no value") { try dataset.commit([#"{"k":1}"#, #"{"v":2}"#], key: ["k"]) }
    refused("key column 'x'") { try dataset.commit([#"{"k":1}"#], key: ["x"]) }
    #expect(try dataset.log() == [])
    try dataset.commit([#"{"k":1,"j":1}"#, #"{"k":1,"j":2}"#], key: ["k", "j"])
    refused("already has") { try dataset.commit([#"{"k":1,"j":2}"#], .append) }
    refused("rows.jsonl:2: the rows have the same key (k, j)") {
      try dataset.commit([#"{"k":5,"j":2}"#, #"{"k":5,"j":2}"#], .upsert)
    }
    // Rows that were there must keep a key that is declared later.
    refused("same key") { try dataset.commit([#"{"k":3,"j":3}"#], .append, key: ["k"]) }
    refused("same key") { try dataset.commit([#"{"k":3,"j":3}"#], .upsert, key: ["k"]) }
    #expect(try dataset.log() == ["v1"])
    #expect(try dataset.commit([#"{"k":3,"j":3}"#], .append, key: ["j"]).rowCount == 3)
  }

  @Test("an append that would widen a column is refused, and taken with widening")
  func widen() throws {
    for (old, new) in [
      ("1", "\"x\""), ("\"x\"", "1"), ("[1]", "[\"x\"]"), ("{\"x\":1}", "{\"x\":\"y\"}"), ("1", "0.5"),
      ("1.5", "\"x\""), ("true", "1"),
      ("-1", "18446744073709551615"), ("[1]", "1"), ("{\"x\":1}", "[]"),
    ] {
      let dataset = try Dataset()
      let (first, second) = (#"{"a":\#(old),"b":1}"#, #"{"a":\#(new),"b":2}"#)
      try dataset.commit([first, #"{"b":7}"#, #"{"a":null}"#])
      refused("column a") { try dataset.commit([second], .append) }
      #expect(try dataset.log() == ["v1"])
      try dataset.commit([second, #"{"a":null}"#], .append) { $0.widens = true }
      #expect(
        try dataset.rows() == [first, #"{"b":7}"#, #"{"a":null}"#, second, #"{"a":null}"#], "\(old), \(new)")
      #expect(try dataset.repository.check().problems == [])
    }
  }

  @Test("widening keeps the key, what was dropped, and why")
  func widenUpsert() throws {
    let dataset = try Dataset()
    try dataset.commit([#"{"k":1,"v":1}"#, #"{"k":2,"v":2}"#], key: ["k"])
    try dataset.commit([#"{"k":1,"v":3}"#], .upsert)
    try dataset.commit([#"{"k":2,"v":"x"}"#], .upsert) { $0.widens = true }
    #expect(try dataset.rows() == [#"{"k":1,"v":3}"#, #"{"k":2,"v":"x"}"#])
    let table = try dataset.repository.table(nil, of: try #require(try dataset.repository.head().commit))
    #expect(table.key == ["k"] && table.rowCount == 4 && table.liveCount == 2 && table.reasons.count == 1)
  }

  @Test("rows that cannot be taken go to quarantine, raw and with the reason")
  func quarantine() throws {
    let dataset = try Dataset()
    let lines = [#"{"a":1}"#, "{\"a\":", "[1]", "{\"a\":2,\"a\":3}", #"{"a":4}"#]
    refused("rows.jsonl:2:") { try dataset.commit(lines) }
    let commit = try dataset.commit(lines) { $0.badRows = .quarantine }
    #expect(commit.quarantinedCount == 3 && commit.tables == ["data": 2, "data.quarantine": 3])
    #expect(try dataset.rows() == [#"{"a":1}"#, #"{"a":4}"#])
    // Where types are fixed, rows that do not fit are put aside too.
    let more = try dataset.commit([#"{"a":"x"}"#, #"{"a":5,"n":1}"#], .append) { $0.badRows = .quarantine }
    #expect(more.quarantinedCount == 1 && more.tables["data"] == 3)
    #expect(try dataset.rows().last == #"{"a":5,"n":1}"#)
    #expect(more.tables["data.quarantine"] == 4)
    // What is added cleanly leaves them; what replaces the table takes them along.
    #expect(try dataset.commit([#"{"a":6}"#], .append).tables["data.quarantine"] == 4)
    #expect(try dataset.commit([#"{"a":1}"#]).tables == ["data": 1])
  }

  @Test("a table that only has a quarantine's name is left alone")
  func notAQuarantine() throws {
    let dataset = try Dataset()
    try dataset.commit([#"{"mine":1}"#]) { $0.table = "data.quarantine" }
    #expect(try dataset.commit([#"{"a":1}"#]).tables == ["data": 1, "data.quarantine": 1])
    refused("rename it") { try dataset.commit(["["], .append) { $0.badRows = .quarantine } }
  }

  @Test("a schema fixes the columns and their types")
  func schema() throws {
    let fields = [Field("id", .int32, isNullable: false), Field("t", .timestamp(.second, zone: "UTC"))]
    func commit(_ dataset: Dataset, _ lines: [String], _ mode: CommitOptions.Mode = .replace) throws {
      try dataset.commit(lines, mode) { $0.schema = fields }
    }
    let dataset = try Dataset()
    try commit(dataset, [#"{"id":1,"t":"2020-01-02T03:04:05Z"}"#, #"{"id":2}"#])
    #expect(try dataset.rows() == [#"{"id":1,"t":"2020-01-02T03:04:05Z"}"#, #"{"id":2}"#])
    refused("column x") { try commit(dataset, [#"{"id":1,"x":1}"#]) }
    refused("column id") { try commit(dataset, [#"{"id":2147483648}"#]) }
    refused("required") { try commit(dataset, [#"{"t":null}"#]) }
    refused("column t") { try commit(dataset, [#"{"id":1,"t":"yesterday"}"#]) }
    try commit(dataset, [#"{"id":3}"#], .append)
    refused("column id") { try dataset.commit([#"{"id":3}"#], .append) { $0.schema = [Field("id", .utf8)] } }
    #expect(try dataset.log() == ["v2", "v1"])
  }

  @Test("CSV comes in and goes out")
  func csv() throws {
    let dataset = try Dataset()
    try dataset.commit(["id,text,n", "1,\"a, \"\"b\"\"\",1.5", "2,,"]) { $0.format = .csv }
    #expect(try dataset.rows().count == 2)
    var options = ExportOptions()
    options.format = .csv
    let exported = try dataset.rows(nil, options)
    let other = try Dataset()
    try other.commit(exported) { $0.format = .csv }
    #expect(try other.rows() == dataset.rows())
    #expect(exported.count == 3 && exported[1].contains("\"a, \"\"b\"\"\""))
  }

  @Test("tables stand beside each other")
  func tables() throws {
    let dataset = try Dataset()
    try dataset.commit([#"{"a":1}"#], table: "train")
    let commit = try dataset.commit([#"{"b":1}"#], table: "eval")
    #expect(commit.tables == ["eval": 1, "train": 1])
    refused("several tables") { _ = try dataset.repository.table(nil, of: commit.commit) }
  }

  @Test(
    "a replacement is refused where another commit has changed the table meanwhile, and keeps what it did to others"
  )
  func replacedMeanwhile() throws {
    let dataset = try Dataset()
    try dataset.commit([#"{"a":1}"#])
    // So many that progress is told.
    let rows = [String](repeating: #"{"a":7}"#, count: 20_000)
    let file = try dataset.folder.write("new.jsonl", rows.joined(separator: "\n"))
    let repository = dataset.repository
    func replace(whileCommittingTo table: String) throws -> CommitResult {
      let isDone = Mutex(false)
      let message = CommitMessage("new", author: "test", time: 0)
      return try repository.commit([file], message, CommitOptions()) { (_) throws(DSVError) in
        guard
          isDone.withLock({ isDone in
            defer { isDone = true }
            return !isDone
          })
        else { return }
        var options = CommitOptions()
        (options.mode, options.table) = (.append, table)
        _ = try repository.commit(rows: Array(#"{"a":2}"#.utf8), message, options)
      }
    }
    let error = #expect(throws: DSVError.self) { try replace(whileCommittingTo: "data") }
    #expect(error?.code == .conflict && error?.message.contains("'data'") == true)
    #expect(try dataset.rows() == [#"{"a":1}"#, #"{"a":2}"#])
    let result = try replace(whileCommittingTo: "other")
    #expect(result.tables == ["data": 20_000, "other": 1])
  }
}
