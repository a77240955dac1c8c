import DSV
import DSVFormat
import DSVStore
import DSVSystem
import DSVVersions
import Synchronization
import Testing

/// Whatever is damaged in a repository is an error or a problem that names it, or harmless: nothing crashes, and no row
/// reads wrong.
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

  /// Whether a small repository is damaged in all ways there are, in its files whose paths begin with what the
  /// environment says; else a larger one in some.
  static let wholePrefix = Machine.environment("DSV_DAMAGE_FILES")

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

  /// The ID of the object whose record begins there.
  static func id(_ pack: [UInt8], at offset: Int) -> String {
    pack[offset + 16..<offset + 48].withUnsafeBytes { AnyID(key: $0).description }
  }

  /// What a message may call that which is damaged: the file, or an object whose record is not where it was.
  static func names(of damage: Damage, in files: [String: [UInt8]]) -> [String] {
    func ids(_ path: String, _ isHit: (Range<Int>) -> Bool) -> [String] {
      guard path.hasPrefix(".dsv/packs/"), let bytes = files[path] else { return [] }
      return records(bytes).filter(isHit).map { String(id(bytes, at: $0.lowerBound).prefix(12)) }
    }
    var paths = ["/\(damage.path)"]
    // Where a remote now is looked for is what stands in its config.
    if damage.path.hasSuffix("/config"), let config = damage.applied(to: files)[damage.path] {
      let first = config.prefix { $0 != 10 }.dropFirst("url ".utf8.count)
      if first.count > 10 { paths.append(String(decoding: first, as: UTF8.self)) }
    }
    return switch damage {
    case .flip(let path, let offset, _): paths + ids(path) { $0.contains(offset) }
    case .cut(let path, let count): paths + ids(path) { $0.upperBound > count }
    case .remove(let path): paths + ids(path) { _ in true }
    case .extend: paths
    case .swap(let a, let b): paths + ["/\(b)"] + ids(a) { _ in true } + ids(b) { _ in true }
    // What lay behind the first of them lies elsewhere too.
    case .exchange(let path, let a, _), .excise(let path, let a):
      paths + ids(path) { $0.lowerBound >= a.lowerBound }
    }
  }

  static func damages(_ kind: String, _ subject: DamagedSubject, _ files: [String: [UInt8]]) -> [Damage] {
    switch (kind, wholePrefix) {
    case ("flips", let prefix?): everything(files, prefix)
    case ("flips", nil) where subject == .plain: flips(files, least: 70, shared: 1000)
    case ("flips", nil): flips(files, least: 25, shared: 300)
    case (_, nil) where subject != .plain:
      misplaced(files).enumerated().filter { number, damage in
        if case .remove = damage { true } else { number % 3 == 0 }
      }.map(\.element)
    default: misplaced(files)
    }
  }

  /// Flips, in each file so many at least, and others in proportion to the files' lengths.
  static func flips(_ files: [String: [UInt8]], least: Int, shared: Int) -> [Damage] {
    var random = SeededGenerator(11)
    let paths = files.keys.sorted().filter { files[$0] != [] }
    let total = paths.reduce(0) { $0 + (files[$1]?.count ?? 0) }
    return paths.flatMap { path in
      let byteCount = files[path]?.count ?? 1
      return (0..<least + shared * byteCount / total).map { (number) -> Damage in
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

  /// - Returns: how it answered, and all that it said.
  static func answer(_ repository: String, _ expected: Picture, _ key: RepositoryKey?) -> (Answer, [String]) {
    let notes = Mutex<[String]>([])
    var options = Repository.Options(threadCount: 0) { note in notes.withLock { $0.append(note) } }
    options.key = key
    var told: [String] = []
    do throws(DSVError) {
      let opened = try Repository.open(at: repository, options: options)
      told = try opened.check().problems
      var answer: Answer? = told.isEmpty ? nil : .reported
      // Version by version: what can be read has to be right, even beside damage.
      for number in 1...expected.versionCount {
        do throws(DSVError) {
          let id = try opened.resolve("v\(number)").commit
          if try Picture.export(opened, id) != expected.versions["v\(number)"] {
            return (.wrong, ["v\(number)"] + told)
          }
        } catch {
          told.append(error.message)
          // Where a remote is looked for in another place there may be nothing.
          let isSaid = error.code != .notFound || error.message.contains(" of remote '")
          answer = answer ?? (isSaid ? .reported : .silent)
        }
      }
      do throws(DSVError) {
        let found = try Picture(opened, isExported: false)
        if found.names != expected.names || found.versionCount != expected.versionCount
          || Set(found.versions.keys) != Set(expected.versions.keys)
        {
          answer = answer ?? .silent
        }
      } catch {
        told.append(error.message)
        answer = answer ?? (error.code == .notFound ? .silent : .reported)
      }
      // Damage to what is known of a remote may come to light only when more is read there.
      for remote in try opened.remotes() {
        do throws(DSVError) { _ = try opened.fetch(from: remote.name) } catch {
          told.append("fetch: \(error.message)")
          answer = answer ?? .reported
        }
      }
      let said = told + notes.withLock { $0 }
      return (answer ?? (said.isEmpty ? .unharmed : .mended), said)
    } catch {
      return (.refused, told + notes.withLock { $0 } + ["\(error.code): \(error.message)"])
    }
  }

  /// Runs in a child process: damages a copy in each way of a part of them, and writes down each answer.
  static func work(
    _ folder: String, _ subject: DamagedSubject, _ kind: String, _ part: Int, of partCount: Int
  ) throws {
    let files = try Tree.read("\(folder)/repository")
    let key = try subject.key(in: folder)
    let expected = try Picture(try subject.open("\(folder)/pristine", key))
    let damages = damages(kind, subject, files)
    let log = try File("\(folder)/\(part).log", .create)
    for (number, damage) in damages.enumerated() where number % partCount == part {
      let copy = "\(folder)/copy\(part)"
      try log.say("\(damage)\t")
      try Tree.write(damage.applied(to: files), to: copy)
      let (answer, told) = answer(copy, expected, key)
      let names = names(of: damage, in: files)
      let isNamed = told.contains { text in names.contains { text.contains($0) } }
      let detail = told.prefix(8).joined(separator: " | ").replacing("\n", with: " ").replacing(
        "\t", with: " ")
      try log.say("\(damage.path)\t\(answer.rawValue)\t\(isNamed ? "named" : "unnamed")\t\(detail)\n")
    }
  }

  @Test(
    "damage anywhere is an error or a problem that names it, or harmless",
    arguments: DamagedSubject.tested, ["flips", "files"])
  func damage(subject: DamagedSubject, kind: String) async throws {
    let scratch = try Scratch(inMemory: true)
    let files = try subject.make(in: scratch, isSmall: Self.wholePrefix != nil)
    try Tree.write(files, to: scratch.repository)
    try Tree.write(files, to: "\(scratch.path)/pristine")
    let count = Self.damages(kind, subject, files).count
    print("damage: \(subject), \(kind), \(count) cases, \(files.values.reduce(0) { $0 + $1.count }) bytes")
    #expect(count >= (kind == "flips" ? 400 : 100))
    let partCount = 2
    await withTaskGroup { group in
      for part in 0..<partCount {
        group.addTask {
          await #expect(processExitsWith: .success) {
            [
              folder = scratch.path as String, subject = subject as DamagedSubject, kind = kind as String,
              part = part as Int, partCount = partCount as Int
            ] in
            try DamageTests.work(folder, subject, kind, part, of: partCount)
          }
        }
      }
    }
    var found = 0
    for part in 0..<partCount {
      let log = String(
        decoding: try FileSystem.read("\(scratch.path)/\(part).log", limit: 1 << 30), as: UTF8.self)
      found += Self.judge(log)
      if let keep = Machine.environment("DSV_TEST_LOG") {
        try FileSystem.replace("\(keep).\(subject).\(kind).\(part)", with: Array(log.utf8), isDurable: false)
      }
    }
    #expect(found == count)
  }

  /// Whether each answer was a good one; returns how many were given.
  private static func judge(_ log: String) -> Int {
    var found = 0
    for line in log.split(separator: "\n") {
      let words = line.split(separator: "\t", omittingEmptySubsequences: false)
      guard words.count == 5, let answer = Answer(rawValue: String(words[2])) else {
        Issue.record("it ended at: \(line)")
        continue
      }
      #expect(answer != .silent && answer != .wrong, "\(line)")
      #expect(answer == .unharmed || words[3] == "named", "\(line)")
      found += 1
    }
    return found
  }
}
