import DSV
import DSVFormat
import DSVRecords
import DSVSystem
import DSVTables
import DSVTesting
import Testing

/// Runs of keys are made when they are needed, taken up again, and never believed when they are damaged.
@Suite struct KeyIndexTests {
  private static func line(_ key: Int, _ value: Int) -> String { #"{"k":"key \#(key)","v":\#(value)}"# }

  /// Commits `count` rows, and replaces one, so that there is an index of them.
  private func indexed(_ count: Int = 500) throws -> Dataset {
    let dataset = try Dataset(scannedKeyByteCountMax: 64)
    try dataset.commit((0..<count).map { Self.line($0, 0) }, key: ["k"])
    #expect(try dataset.keyRuns().isEmpty)
    try dataset.commit([Self.line(3, 1)], .upsert)
    return dataset
  }

  @Test("an index is made at the first upsert, and what is appended makes a small run")
  func growth() throws {
    let dataset = try indexed()
    let first = try dataset.keyRuns()
    #expect(first.count == 1 && first.values.allSatisfy { $0.count > 500 * 21 && $0.count < 500 * 30 })
    for value in 2..<40 {
      try dataset.commit([Self.line(value, value), Self.line(1000 + value, 0)], .upsert)
    }
    let runs = try dataset.keyRuns()
    #expect(first.allSatisfy { runs[$0.key] == $0.value }, "the large run stays as it is")
    #expect(runs.count <= 8)
    #expect(try dataset.rows().count == 538)
    #expect(try dataset.repository.check().problems == [])
  }

  @Test("any flipped bit and any cut of a run is noticed, and the right rows are found")
  func damage() throws {
    let dataset = try indexed()
    let (name, bytes) = try #require(try dataset.keyRuns().first)
    let path = "\(dataset.folder.path)/.dsv/keys/\(name)"
    // The run is of the first version's rows.
    let table = try dataset.repository.table(nil, of: try dataset.repository.resolve("v1").commit)
    var random = SeededGenerator(seed: 11)
    func check(_ damaged: [UInt8], _ what: String) throws {
      try FileSystem.replace(path, with: damaged)
      let rows = dataset.repository.droppedRows(of: table, reader: dataset.repository.reader)
      for number in [3, 4, random.below(500)] {
        guard case .live(let row)? = try rows.fate(key: ["key \(number)"]) else {
          Issue.record("\(what): key \(number) is not found")
          continue
        }
        #expect(row == number, "\(what)")
      }
      #expect(try rows.fate(key: ["key 500"]) == nil, "\(what)")
      #expect(try dataset.keyRuns().count == 1, "\(what)")
    }
    for index in 0..<bytes.count where index < 160 || random.oneIn(100) {
      var damaged = bytes
      damaged[index] ^= 1 << UInt8(random.below(8))
      try check(damaged, "byte \(index)")
    }
    for length in [0, 1, 111, 112, 113, bytes.count / 2, bytes.count - 1] {
      try check(Array(bytes.prefix(length)), "length \(length)")
    }
    try check(bytes + [0], "one byte more")
    #expect(try dataset.keyRuns() == [name: bytes], "the same run is made again")
  }

  @Test("rows that were found in a run before it turned out to be damaged are found once")
  func damageBehindMatches() throws {
    // So many that a run is not read at once.
    let rowCount = 60_000
    let dataset = try indexed(rowCount)
    // Each key has two rows in the run then.
    try dataset.commit((0..<rowCount).map { Self.line($0, 2) }, .upsert)
    try dataset.commit([Self.line(3, 3)], .upsert)
    for (name, bytes) in try dataset.keyRuns() {
      var damaged = bytes
      damaged[bytes.count - 1] ^= 1
      try FileSystem.replace("\(dataset.folder.path)/.dsv/keys/\(name)", with: damaged)
    }
    try dataset.commit((0..<rowCount).map { Self.line($0, 4) }, .upsert)
    #expect(try dataset.rows().count == rowCount)
    #expect(try dataset.rows().allSatisfy { $0.hasSuffix(#""v":4}"#) })
  }

  @Test("a secret that is damaged or gone makes the index anew")
  func secret() throws {
    let dataset = try indexed()
    let path = dataset.folder.path + "/.dsv/keys/secret"
    for damage in [[], [1, 2, 3], nil] as [[UInt8]?] {
      if let damage { try FileSystem.replace(path, with: damage) } else { try FileSystem.remove(path) }
      #expect(throws: DSVError.self) { try dataset.commit([Self.line(4, 1)], .append) }
      try dataset.commit([Self.line(3, 2), Self.line(4, 3)], .upsert)
      try dataset.commit([Self.line(3, 1), Self.line(4, 0)], .upsert)
      #expect(try dataset.rows().count == 500)
    }
    _ = try dataset.repository.collectGarbage(keepDays: 0)
    #expect(try dataset.keyRuns().count <= 3)
  }

  @Test("another table's runs, and those of an older version, are told apart")
  func foreign() throws {
    let dataset = try indexed()
    let old = try dataset.keyRuns()
    // The same first keys, and others after them.
    try dataset.commit((0..<400).map { Self.line($0, 0) } + (600..<700).map { Self.line($0, 0) }, key: ["k"])
    try dataset.commit([Self.line(450, 1), Self.line(650, 1)], .upsert)
    #expect(try dataset.rows().count == 501)
    #expect(try dataset.keyRuns().count == old.count + 1)
    // A run under another's name.
    let path = dataset.folder.path + "/.dsv/keys/"
    let names = try dataset.keyRuns().keys.sorted()
    let foreign = try #require(names.first { old[$0] == nil })
    let bytes = try #require(old.values.first)
    try FileSystem.replace(path + foreign, with: bytes)
    try dataset.commit([Self.line(460, 1), Self.line(650, 2)], .upsert)
    #expect(try dataset.rows().count == 502)
  }

  @Test("gc removes the runs of what no ref names, and keeps the others")
  func garbage() throws {
    let dataset = try indexed()
    let first = try dataset.keyRuns()
    try dataset.repository.makeTag("kept", at: try dataset.repository.resolve("v2").commit)
    try dataset.commit((0..<300).map { Self.line($0 * 2, 0) }, key: ["k"])
    try dataset.commit([Self.line(8, 1)], .upsert)
    #expect(try dataset.keyRuns().count == 2)
    _ = try dataset.repository.collectGarbage(keepDays: 0)
    #expect(try dataset.keyRuns().count == 2)
    try dataset.repository.deleteTag("kept")
    // What a branch led to in this second is kept, and its runs are not.
    _ = try dataset.repository.collectGarbage(keepDays: 0)
    let left = try dataset.keyRuns()
    #expect(left.count == 1 && first.keys.allSatisfy { left[$0] == nil })
    try dataset.repository.repair()
    try dataset.commit([Self.line(8, 2), Self.line(9, 0)], .upsert)
    #expect(try dataset.rows().count == 301)
  }

  @Test("keys of every type are found, and kept apart bit for bit", arguments: [0, 1 << 20])
  func types(scannedByteCountMax: Int) throws {
    let types: [(DataType, [String])] = [
      (.bool, ["true", "false"]), (.int8, ["-128", "0", "127"]),
      (.int64, ["-9223372036854775808", "7", "70"]),
      (.uint64, ["18446744073709551615", "1"]), (.float64, ["0.0", "-0.0", "1.5", "1e300"]),
      (.float32, ["0.1", "-0.0", "0.0"]), (.date, ["\"2020-01-02\"", "\"1969-12-31\""]),
      (
        .timestamp(.microsecond, zone: "UTC"),
        ["\"2020-01-02T03:04:05.000006Z\"", "\"2020-01-02T03:04:05.000007Z\""]
      ),
      (.decimal128(precision: 20, scale: 2), ["1.25", "-12345678901234567.89"]),
      // One code point and two, which look alike.
      (.utf8, ["\"\u{e9}\"", "\"e\u{301}\"", "\"\"", "\"a,\\\"b\""]), (.binary, ["\"AAE=\"", "\"AAI=\""]),
      (.list(.int32), ["[1,2]", "[]", "[12]", "[1,null]"]),
    ]
    for (type, values) in types {
      let dataset = try Dataset(scannedKeyByteCountMax: scannedByteCountMax)
      func lines(_ values: [String], _ number: Int) -> [String] {
        values.map { "{\"k\":\($0),\"v\":\(number)}" }
      }
      try dataset.commit(lines(values, 0), key: ["k"]) { $0.schema = [Field("k", type), Field("v", .int64)] }
      let before = try dataset.rows()
      #expect(before.count == values.count, "\(type)")
      for value in values {
        #expect(throws: DSVError.self, "\(type)") { try dataset.commit(lines([value], 1), .append) }
      }
      for value in values { try dataset.commit(lines([value], 1), .upsert) }
      #expect(try dataset.rows() == before.map { String($0.dropLast(2)) + "1}" }, "\(type)")
      // Each is found by what a CSV has for it.
      var options = ExportOptions()
      (options.format, options.columns) = (.csv, ["k"])
      let commit = try #require(try dataset.repository.head().commit)
      let table = try dataset.repository.table(nil, of: commit)
      let rows = dataset.repository.droppedRows(of: table, reader: dataset.repository.reader)
      for (index, text) in try dataset.rows(nil, options).dropFirst().enumerated()
      where type != .utf8 && type != .list(.int32) {
        guard case .live(let row)? = try rows.fate(key: [text]) else {
          Issue.record("\(type): \(text) is not found")
          continue
        }
        #expect(row == values.count + index, "\(type)")
      }
    }
  }

  @Test("an object is no key, and its fields are one")
  func objects() throws {
    let dataset = try Dataset(scannedKeyByteCountMax: 0)
    let rows = [#"{"o":{"x":1,"y":"a"}}"#, #"{"o":{"x":1,"y":"b"}}"#]
    #expect(throws: DSVError.self) { try dataset.commit(rows, key: ["o"]) }
    try dataset.commit(rows, key: ["o.x", "o.y"])
    try dataset.commit([#"{"o":{"x":1,"y":"b"},"v":1}"#, #"{"o":{"x":11,"y":""},"v":1}"#], .upsert)
    #expect(try dataset.rows().count == 3)
  }

  @Test("without a place for an index the columns are read")
  func unwritable() throws {
    let dataset = try Dataset(scannedKeyByteCountMax: 64)
    try dataset.commit((0..<500).map { Self.line($0, 0) }, key: ["k"])
    // A file where the folder is to be.
    try FileSystem.replace(dataset.folder.path + "/.dsv/keys", with: [1])
    try dataset.commit([Self.line(3, 1), Self.line(700, 1)], .upsert)
    #expect(try dataset.rows().count == 501)
    _ = try dataset.repository.collectGarbage(keepDays: 0)
  }
}
