import DSV
import DSVFormat
import DSVStore
import DSVSystem

/// One commit a row, as a service would make them, beside the least that makes 2 KB durable and found again.
enum SingleRowBenchmarks {
  static let all = [commits, commitsOfFiles, bareLoop]

  /// Rows of 8 columns, a text of 1 to 3 KB among them; the caller has them in memory.
  static let commits = Benchmark("single-row-commits", atMost: .init(share: 2, name: "single-row-bare-loop"))
  { setting in
    let lines = rows(setting.pick(smoke: 20, full: 1000))
    return work(lines, setting) { (repository, number, options) in
      try repository.commit(rows: lines[number], message, options)
    }
  }

  /// The same, each row in a file of its own.
  static let commitsOfFiles = Benchmark("single-row-files") { setting in
    let lines = rows(setting.pick(smoke: 20, full: 1000))
    let paths = try lines.map { line in
      let path = setting.newPath(".jsonl")
      try File(path, .create).write(line, at: 0)
      return path
    }
    return work(lines, setting) { (repository, number, options) in
      try repository.commit([paths[number]], message, options)
    }
  }

  private static func work(
    _ lines: [[UInt8]], _ setting: Setting,
    _ commit: @escaping (Repository, Int, CommitOptions) throws -> CommitResult
  ) -> () throws -> Benchmark.Outcome {
    let byteCount = lines.reduce(0) { $0 + $1.count }
    return {
      let folder = setting.newPath()
      let repository = try Repository.initialize(at: folder)
      var options = CommitOptions()
      options.mode = .append
      var root: SnapshotID?
      for number in lines.indices { root = try commit(repository, number, options).root }
      try FileSystem.removeTree(folder)
      return Benchmark.Outcome(byteCount: byteCount, checksum: root?.w0 ?? 0)
    }
  }

  /// As many times: 2 KB at the end of a file, synced, and a key in LMDB, committed.
  static let bareLoop = Benchmark("single-row-bare-loop") { setting in
    let count = setting.pick(smoke: 20, full: 1000)
    return {
      let folder = setting.newPath()
      try appendDurably(count, in: folder)
      try FileSystem.removeTree(folder)
      return Benchmark.Outcome(byteCount: count * rowByteCount, checksum: UInt64(count))
    }
  }

  private static let rowByteCount = 2048

  /// The least that makes 2 KB durable and found again, `count` times, in a folder that is made for it.
  static func appendDurably(_ count: Int, in folder: String) throws {
    let bytes = (0..<rowByteCount).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    try FileSystem.makeFolder(folder)
    let file = try File("\(folder)/log", .create)
    let environment = try Environment(folder, tables: ["places"])
    defer { environment.close() }
    for number in 0..<count {
      try file.write(bytes, at: number * bytes.count)
      try file.sync()
      let key = withUnsafeBytes(of: UInt64(number).bigEndian) { Array($0) }
      try environment.write { (transaction) throws(DSVError) in
        try transaction.put(0, key, Array(bytes[..<32]))
      }
    }
  }

  private static let message = CommitMessage("one row", author: "dsv-bench", time: 0)

  /// Rows as lines of JSON.
  static func rows(_ count: Int) -> [[UInt8]] {
    (0..<count).map { number in
      var documents = Documents(row: number)
      var text = documents.text()
      while text.utf8.count < 1000 { text += " " + documents.text() }
      text = String(text.prefix(3000)).split(separator: "\n").joined(separator: #"\n"#)
      let fields = [
        #""id":"row-\#(Report.hex(Hash64.of(UInt64(number))))""#, #""number":\#(number)"#,
        #""kind":"\#(["html", "text", "code"][number % 3])""#,
        #""time":\#(1_700_000_000_000 + number * 977)"#,
        #""score":\#(Double(Hash64.of(UInt64(number)) % 1000) / 8)"#, #""isNew":\#(number % 4 == 0)"#,
        #""url":"https://example.org/\#(number % 17)/\#(number)""#, #""text":"\#(text)""#,
      ]
      return Array("{\(fields.joined(separator: ","))}\n".utf8)
    }
  }
}
