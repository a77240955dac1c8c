import DSV
import DSVColumns
import DSVFormat
import DSVTables
import DSVTesting
import DSVTransforms
import DSVVersions
import Testing

/// What a comparison must come to, by the simplest means.
private struct DiffModel {
  typealias Row = [String: JSONValue]

  /// Of the rows that differ, as text without their order.
  var added: [String] = []
  var removed: [String] = []
  var changed: [String] = []
  var cells = 0
  var moved = 0

  init(_ a: [Row], _ b: [Row], key: String?, columns: Set<String>) {
    let (a, b) = (a.map { Self.project($0, columns) }, b.map { Self.project($0, columns) })
    var inA: [JSONValue: [Int]] = [:]
    func identity(_ row: Row) -> JSONValue { key.map { row[$0] ?? .null } ?? .object(row) }
    for (index, row) in a.enumerated().reversed() { inA[identity(row), default: []].append(index) }
    var isMatched = [Bool](repeating: false, count: a.count)
    // The places in A of the rows that both have unchanged, in the order of B.
    var places: [Int] = []
    for row in b {
      guard let index = inA[identity(row)]?.popLast() else {
        added.append(JSONValue.object(row).text)
        continue
      }
      isMatched[index] = true
      let differing = columns.filter { a[index][$0] != row[$0] }
      cells += differing.count
      if differing.isEmpty {
        places.append(index)
      } else {
        changed.append(JSONValue.object(row).text)
      }
    }
    for index in a.indices where !isMatched[index] { removed.append(JSONValue.object(a[index]).text) }
    moved = places.count - Self.longestAscent(places)
    added.sort()
    removed.sort()
    changed.sort()
  }

  static func project(_ row: Row, _ columns: Set<String>) -> Row { row.filter { columns.contains($0.key) } }

  private static func longestAscent(_ places: [Int]) -> Int {
    var tails: [Int] = []
    for place in places {
      var (index, end) = (0, tails.count)
      while index < end {
        let middle = (index + end) / 2
        if tails[middle] > place { end = middle } else { index = middle + 1 }
      }
      if index == tails.count { tails.append(place) } else { tails[index] = place }
    }
    return tails.count
  }
}

/// A table's rows in a test, which are edited in step with the stored ones.
private struct Edits {
  typealias Row = DiffModel.Row
  var generator: SeededGenerator
  var rows: [Row] = []
  var nextKey: Int64 = 0
  /// Whether no two rows may be alike, so that what has moved is certain.
  let isUnique: Bool

  mutating func newRow() -> Row {
    nextKey += 1
    var row: Row = [
      "k": .string("key \(nextKey * 7919 % 1_000_003)"), "v": value(), "w": .int(Int64(generator.below(3))),
    ]
    if !isUnique { row["k"] = .string("key \(generator.below(20))") }
    switch generator.below(4) {
    case 0: row["n"] = .null
    case 1: break
    default: row["n"] = .string(String(repeating: "text ", count: generator.below(30)))
    }
    return row
  }

  mutating func value() -> JSONValue { .string("value \(generator.below(isUnique ? 1000 : 2))") }

  mutating func edit() {
    let at = rows.isEmpty ? 0 : generator.below(rows.count)
    switch generator.below(rows.isEmpty ? 1 : 7) {
    case 0:
      let new = (0..<1 + generator.below(8)).map { _ in newRow() }
      rows.insert(contentsOf: new, at: at)
    case 1: rows.removeSubrange(at..<min(rows.count, at + 1 + generator.below(6)))
    case 2: rows[at]["v"] = value()
    case 3: rows[at]["n"] = generator.oneIn(3) ? .null : nil
    case 4:
      let block = Array(rows[at..<min(rows.count, at + 1 + generator.below(40))])
      rows.removeSubrange(at..<at + block.count)
      rows.insert(contentsOf: block, at: rows.isEmpty ? 0 : generator.below(rows.count))
    case 5: rows.swapAt(at, generator.below(rows.count))
    default:
      let new = (0..<1 + generator.below(5)).map { _ in newRow() }
      rows += new
    }
  }

  var lines: [String] { rows.map { JSONValue.object($0).text } }
}

