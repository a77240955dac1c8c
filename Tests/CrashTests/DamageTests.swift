import DSV
import DSVFormat
import DSVSystem
import DSVVersions
import Synchronization
import Testing

/// Whatever is damaged in a repository is an error, a problem that a check names, or harmless: nothing crashes, and
/// no row reads wrong.
@Suite(.serialized) struct DamageTests {
  /// One way to damage a repository.
  enum Damage: CustomStringConvertible {
    /// Other bits in one byte.
    case flip(String, offset: Int, mask: UInt8)
    case cut(String, to: Int)
    case extend(String, by: Int)
    case remove(String)
    case swap(String, String)
    /// What stands in one stretch stands in the other.
    case exchange(String, Range<Int>, Range<Int>)
    case excise(String, Range<Int>)

    var path: String {
      switch self {
      case .flip(let path, _, _), .cut(let path, _), .extend(let path, _), .remove(let path),
        .swap(let path, _), .exchange(let path, _, _), .excise(let path, _):
        path
      }
    }

    var description: String {
      switch self {
      case .flip(let path, let offset, let mask): "\(path), byte \(offset) xor \(mask)"
      case .cut(let path, let count): "\(path) cut to \(count)"
      case .extend(let path, let count): "\(path) extended by \(count)"
      case .remove(let path): "\(path) removed"
      case .swap(let a, let b): "\(a) and \(b) swapped"
      case .exchange(let path, let a, let b): "\(path), bytes \(a) and \(b) exchanged"
      case .excise(let path, let range): "\(path) without bytes \(range)"
      }
    }

    func applied(to files: [String: [UInt8]]) -> [String: [UInt8]] {
      var files = files
      switch self {
      case .flip(let path, let offset, let mask): files[path]?[offset] ^= mask
      case .cut(let path, let count): files[path] = files[path].map { Array($0.prefix(count)) }
      case .extend(let path, let count): files[path]?.append(contentsOf: [UInt8](repeating: 7, count: count))
      case .remove(let path): files[path] = nil
      case .swap(let a, let b): (files[a], files[b]) = (files[b], files[a])
      case .exchange(let path, let a, let b):
        guard let bytes = files[path] else { break }
        files[path] =
          Array(bytes[..<a.lowerBound] + bytes[b] + bytes[a.upperBound..<b.lowerBound]) + bytes[a]
          + bytes[b.upperBound...]
      case .excise(let path, let range): files[path]?.removeSubrange(range)
      }
      return files
    }
  }

  /// How a damaged repository answered.
  enum Answer: String {
    /// It could not be opened or looked over.
    case refused
    /// A check named a problem, or reading threw.
    case reported
    /// All is there; that something was mended was said.
    case mended
    case unharmed
    /// Something is missing or different, and nothing was said. Never to be seen.
    case silent
    /// A version was exported other than it was committed, whatever a check said. Never to be seen.
    case wrong
  }

  /// Several commits of two tables: whole, appended, upserted, filtered; nested columns; a large value.
  static func makeTemplate() throws -> [String: [UInt8]] {
    let scratch = try Scratch()
    do {
      let repository = try Repository.initialize(at: scratch.repository, options: .init(threadCount: 0))
      var options = CommitOptions()
      options.key = ["id"]
      let message = CommitMessage("test", author: "test", time: 1)
      _ = try repository.commit([try scratch.file("1.jsonl", Rows.text(0..<60, seed: 1))], message, options)
      try repository.commitTest(try scratch.file("2.jsonl", Rows.text(60..<75, seed: 2)), .append)
      // What is appended a row at a time builds on what was there.
      for row in 90..<93 {
        try repository.commitTest(
          try scratch.file("\(row).jsonl", Rows.text(row..<row + 1, seed: 9)), .append)
      }
      try #require(try repository.store.deepestBase() == 4)
      try repository.commitTest(try scratch.file("3.jsonl", Rows.text(50..<80, seed: 3)), .upsert)
      try repository.commitTest(
        try scratch.file("4.jsonl", Rows.noise(1, byteCount: 300_000, seed: 4)), .replace, table: "large")
      try repository.makeTag("large", at: try repository.resolve("main").commit)
      try repository.filterTest(table: "data")
      try repository.makeBranch("side", at: try repository.resolve("main~1").commit)
      // A session of more than a megabyte has a pack of its own.
      try repository.commitTest(
        try scratch.file("5.jsonl", Rows.noise(2, byteCount: 1_100_000, seed: 5)), .replace, table: "large")
    }
    return try Tree.read(scratch.repository)
  }

