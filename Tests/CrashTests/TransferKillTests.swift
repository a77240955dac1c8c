import DSV
import DSVFormat
import DSVSystem
import DSVVersions
import Testing

/// Push, pull and clone are killed at any moment: both sides are whole, and go on.
@Suite(.serialized) struct TransferKillTests {
  enum Operation: String, CaseIterable { case push, pull, rebase, clone }

  static let roundCount = Machine.environment("DSV_TRANSFER_KILLS").flatMap { Int($0) } ?? 12

  /// Two clones of a remote in a folder: `a` has pushed, `b` is to fetch.
  struct Setting {
    let scratch: Scratch
    var remote: String { "\(scratch.path)/remote" }
    var url: String { "file://\(remote)" }
    var a: String { "\(scratch.path)/a" }
    var b: String { "\(scratch.path)/b" }
    var c: String { "\(scratch.path)/c" }

    init() throws {
      scratch = try Scratch()
      let first = try Repository.initialize(at: a, options: .init(threadCount: 0))
      var options = CommitOptions()
      options.key = ["id"]
      let file = try scratch.file("first.jsonl", Rows.text(0..<80, seed: 1))
      _ = try first.commit([file], CommitMessage("first"), options)
      _ = try first.addRemote("origin", url: url)
      _ = try first.push()
      _ = try Repository.clone(url, to: b, options: .init(threadCount: 0))
    }

    func commit(_ path: String, _ ids: Range<Int>, noise: Int = 0) throws {
      let text =
        Rows.text(ids, seed: UInt64(ids.lowerBound))
        + Rows.noise(ids.lowerBound + 500_000, byteCount: noise, seed: 3)
      try Repository.test(at: path).commitTest(try scratch.file("rows.jsonl", text), .append)
    }

    func arguments(_ operation: Operation) -> [String] {
      switch operation {
      case .push: ["push", "-C", a, "--json", "--quiet"]
      case .pull: ["pull", "-C", b, "--json", "--quiet"]
      case .rebase: ["pull", "--rebase", "-C", b, "--json", "--quiet"]
      case .clone: ["clone", url, c, "--json", "--quiet"]
      }
    }

    /// Something for the operation to do.
    func prepare(_ operation: Operation, _ round: Int) throws {
      let ids = 1000 + round * 100..<1010 + round * 100
      if operation == .clone { try FileSystem.removeTree(c) }
      if operation != .clone || round < 3 { try commit(a, ids, noise: 400_000) }
      if operation != .push, operation != .clone || round < 3 { _ = try Repository.test(at: a).push() }
      if operation == .rebase {
        for number in 0..<3 {
          try commit(b, ids.lowerBound + 50 + number * 2..<ids.lowerBound + 52 + number * 2)
        }
      }
    }
  }

  private static func rows(_ path: String) throws -> [Substring] {
    KillTests.lines(try Repository.test(at: path).rows()).sorted()
  }