@Suite struct TableDiffTests {
  /// Compares two versions, HEAD~1 with HEAD if none are named, and with what the model says.
  private func compare(
    _ dataset: Dataset, _ old: [DiffModel.Row], _ new: [DiffModel.Row], key: String?,
    columns: Set<String>? = nil, versions: (String, String) = ("HEAD~1", "HEAD"),
    comparesMoves: Bool = true, _ context: String
  ) throws {
    let repository = dataset.repository
    let (a, b) = (try repository.resolve(versions.0).commit, try repository.resolve(versions.1).commit)
    var columns = columns ?? Set((old + new).flatMap(\.keys))
    if old.isEmpty || new.isEmpty {
      columns = Set(old.first?.keys.map { $0 } ?? new.first?.keys.map { $0 } ?? [])
    }
    let model = DiffModel(old, new, key: key, columns: columns)
    var (added, removed, changed): ([String], [String], [String]) = ([], [], [])
    func text(_ json: String) throws(DSVError) -> String {
      guard case .object(let row)? = try? JSONValue(parsing: json) else { return "?" }
      return JSONValue.object(DiffModel.project(row, columns)).text
    }
    let result = try repository.diff(a, b) { (row) throws(DSVError) in
      switch row.kind {
      case .added: added.append(try text(try row.newRow() ?? "?"))
      case .removed: removed.append(try text(try row.oldRow() ?? "?"))
      case .changed: changed.append(try text(try row.newRow() ?? "?"))
      }
    }
    let stat = try repository.diff(a, b)
    #expect(stat.total == result.total, "\(context)")
    let counts = result.total
    #expect(added.sorted() == model.added && removed.sorted() == model.removed, "\(context)")
    #expect(changed.sorted() == model.changed, "\(context)")
    #expect(counts.added == model.added.count && counts.removed == model.removed.count, "\(context)")
    #expect(counts.changed == model.changed.count && counts.cells == model.cells, "\(context)")
    if comparesMoves { #expect(counts.moved == model.moved, "\(context)") }
  }

  private func run(_ seed: UInt64, rowCount: Int, editCount: Int, key: String?, isUnique: Bool) throws {
    var edits = Edits(generator: SeededGenerator(seed: seed), isUnique: isUnique)
    for _ in 0..<rowCount { edits.rows.append(edits.newRow()) }
    let dataset = try Dataset()
    let keys = key.map { [$0] } ?? []
    try dataset.commit(edits.lines, key: keys)
    for step in 0..<4 {
      let old = edits.rows
      for _ in 0..<1 + edits.generator.below(editCount) { edits.edit() }
      if edits.rows == old || edits.rows.isEmpty { continue }
      try dataset.commit(edits.lines, key: keys)
      try compare(dataset, old, edits.rows, key: key, comparesMoves: isUnique, "seed \(seed), step \(step)")
    }
  }

  @Test("small tables with a key compare as the model says", arguments: UInt64(0)..<60)
  func keyed(seed: UInt64) throws {
    try run(seed, rowCount: 1 + Int(seed) * 7, editCount: 12, key: "k", isUnique: true)
  }

  @Test("small tables without a key compare as the model says", arguments: UInt64(100)..<160)
  func unkeyed(seed: UInt64) throws {
    try run(seed, rowCount: 1 + Int(seed), editCount: 12, key: nil, isUnique: true)
  }

  @Test(
    "rows that are alike more often than rows are held at once find their matches", arguments: [1, 8, 64])
  func manyAlike(matchedAtOnce: Int) throws {
    var generator = SeededGenerator(seed: 5)
    let dataset = try Dataset()
    func rows(_ often: Int, _ other: Int) -> [String] {
      var values = [Int](repeating: 0, count: often) + [Int](repeating: 1, count: other)
      values += (0..<300).map { _ in 2 + generator.below(400) }
      return values.shuffled(using: &generator).map { #"{"v":"value \#($0)"}"# }
    }
    let (old, new) = (rows(700, 3), rows(500, 400))
    try dataset.commit(old)
    try dataset.commit(new)
    let (a, b) = (Dictionary(grouping: old) { $0 }, Dictionary(grouping: new) { $0 })
    let inBoth = a.reduce(0) { $0 + min($1.value.count, b[$1.key]?.count ?? 0) }
    let tables = try ["HEAD~1", "HEAD"].map {
      try dataset.repository.table(nil, of: try dataset.repository.resolve($0).commit)
    }
    func counts(_ matchedAtOnce: Int) throws -> DiffCounts {
      try TableDiff(
        tables[0], tables[1], reader: dataset.repository.reader, text: { (_, _) in [] },
        matchedAtOnce: matchedAtOnce
      ).run()
    }
    let found = try counts(matchedAtOnce)
    #expect(found.removed == old.count - inBoth && found.added == new.count - inBoth && found.changed == 0)
    #expect(found == (try counts(1 << 20)))
  }

  @Test("tables in which rows repeat compare as the model says", arguments: UInt64(200)..<260)
  func repeating(seed: UInt64) throws {
    try run(seed, rowCount: 1 + Int(seed), editCount: 20, key: nil, isUnique: false)
  }

  @Test(
    "tables of many chunks compare as the model says",
    arguments: [(UInt64(300), true), (301, false), (302, true), (303, false)])
  func manyChunks(seed: UInt64, isKeyed: Bool) throws {
    try run(seed, rowCount: 20_000, editCount: 30, key: isKeyed ? "k" : nil, isUnique: true)
  }

  @Test("upserts, appends and dropped rows compare as the model says", arguments: UInt64(400)..<430)
  func selections(seed: UInt64) throws {
    var edits = Edits(generator: SeededGenerator(seed: seed), isUnique: true)
    for _ in 0..<1 + edits.generator.below(300) { edits.rows.append(edits.newRow()) }
    let dataset = try Dataset()
    try dataset.commit(edits.lines, key: ["k"])
    for step in 0..<5 {
      let old = edits.rows
      var new: [DiffModel.Row] = []
      if edits.generator.oneIn(2) {
        for index in edits.rows.indices.shuffled(using: &edits.generator).prefix(edits.generator.below(20)) {
          var row = edits.rows[index]
          row["v"] = .string("upserted \(step) \(index)")
          new.append(row)
        }
        let keys = Set(new.map { $0["k"] })
        edits.rows.removeAll { keys.contains($0["k"]) }
      }
      for _ in 0..<1 + edits.generator.below(4) { new.append(edits.newRow()) }
      edits.rows += new
      try dataset.commit(new.map { JSONValue.object($0).text }, .upsert)
      #expect(try dataset.values() == edits.rows.map { JSONValue.object($0) }, "seed \(seed), step \(step)")
      try compare(dataset, old, edits.rows, key: "k", "seed \(seed), step \(step)")
    }
  }

  /// Many versions of one table, by whole files, appended rows, upserts and conditions, each compared with each.
  private func history(_ seed: UInt64, rowCount: Int, key: String?) throws {
    var edits = Edits(generator: SeededGenerator(seed: seed), isUnique: true)
    for _ in 0..<rowCount { edits.rows.append(edits.newRow()) }
    let dataset = try Dataset()
    let keys = key.map { [$0] } ?? []
    try dataset.commit(edits.lines, key: keys)
    var versions = [("v1", edits.rows)]
    for step in 0..<6 {
      switch edits.generator.below(key == nil ? 3 : 4) {
      case 0:
        for _ in 0..<1 + edits.generator.below(6) { edits.edit() }
        if edits.rows.isEmpty { edits.rows = [edits.newRow()] }
        try dataset.commit(edits.lines, key: keys)
      case 1:
        let new = (0..<1 + edits.generator.below(6)).map { _ in edits.newRow() }
        edits.rows += new
        try dataset.commit(new.map { JSONValue.object($0).text }, .append)
      case 2:
        let bound = "key \(edits.generator.below(10))\(edits.generator.below(10))"
        let step = Recipe.Step(name: "where", parameters: ["condition": .text("k < '\(bound)' or w != 1")])
        _ = try dataset.repository.transform(
          try dataset.repository.resolve("HEAD"), Recipe(steps: [step]),
          CommitMessage("", author: "", time: 0))
        edits.rows.removeAll { row in
          guard case .string(let text)? = row["k"] else { return false }
          return text >= bound && row["w"] == .int(1)
        }
      default:
        var new = edits.rows.shuffled(using: &edits.generator).prefix(edits.generator.below(20)).map { $0 }
        // Every second of them has nothing changed: then it stays where it is.
        for index in new.indices where index % 2 == 0 { new[index]["v"] = .string("upserted \(step)") }
        new.append(edits.newRow())
        let moved = new.enumerated().filter { $0.offset % 2 == 0 || $0.offset == new.count - 1 }.map(
          \.element)
        let replaced = Set(moved.map { $0["k"] })
        edits.rows.removeAll { replaced.contains($0["k"]) }
        edits.rows += moved
        try dataset.commit(new.map { JSONValue.object($0).text }, .upsert)
      }
      let name = try dataset.log()[0]
      #expect(try dataset.values() == edits.rows.map { JSONValue.object($0) }, "seed \(seed), \(name)")
      if versions.last?.0 != name { versions.append((name, edits.rows)) }
    }
    for (nameA, old) in versions {
      for (nameB, new) in versions where nameA != nameB && !old.isEmpty && !new.isEmpty {
        try compare(
          dataset, old, new, key: key, columns: ["k", "v", "w", "n"], versions: (nameA, nameB),
          "seed \(seed), \(nameA) and \(nameB)")
      }
    }
  }

  @Test(
    "all versions of a table with a key, rows dropped in many, compare as the model says",
    arguments: UInt64(600)..<610)
  func keyedHistory(seed: UInt64) throws {
    try history(seed, rowCount: 10 + Int(seed % 5) * 150, key: "k")
  }

  @Test(
    "all versions of a table without a key, rows dropped in many, compare as the model says",
    arguments: UInt64(700)..<710)
  func unkeyedHistory(seed: UInt64) throws {
    try history(seed, rowCount: 10 + Int(seed % 5) * 150, key: nil)
  }

  @Test("a comparison can be ended although no row differs")
  func interrupted() throws {
    let dataset = try Dataset()
    try dataset.commit([#"{"a":1}"#])
    try dataset.commit([#"{"a":1,"b":2}"#])
    let (one, two) = (
      try dataset.repository.resolve("v1").commit, try dataset.repository.resolve("v2").commit
    )
    #expect(throws: DSVError.self) {
      try dataset.repository.diff(
        one, two, progress: { _ throws(DSVError) in throw DSVError(.interrupted, "enough") })
    }
  }

  @Test(
    "columns that came or went are told and not compared, those of another type by their values",
    arguments: UInt64(500)..<520)
  func columns(seed: UInt64) throws {
    var edits = Edits(generator: SeededGenerator(seed: seed), isUnique: true)
    for _ in 0..<50 { edits.rows.append(edits.newRow()) }
    let dataset = try Dataset()
    let key = seed % 2 == 0 ? "k" : nil
    try dataset.commit(edits.lines, key: key.map { [$0] } ?? [])
    let old = edits.rows
    for _ in 0..<5 { edits.edit() }
    for index in edits.rows.indices {
      edits.rows[index]["w"] = nil
      edits.rows[index]["x"] = .bool(true)
      edits.rows[index]["v"] = .int(Int64(index))
    }
    try dataset.commit(edits.lines, key: key.map { [$0] } ?? [])
    try compare(dataset, old, edits.rows, key: key, columns: ["k", "n", "v"], "seed \(seed)")
    let result = try dataset.repository.diff(
      try dataset.repository.resolve("HEAD~1").commit, try dataset.repository.resolve("HEAD").commit)
    let schema = result.total.schema.map { "\($0.operation) \($0.column)" }.sorted()
    #expect(schema == ["add x", "drop w", "retype v"])
  }

  @Test("with 200,000 rows, several levels of tree, edits are found and counted exactly")
  func large() throws {
    let dataset = try Dataset(threadCount: 2)
    let pad = String(repeating: " and so on", count: 8)
    var rows = (0..<200_000).map { #"{"k":\#($0),"t":"row \#($0 &* 2_654_435_761 % 4_294_967_296)\#(pad)"}"# }
    try dataset.commit(rows, key: ["k"])
    rows[70] = #"{"k":70,"t":"changed"}"#
    rows[199_999] = #"{"k":199999,"t":"changed"}"#
    rows.removeSubrange(1000..<1010)
    rows.insert(#"{"k":200000,"t":"new"}"#, at: 150_000)
    let block = Array(rows[50_000..<50_300])
    rows.removeSubrange(50_000..<50_300)
    rows.insert(contentsOf: block, at: 120_000)
    try dataset.commit(rows, key: ["k"])
    let result = try dataset.repository.diff(
      try dataset.repository.resolve("v1").commit, try dataset.repository.resolve("v2").commit)
    #expect(
      [
        result.total.added, result.total.removed, result.total.changed, result.total.cells,
        result.total.moved,
      ]
        == [1, 10, 2, 2, 300])
    try dataset.commit([#"{"k":5,"t":"upserted"}"#], .upsert)
    let upsert = try dataset.repository.diff(
      try dataset.repository.resolve("v2").commit, try dataset.repository.resolve("v3").commit)
    #expect(
      upsert.total.changed == 1 && upsert.total.added == 0 && upsert.total.removed == 0
        && upsert.total.moved == 0)
    let table = try dataset.repository.table(nil, of: try dataset.repository.resolve("v2").commit)
    guard case .object(_, let level) = try #require(table.field("t")).values.place else {
      Issue.record("the column is one chunk")
      return
    }
    #expect(level >= 2)
  }

  @Test("a cell that differs among many that do not is found in columns of every layout, wherever it stands")
  func layouts() throws {
    // One row more in front, so that the columns do not begin at equal bits.
    func line(_ row: Int, _ edit: (column: String, row: Int)?) -> String {
      func at(_ column: String, _ value: String, _ other: String) -> String {
        edit.map { $0.column == column && $0.row == row } == true ? other : value
      }
      let (bit, hole) = (row * 7 % 11 < 5, row % 13 == 0)
      let values = [
        ("k", "\(row)"), ("bool", at("bool", "\(bit)", "\(!bit)")),
        ("maybe", at("maybe", hole ? "null" : "\(bit)", hole ? "\(bit)" : "null")),
        ("flip", at("flip", hole ? "null" : "\(bit)", hole ? "\(bit)" : "\(!bit)")),
        ("list", at("list", "[\(row),\(row % 3)]", "[\(row)]")),
        ("item", at("item", "[\(row),\(row % 3)]", "[\(row),7]")),
        ("bits", at("bits", "[\(bit),true]", "[\(!bit),true]")),
        ("text", at("text", "[\"a\(row % 5)\",null]", "[null,\"a\"]")),
        ("in", at("in", "{\"x\":\(row),\"y\":\(bit)}", "{\"x\":\(row),\"y\":\(!bit)}")),
      ]
      return "{" + values.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}"
    }
    let dataset = try Dataset()
    let rows = 1...700
    try dataset.commit(rows.map { line($0, nil) }, key: ["k"])
    let base = try dataset.repository.resolve("v1").commit
    var isFirst = true
    for column in ["bool", "maybe", "flip", "list", "item", "bits", "text", "in"] {
      for row in [1, 13, 63, 64, 65, 128, 520, 699, 700] {
        let new = [line(0, nil)] + rows.map { line($0, (column, row)) }
        try dataset.commit(isFirst ? new : Array(new.dropFirst()), key: ["k"])
        var found: [String] = []
        let result = try dataset.repository.diff(base, try dataset.repository.resolve("HEAD").commit) {
          (difference) throws(DSVError) in
          for cell in try difference.cells() { found.append("\(cell.column) \(try difference.key())") }
        }
        #expect(result.total.changed == 1 && result.total.added == (isFirst ? 1 : 0), "\(column) \(row)")
        #expect(found.count == 1 && found[0].hasPrefix(column), "\(column) \(row): \(found)")
        isFirst.toggle()
      }
    }
  }

  @Test("a table that only one version has is all added or all removed")
  func oneSided() throws {
    let dataset = try Dataset()
    try dataset.commit([#"{"a":1}"#])
    try dataset.commit([#"{"b":1}"#, #"{"b":2}"#], key: ["b"], table: "other")
    let (one, two) = (
      try dataset.repository.resolve("v1").commit, try dataset.repository.resolve("v2").commit
    )
    let there = try dataset.repository.diff(one, two)
    #expect(
      there.tables.tables == ["other"] && there.total.added == 2 && there.tablesAdded == ["other"])
    let back = try dataset.repository.diff(two, one)
    #expect(back.total.removed == 2 && back.tablesRemoved == ["other"] && back.tablesAdded == [])
    let only = try dataset.repository.diff(one, two, table: "data")
    #expect(only.tables.isEmpty && only.tablesAdded == [] && only.tablesRemoved == [])
    #expect(throws: DSVError.self) { try dataset.repository.diff(one, two, table: "nosuch") }
  }
}