  /// Whether a small repository is damaged in all ways there are, in its files whose paths begin with what the
  /// environment says; else a larger one in some.
  static let wholePrefix = Machine.environment("DSV_DAMAGE_FILES")

  /// As ``makeTemplate()``, of a few kilobytes, and with an index of keys.
  static func makeSmallTemplate() throws -> [String: [UInt8]] {
    let scratch = try Scratch()
    do {
      var limits = Repository.Options(threadCount: 0)
      limits.scannedKeyByteCountMax = 0
      let repository = try Repository.initialize(at: scratch.repository, options: limits)
      var options = CommitOptions()
      options.key = ["id"]
      let message = CommitMessage("test", author: "test", time: 1)
      _ = try repository.commit([try scratch.file("1.jsonl", Rows.text(0..<12, seed: 1))], message, options)
      for row in 20..<23 {
        try repository.commitTest(
          try scratch.file("\(row).jsonl", Rows.text(row..<row + 1, seed: 9)), .append)
      }
      // What comes now goes to a new pack.
      try repository.repair()
      try repository.commitTest(try scratch.file("3.jsonl", Rows.text(8..<16, seed: 3)), .upsert)
      try repository.makeTag("tag", at: try repository.resolve("main").commit)
      try repository.filterTest(table: "data")
      try repository.makeBranch("side", at: try repository.resolve("main~1").commit)
    }
    return try Tree.read(scratch.repository).filter { !$0.key.contains("index.damaged") }
  }

  /// Each byte of each file flipped, and each file cut to each length.
  static func everything(_ files: [String: [UInt8]], _ prefix: String) -> [Damage] {
    var random = SeededGenerator(11)
    return files.keys.sorted().filter { $0.hasPrefix(".dsv/" + prefix) }.flatMap { path in
      (0..<(files[path]?.count ?? 0)).flatMap { offset -> [Damage] in
        [
          .flip(path, offset: offset, mask: 1 << UInt8.random(in: 0..<8, using: &random)),
          .cut(path, to: offset),
        ]
      }
    }
  }

  /// Where the records of a pack lie.
  static func records(_ bytes: [UInt8]) -> [Range<Int>] {
    var (result, start) = ([Range<Int>](), 32)
    while start + 56 <= bytes.count {
      let end = start + 56 + (0..<4).reduce(0) { $0 | Int(bytes[start + 8 + $1]) << ($1 * 8) }
      result.append(start..<end)
      start = end
    }
    return result
  }

  static func damages(_ kind: String, _ files: [String: [UInt8]]) -> [Damage] {
    switch (kind, wholePrefix) {
    case ("flips", let prefix?): everything(files, prefix)
    case ("flips", nil): flips(files)
    default: misplaced(files)
    }
  }

  /// Flips, in each file at least 100, and besides in proportion to the files' lengths.
  static func flips(_ files: [String: [UInt8]]) -> [Damage] {
    var random = SeededGenerator(11)
    let paths = files.keys.sorted().filter { files[$0] != [] }
    let total = paths.reduce(0) { $0 + (files[$1]?.count ?? 0) }
    return paths.flatMap { path in
      let byteCount = files[path]?.count ?? 1
      return (0..<100 + 1500 * byteCount / total).map { (number) -> Damage in
        let bit: UInt8 = 1 << UInt8.random(in: 0..<8, using: &random)
        let mask = number % 4 == 0 ? UInt8.random(in: 1 ... .max, using: &random) : bit
        return .flip(path, offset: Int.random(in: 0..<byteCount, using: &random), mask: mask)
      }
    }
  }

  /// Files that are shorter, longer, gone, or in each other's place.
  static func misplaced(_ files: [String: [UInt8]]) -> [Damage] {
    var random = SeededGenerator(12)
    var result: [Damage] = []
    for path in files.keys.sorted() {
      let byteCount = files[path]?.count ?? 0
      let lengths =
        [
          0, 1, 15, 16, 31, 56, 4095, 4096, 8192, byteCount / 2, byteCount - 4096, byteCount - 16,
          byteCount - 1,
        ]
        + (0..<12).map { _ in Int.random(in: 0...byteCount, using: &random) }
      result += Set(lengths).sorted().filter { 0..<byteCount ~= $0 }.map { .cut(path, to: $0) }
      result += [.remove(path), .extend(path, by: 1), .extend(path, by: 5000)]
    }
    let packs = files.keys.filter { $0.contains("/packs/") }.sorted()
    for path in packs {
      let records = records(files[path] ?? [])
      result += records.map { .excise(path, $0) }
      result += zip(records, records.dropFirst()).map { .exchange(path, $0, $1) }
    }
    for (index, a) in packs.enumerated() { for b in packs[..<index] { result.append(.swap(a, b)) } }
    return result
  }

