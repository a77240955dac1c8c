import DSV
import DSVFormat
import DSVTesting
import Testing

/// What goes in comes out, and equal content has an equal root.
@Suite struct RoundTripTests {
  @Test("every value comes back exactly", arguments: UInt64(0)..<60)
  func values(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let rows = RandomRows(1 + generator.below(60), &generator)
    let dataset = try Dataset()
    try dataset.commit(rows.lines)
    let found = try dataset.values()
    #expect(found.count == rows.rows.count, "seed \(seed)")
    for (index, (row, wanted)) in zip(found, rows.rows).enumerated() where row.normal != wanted.normal {
      Issue.record("seed \(seed), row \(index): \(wanted.text) came back as \(row.text)")
      break
    }
    #expect(try dataset.repository.check().problems == [], "seed \(seed)")
  }

  @Test(
    "an export, committed to another repository, has the same root, with any number of threads",
    arguments: UInt64(0)..<40)
  func secondRepository(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let rows = RandomRows(1 + generator.below(60), &generator)
    let (first, second) = (try Dataset(), try Dataset(threadCount: 2))
    let commit = try first.commit(rows.lines)
    #expect(try second.commit(rows.lines).root == commit.root, "seed \(seed)")
    let third = try Dataset()
    #expect(try third.commit(try second.rows()).root == commit.root, "seed \(seed)")
    #expect(
      try third.repository.fingerprint(try #require(try third.repository.head().commit)) == commit.root,
      "seed \(seed)")
  }

  @Test("one commit and several appends have the same root", arguments: UInt64(0)..<80)
  func appends(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let rows = RandomRows(2 + generator.below(40), &generator).lines
    let (whole, parts) = (try Dataset(), try Dataset())
    let commit = try whole.commit(rows)
    var start = 0
    var root: SnapshotID?
    while start < rows.count {
      let end = min(rows.count, start + 1 + generator.below(12))
      do throws(DSVError) {
        let lines = Array(rows[start..<end])
        root = try Result { try parts.commit(lines, start == 0 ? .replace : .append).root }
          .mapError { $0 as? DSVError ?? DSVError(.io, "\($0)") }.get()
      } catch {
        // Types that later rows would have to change are refused: there is nothing to compare then.
        #expect(error.code == .badInput && error.message.contains("column"), "seed \(seed): \(error)")
        return
      }
      start = end
    }
    #expect(root == commit.root, "seed \(seed)")
    #expect(try parts.repository.check().problems == [], "seed \(seed)")
  }

  @Test("columns that held only nulls take their type from later rows, as if all had come at once")
  func firstNull() throws {
    let cases: [[[String]]] = [
      [[#"{"a":null}"#], [#"{"a":1}"#, #"{"a":1.5}"#]],
      [[#"{"a":null}"#], [#"{"a":1}"#, #"{"a":"x"}"#]],
      [[#"{"a":null,"b":1}"#], [#"{"b":2}"#], [#"{"a":[1],"b":3}"#, #"{"a":[1.5]}"#]],
      [[#"{"a":[]}"#], [#"{"a":[null]}"#], [#"{"a":[1,2]}"#], [#"{"a":[3]}"#]],
      [[#"{"a":[]}"#], [#"{"a":[[]]}"#], [#"{"a":[["x"],null]}"#]],
      [[#"{"a":{"x":null}}"#], [#"{"a":{"x":1}}"#, #"{"a":{"x":2.5,"y":1}}"#, #"{"a":{"x":3,"y":1.5}}"#]],
      [[#"{"a":{}}"#], [#"{"a":{"x":{}}}"#], [#"{"a":{"x":{"y":-1}}}"#]],
      [[#"{"a":null}"#], [#"{"a":-1}"#, #"{"a":18446744073709551615}"#]],
      [[#"{"a":null}"#], [#"{"a":18446744073709551615}"#, #"{"a":1}"#]],
      [[#"{}"#], [#"{"a":null}"#], [#"{"a":true}"#], [#"{}"#]],
      [[#"{"a":1}"#], [#"{"b":1}"#, #"{"b":0.5}"#, #"{"b":null}"#]],
      [[#"{"a":null}"#], [#"{"a":[{"k":1}]}"#], [#"{"a":3}"#]],
    ]
    for parts in cases {
      let (whole, appended) = (try Dataset(), try Dataset())
      let commit = try whole.commit(parts.flatMap { $0 })
      var root: SnapshotID?
      for (index, part) in parts.enumerated() {
        root = try appended.commit(part, index == 0 ? .replace : .append).root
      }
      #expect(root == commit.root, "\(parts)")
      let quarantined = try Dataset()
      for (index, part) in parts.enumerated() {
        root = try quarantined.commit(part, index == 0 ? .replace : .append) { $0.badRows = .quarantine }.root
      }
      #expect(root == commit.root, "with quarantine: \(parts)")
    }
  }

  @Test("with rows dropped, the export's fingerprint is that of the version", arguments: UInt64(0)..<20)
  func selection(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let count = 5 + generator.below(30)
    let rows = (0..<count).map { #"{"k":\#($0),"v":"\#(generator.below(5))"}"# }
    let dataset = try Dataset()
    try dataset.commit(rows, key: ["k"])
    let new = (0..<5).map { #"{"k":\#($0 * 3 + count / 2),"v":"new"}"# }
    let commit = try dataset.commit(new, .upsert)
    let fingerprint = try dataset.repository.fingerprint(commit.commit)
    let other = try Dataset()
    let copy = try other.commit(try dataset.rows())
    #expect(copy.root == fingerprint && copy.root != commit.root, "seed \(seed)")
  }

  @Test("a column whose kind changes late is read again, and every value keeps its spelling")
  func secondReading() throws {
    var lines = (0..<5000).map { #"{"id":\#($0),"a":\#($0 % 3),"b":{"x":\#($0)}}"# }
    lines.append(#"{"id":5000,"a":"late","b":{"x":0.5}}"#)
    lines.append(#"{"id":5001,"a":1e400,"b":7}"#)
    let dataset = try Dataset(threadCount: 2)
    let commit = try dataset.commit(lines)
    let found = try dataset.rows()
    #expect(found == lines)
    let piped = try Dataset()
    #expect(try piped.commit(lines).root == commit.root)
  }
}
