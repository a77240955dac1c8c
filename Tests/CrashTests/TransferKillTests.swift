import DSV
import DSVFormat
import DSVSystem
import DSVVersions
import Testing

/// Push, pull and clone are killed at any moment: both sides are whole, and go on.
@Suite(.serialized) struct TransferKillTests {
  typealias Operation = TransferSetting.Operation

  /// Half of it at a desk where the way is the same and the place another.
  private static func killCount(_ kind: TransferSetting.Kind) -> Int { Kills.count(kind == .folder ? 12 : 6) }

  private static func rows(_ repository: Repository) throws -> [Substring] {
    KillTests.lines(try repository.rows()).sorted()
  }

  @Test(
    "killed at any moment, both sides are whole and go on",
    arguments: TransferSetting.Kind.allCases.flatMap { kind in kind.operations.map { (kind, $0) } })
  func kill(kind: TransferSetting.Kind, operation: Operation) throws {
    let name = "\(operation), \(kind)"
    var setting = try TransferSetting(kind)
    // How long it takes when nobody ends it.
    try setting.prepare(operation, 0)
    let start = Clock.monotonicNanoseconds()
    let end = try setting.start(operation).wait()
    var kills = Kills(Self.killCount(kind), within: Clock.monotonicNanoseconds() - start, seed: 13)
    #expect(end.code == 0, "\(name): \(end.errors)")
    if operation == .rebase {
      _ = try setting.open(setting.b).push()
      _ = try setting.open(setting.a).pull()
    }
    while let delay = kills.next() {
      // What grows with each attempt begins anew at times.
      let round = kills.attemptCount % 10
      if round == 0 { setting = try TransferSetting(kind) }
      try setting.prepare(operation, round)
      let end = try setting.start(operation).kill(afterNanoseconds: delay)
      kills.note(end, name)
      try Self.check(setting, operation, after: end, kills.context(name))
    }
    kills.expectAll(name)
    #expect(try setting.open(setting.b).check().problems == [])
  }

  /// The operation was killed: its side is whole, it is asked for again and does what it had to, and the other side follows.
  private static func check(
    _ setting: TransferSetting, _ operation: Operation, after end: Child.End, _ context: Comment
  ) throws {
    if operation != .clone {
      let killed = try setting.open(operation == .push ? setting.a : setting.b)
      #expect(try killed.check().problems == [], context)
    }
    let again = try setting.start(operation).wait()
    if operation == .clone, end.code == 0 || again.errors.contains("there is a repository already") {
      #expect(again.code == 4, context)
    } else {
      #expect(again.code == 0, "\(context): \(again.errors)")
    }
    let (a, b) = (try setting.open(setting.a), try setting.open(setting.b))
    switch operation {
    case .push: #expect(try b.pull().kind == .fastForward, context)
    case .rebase:
      _ = try b.push()
      _ = try a.pull()
    case .pull: break
    case .clone:
      let c = try setting.open(setting.c)
      #expect(try rows(c) == rows(a), context)
      #expect(try c.check().problems == [], context)
    }
    if operation != .clone { #expect(try rows(b) == rows(a), context) }
    if setting.kind == .encrypted, operation == .push {
      #expect(try b.keys().map(\.id) == a.keys().map(\.id), context)
    }
    #expect(
      try FileSystem.list("\(setting.a)/.dsv/remotes/origin").filter { $0.contains(".new") } == [], context)
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
