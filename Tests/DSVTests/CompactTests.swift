import DSV
import DSVFormat
import DSVTables
import DSVTransforms
import Testing

/// What a table becomes when its dropped rows are left behind.
@Suite struct CompactTests {
  /// A row with everything in it that a column can hold in a way of its own; `salt` changes its values.
  static func row(_ id: Int, salt: Int = 0) -> String {
    let seed = UInt64(id * 31 + salt)
    let words = (0..<Int(Hash64.of(seed) % 90)).map { "w\(Hash64.of(seed &+ UInt64($0)) % 500)" }
    var members = [
      #""id":\#(id)"#, #""text":"\#(words.joined(separator: " "))""#, #""even":\#(id % 2 == 0)"#,
    ]
    if id % 3 != 0 { members.append(#""may":\#(id % 4 == 0 ? "null" : "\(id).25")"#) }
    if id % 5 != 0 { members.append(#""in":{"a":\#(id % 7 == 0 ? "null" : "[\(id),1]"),"b":"x\#(salt)"}"#) }
    if id == 700 { members.append(#""late":"\#(String(repeating: "long ", count: 60_000))""#) }
    return "{" + members.joined(separator: ",") + "}"
  }

  /// Rows of which some were replaced, one by one and in long runs.
  func replaced() throws -> Dataset {
    let dataset = try Dataset(threadCount: 2)
    try dataset.commit((0..<4000).map { Self.row($0) }, key: ["id"])
    let old = Array(1000..<1500) + stride(from: 2000, to: 2600, by: 7) + [0, 700, 3999]
    try dataset.commit(old.map { Self.row($0, salt: 1) }, .upsert)
    return dataset
  }

  func compact(_ dataset: Dataset, table: String? = nil) throws -> CommitResult {
    try dataset.repository.compact(
      try dataset.repository.resolve("main"), table: table, CommitMessage("compact", author: "test", time: 0))
  }

  @Test("a compacted version has the root of a commit of its rows, the same fingerprint, and the rows it had")
  func roots() throws {
    let dataset = try replaced()
    let repository = dataset.repository
    let (old, rows) = (try repository.resolve("main").commit, try dataset.rows())
    let fingerprint = try repository.fingerprint(old)
    let schema = try repository.table(nil, of: old).schema
    let result = try compact(dataset)
    #expect(result.isNew && result.rowCount == 4000)
    let table = try repository.table(nil, of: result.commit)
    #expect(
      table.selection == nil && table.reasons.isEmpty && table.rowCount == 4000 && table.schema == schema)
    #expect(try dataset.rows() == rows && dataset.rows(old) == rows)
    #expect(try repository.fingerprint(result.commit) == fingerprint)
    #expect(try repository.check().problems == [])

    let fresh = try Dataset()
    let whole = try fresh.commit(rows, key: ["id"]) { $0.schema = schema }
    #expect(whole.root == result.root)
    #expect(try !compact(dataset).isNew, "what is canonical stays as it is")
  }

  @Test("kinds of absence that were dropped are gone, also where none is left")
  func absence() throws {
    let dataset = try Dataset()
    try dataset.commit([#"{"k":1,"v":null}"#, #"{"k":2}"#, #"{"k":3,"v":5}"#], key: ["k"])
    try dataset.commit([#"{"k":2,"v":7}"#], .upsert)
    for (more, expected) in [
      ([#"{"k":2,"v":null}"#], TableField.Absence.null), ([#"{"k":1}"#, #"{"k":2}"#], .missing),
      ([#"{"k":1,"v":1}"#, #"{"k":2,"v":1}"#, #"{"k":3,"v":1}"#], .null),
    ] {
      try dataset.commit(more, .upsert)
      let rows = try dataset.rows()
      let result = try compact(dataset)
      let table = try dataset.repository.table(nil, of: result.commit)
      #expect(table.field("v")?.absence == expected && table.rowCount == 3)
      #expect(try dataset.rows() == rows)
      let whole = try Dataset().commit(rows, key: ["k"]) { $0.schema = table.schema }
      #expect(whole.root == result.root)
    }
  }

  @Test("signals stay signals, in step with the rows; other tables stay as they are")
  func signals() throws {
    let dataset = try Dataset(threadCount: 2)
    let repository = dataset.repository
    try dataset.commit((0..<500).map { Self.row($0) }, table: "other")
    try dataset.commit((0..<900).map { Self.row($0) })
    let filtered = try repository.transform(
      try repository.resolve("main"), Recipe(steps: [Recipe.Step(name: "quality")]), table: "data",
      CommitMessage("filter", author: "test", time: 0))
    var options = ExportOptions()
    options.includesSignals = true
    let rows = try dataset.rows(nil, options)
    #expect(filtered.rowsOut < 900 && rows.count == filtered.rowsOut)
    let other = try repository.table("other", of: filtered.commit.commit)
    let result = try compact(dataset, table: "data")
    #expect(try dataset.rows(nil, options) == rows)
    let table = try repository.table("data", of: result.commit)
    #expect(table.fields.contains { $0.isSignal } && table.rowCount == rows.count)
    #expect(try repository.table("other", of: result.commit) == other)
    #expect(throws: DSVError.self) { try compact(dataset, table: "none") }
  }
}
