import DSV
import DSVFormat
import DSVSystem
import DSVTables

/// What changes and look-ups by key cost in a table of many short rows.
enum KeyBenchmarks {
  static let all = [upsert, append, lookup]

  private static let message = CommitMessage("a benchmark", author: "dsv-bench", time: 0)

  /// One row in a thousand (at full size 1,000 of 1,000,000), by a key of 20 bytes.
  static let upsert = Benchmark("upsert-0.1%") { setting in
    let (repository, rowCount) = try repository(setting)
    var round = 0
    return {
      // Each run replaces other rows, and comes to the same number.
      round += 1
      let rows = (0..<rowCount / 1000).map { KeyedRows.line(($0 * 997 + round * 13) % rowCount, round) }
      let result = try commit(rows, to: repository, setting, .upsert)
      return Benchmark.Outcome(byteCount: rows.count * 100, checksum: UInt64(result.rowCount))
    }
  }

  static let append = Benchmark("append-keyed") { setting in
    let (repository, rowCount) = try repository(setting)
    var round = 0
    return {
      round += 1
      let count = rowCount / 1000
      let rows = (0..<count).map { KeyedRows.line(rowCount + round * count + $0, 0) }
      let before = try repository.info().rowCount
      let result = try commit(rows, to: repository, setting, .append)
      return Benchmark.Outcome(byteCount: count * 100, checksum: UInt64(result.rowCount - before))
    }
  }

  /// Where the row with a key is.
  static let lookup = Benchmark("key-lookup") { setting in
    let (repository, rowCount) = try repository(setting)
    let table = try repository.table(nil, of: try repository.resolve("HEAD").commit)
    let count = setting.pick(smoke: 5, full: 200)
    return {
      var random = Documents.Generator(state: 5)
      var checksum: UInt64 = 0
      for _ in 0..<count {
        let number = Int(random.next() % UInt64(rowCount))
        let rows = repository.droppedRows(of: table, reader: repository.reader)
        guard case .live(let row)? = try rows.fate(key: [KeyedRows.key(number)]) else {
          throw DSVError(.corrupt, "row \(number) is not found by its key")
        }
        checksum = Hash64.of(UInt64(row), seed: checksum)
      }
      return Benchmark.Outcome(byteCount: count * 20, checksum: checksum)
    }
  }

  private static func repository(_ setting: Setting) throws -> (Repository, rowCount: Int) {
    let rowCount = setting.pick(smoke: 2000, full: 1_000_000)
    let repository = try Repository.initialize(at: setting.newPath())
    let path = setting.newPath(".jsonl")
    let file = try File(path, .create)
    var offset = 0
    for start in stride(from: 0, to: rowCount, by: 10_000) {
      let text = (start..<min(rowCount, start + 10_000)).map { KeyedRows.line($0, 0) }.joined()
      try file.write(Array(text.utf8), at: offset)
      offset += text.utf8.count
    }
    var options = CommitOptions()
    options.key = ["k"]
    _ = try repository.commit([path], message, options)
    try FileSystem.remove(path)
    // The index is made at the first upsert.
    _ = try commit([KeyedRows.line(0, -1)], to: repository, setting, .upsert)
    return (repository, rowCount)
  }

  private static func commit(
    _ rows: [String], to repository: Repository, _ setting: Setting, _ mode: CommitOptions.Mode
  ) throws -> CommitResult {
    let path = setting.newPath(".jsonl")
    try FileSystem.replace(path, with: Array(rows.joined().utf8), isDurable: false)
    var options = CommitOptions()
    options.mode = mode
    let result = try repository.commit([path], message, options)
    try FileSystem.remove(path)
    return result
  }
}

/// Rows of ten short columns.
enum KeyedRows {
  static func key(_ number: Int) -> String {
    let digits = String(Hash64.of(UInt64(number)), radix: 16)
    return String(repeating: "0", count: 20 - digits.count) + digits
  }

  static func line(_ number: Int, _ value: Int) -> String {
    let hash = Hash64.of(UInt64(number), seed: 7)
    let float = Double(hash >> 11) / 0x1p53
    return #"{"k":"\#(key(number))","i":\#(number),"j":\#(hash % 1000),"f":\#(float),"v":\#(value),"#
      + #""t":\#(1_700_000_000 + number * 3),"c":"\#(["red", "green", "blue"][Int(hash % 3)])","#
      + #""d":"\#(hash % 7)","b":\#(hash % 3 == 0),"s":"user \#(hash % 100_000) said \#(hash % 991)"}"# + "\n"
  }
}