  static func answer(_ repository: String, _ expected: Picture) -> (Answer, String) {
    let notes = Mutex<[String]>([])
    let options = Repository.Options(threadCount: 0) { note in notes.withLock { $0.append(note) } }
    do throws(DSVError) {
      let opened = try Repository.open(at: repository, options: options)
      let problems = try opened.check().problems
      var failure: DSVError?
      // Version by version: what can be read has to be right, even beside damage.
      for number in 1...expected.versionCount {
        do throws(DSVError) {
          let id = try opened.resolve("v\(number)").commit
          if try Picture.export(opened, id) != expected.versions["v\(number)"] {
            return (.wrong, "v\(number), problems: \(problems)")
          }
        } catch {
          failure = error
        }
      }
      var isSame = false
      do throws(DSVError) {
        let found = try Picture(opened, isExported: false)
        isSame =
          found.names == expected.names && found.versionCount == expected.versionCount
          && Set(found.versions.keys) == Set(expected.versions.keys)
      } catch {
        failure = error
      }
      if !problems.isEmpty { return (.reported, problems.first ?? "") }
      if let failure {
        return (failure.code == .notFound ? .silent : .reported, "no problem, but: \(failure)")
      }
      guard isSame else { return (.silent, "nothing was said, and it differs") }
      return notes.withLock { $0.isEmpty ? (.unharmed, "") : (.mended, $0.first ?? "") }
    } catch {
      return (.refused, "\(error)")
    }
  }

  /// Runs in a child process: damages a copy in each way of a part of them, and writes down each answer.
  static func work(_ folder: String, _ kind: String, _ part: Int, of partCount: Int) throws {
    let files = try Tree.read("\(folder)/repository")
    let expected = try Picture(try Repository.test(at: "\(folder)/pristine"))
    let damages = damages(kind, files)
    let log = try File("\(folder)/\(part).log", .create)
    for (number, damage) in damages.enumerated() where number % partCount == part {
      let copy = "\(folder)/copy\(part)"
      try log.say("\(damage)\t")
      try Tree.write(damage.applied(to: files), to: copy)
      let (answer, detail) = answer(copy, expected)
      try log.say("\(damage.path)\t\(answer.rawValue)\t\(detail.replacing("\n", with: " "))\n")
    }
  }

  @Test("damage anywhere is an error, a problem named, or harmless", arguments: ["flips", "files"])
  func damage(kind: String) async throws {
    let scratch = try Scratch(inMemory: true)
    let files = try Self.wholePrefix == nil ? Self.makeTemplate() : Self.makeSmallTemplate()
    try Tree.write(files, to: scratch.repository)
    try Tree.write(files, to: "\(scratch.path)/pristine")
    let count = Self.damages(kind, files).count
    print("damage: \(kind), \(count) cases, \(files.values.reduce(0) { $0 + $1.count }) bytes")
    #expect(count >= (kind == "flips" ? 2000 : 100))
    let partCount = 2
    await withTaskGroup { group in
      for part in 0..<partCount {
        group.addTask {
          await #expect(processExitsWith: .success) {
            [
              folder = scratch.path as String, kind = kind as String, part = part as Int,
              partCount = partCount as Int
            ] in
            try DamageTests.work(folder, kind, part, of: partCount)
          }
        }
      }
    }
    var found = 0
    for part in 0..<partCount {
      let log = String(
        decoding: try FileSystem.read("\(scratch.path)/\(part).log", limit: 1 << 30), as: UTF8.self)
      for line in log.split(separator: "\n") {
        let words = line.split(separator: "\t", omittingEmptySubsequences: false)
        guard words.count == 4, let answer = Answer(rawValue: String(words[2])) else {
          Issue.record("it ended at: \(line)")
          continue
        }
        #expect(answer != .silent && answer != .wrong, "\(line)")
        found += 1
      }
      if let keep = Machine.environment("DSV_TEST_LOG") {
        try FileSystem.replace("\(keep).\(kind).\(part)", with: Array(log.utf8), isDurable: false)
      }
    }
    #expect(found == count)
  }
}