  @Test("killed at any moment, both sides are whole and go on", arguments: Operation.allCases)
  func kill(operation: Operation) throws {
    let seed: UInt64 = 13
    var random = SeededGenerator(seed)
    let setting = try Setting()
    // How long it takes when nobody ends it.
    try setting.prepare(operation, 0)
    let start = Clock.monotonicNanoseconds()
    let end = try Child.run(setting.arguments(operation), scratch: setting.scratch.path)
    let duration = Clock.monotonicNanoseconds() - start
    #expect(end.code == 0, "\(operation): \(end.errors)")
    if operation == .rebase {
      _ = try Repository.test(at: setting.b).push()
      _ = try Repository.test(at: setting.a).pull()
    }
    var killedCount = 0
    for round in 1...Self.roundCount {
      try setting.prepare(operation, round)
      let share = (Double(round - 1) + Double.random(in: 0..<1, using: &random)) / Double(Self.roundCount)
      let delay = UInt64(Double(duration) * share * 1.1)
      let context: Comment = "seed \(seed), round \(round) of \(operation), killed after \(delay / 1000) µs"
      let end = try Child(setting.arguments(operation), scratch: setting.scratch.path)
        .kill(afterNanoseconds: delay)
      #expect(end.code == 0 || end.signal == 9, "\(context): \(end)")
      if end.signal == 9 { killedCount += 1 }
      if operation != .clone {
        let killed = try Repository.test(at: operation == .push ? setting.a : setting.b)
        #expect(try killed.check().problems == [], context)
      }
      // It is asked for again, and does what it had to.
      let again = try Child.run(setting.arguments(operation), scratch: setting.scratch.path)
      if operation == .clone, end.code == 0 || again.errors.contains("there is a repository already") {
        #expect(again.code == 4, context)
      } else {
        #expect(again.code == 0, "\(context): \(again.errors)")
      }
      switch operation {
      case .push: #expect(try Repository.test(at: setting.b).pull().kind == .fastForward, context)
      case .rebase:
        _ = try Repository.test(at: setting.b).push()
        _ = try Repository.test(at: setting.a).pull()
      case .pull: break
      case .clone:
        #expect(try Self.rows(setting.c) == Self.rows(setting.a), context)
        #expect(try Repository.test(at: setting.c).check().problems == [], context)
      }
      if operation != .clone { #expect(try Self.rows(setting.b) == Self.rows(setting.a), context) }
      #expect(
        try FileSystem.list("\(setting.a)/.dsv/remotes/origin").filter { $0.contains(".new") } == [], context)
    }
    #expect(killedCount > Self.roundCount / 3, "\(operation)")
    #expect(try Repository.test(at: setting.b).check().problems == [])
  }

  // MARK: - Writers

  static let writerCommits = Machine.environment("DSV_TRANSFER_COMMITS").flatMap { Int($0) } ?? 4

  /// Commits `count` rows, each pushed before the next.
  static func write(_ writer: Int, _ count: Int, _ url: String, _ path: String) throws {
    let repository = try Repository.clone(url, to: path, options: .init(threadCount: 0)).repository
    for number in 0..<count {
      let row = "{\"id\":\(writer * 100_000 + number),\"text\":\"of \(writer)\"}\n"
      var options = CommitOptions()
      options.mode = .append
      _ = try repository.commit(rows: Array(row.utf8), CommitMessage("\(writer) \(number)"), options)
      while true {
        do throws(DSVError) {
          _ = try repository.push()
          break
        } catch {
          guard error.code == .conflict || error.code == .busy else { throw error }
          _ = try repository.pull(rebases: true)
        }
      }
    }
  }

  @Test("8 processes push to one branch, and nothing is lost")
  func writers() async throws {
    let scratch = try Scratch()
    let url = "file://\(scratch.path)/remote"
    let first = try Repository.initialize(at: scratch.repository, options: .init(threadCount: 0))
    var options = CommitOptions()
    options.key = ["id"]
    _ = try first.commit(
      rows: Array("{\"id\":-1,\"text\":\"first\"}\n".utf8), CommitMessage("first"), options)
    _ = try first.addRemote("origin", url: url)
    _ = try first.push()
    let count = Self.writerCommits
    await withTaskGroup { group in
      for writer in 0..<8 {
        group.addTask {
          await #expect(processExitsWith: .success) {
            [
              writer = writer as Int, count = count as Int, url = url as String,
              path = "\(scratch.path)/\(writer)" as String
            ] in
            try TransferKillTests.write(writer, count, url, path)
          }
        }
      }
    }
    #expect(try first.pull().kind == .fastForward)
    let lines = KillTests.lines(try first.rows())
    #expect(lines.count == 1 + 8 * count)
    #expect(Set(lines).count == lines.count)
    for writer in 0..<8 {
      for number in 0..<count {
        #expect(lines.contains { $0.hasPrefix("{\"id\":\(writer * 100_000 + number),") })
      }
    }
    #expect(try first.log(from: try first.resolve("HEAD").commit).count == 1 + 8 * count)
    #expect(try first.check().problems == [])
    #expect(try first.resolve("origin/v\(1 + 8 * count)").commit == first.resolve("HEAD").commit)
  }
}
