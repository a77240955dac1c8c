import DSV
import DSVFormat
import DSVSystem
import Testing

/// Commands that work at one repository at once are killed at any moment, again and again.
@Suite(.serialized) struct TortureTests {
  /// A command of a round, and the rows that it is to bring, if it brings any.
  struct Job {
    let arguments: [String]
    var lines: [String] = []
  }

  static let roundCount = Machine.environment("DSV_TORTURE_ROUNDS").flatMap { Int($0) } ?? 300
  /// After so many rounds it begins anew, so that a round stays short.
  static let roundsEach = 50

  static func jobs(_ round: Int, _ scratch: Scratch) throws -> [Job] {
    let place = ["-C", scratch.repository, "--quiet"]
    func job(_ name: String, _ text: String, _ mode: String) throws -> Job {
      let file = try scratch.file(name, text)
      return Job(
        arguments: ["commit", file, mode, "-m", "round \(round)"] + place,
        lines: KillTests.lines(text).map(String.init))
    }
    let first = 1000 + round * 10
    let seed = UInt64(round)
    return [
      try job("a.jsonl", Rows.text(first..<first + 3, seed: seed, wordCount: 8), "--append"),
      try job("b.jsonl", Rows.text(first + 3..<first + 5, seed: seed, wordCount: 8), "--append"),
      // Known rows, changed, and a new one.
      try job(
        "c.jsonl",
        Rows.text(2..<5, seed: seed + 7, wordCount: 8)
          + Rows.text(first + 5..<first + 6, seed: 1, wordCount: 8),
        "--upsert"),
      Job(arguments: ["transform", "--filter", "quality", "--branch", "t\(round)"] + place),
      Job(arguments: ["gc", "--keep-days", "0"] + place),
      Job(arguments: ["export"] + place),
    ]
  }

  /// The rows of main by what identifies them.
  static func rows(_ repository: Repository) throws -> [String: String] {
    Dictionary(
      uniqueKeysWithValues: KillTests.lines(try repository.rows()).map {
        (String(KillTests.id($0)), String($0))
      })
  }

  @Test("what was acknowledged is there and the rest is whole or absent, whoever is killed, and whenever")
  func torture() throws {
    var random = SeededGenerator(21)
    var (killedCount, acknowledgedCount, busyCount) = (0, 0, 0)
    var scratch = try Scratch()
    var old: [String: String] = [:]
    for round in 0..<Self.roundCount {
      let context: Comment = "seed 21, round \(round)"
      if round % Self.roundsEach == 0 {
        scratch = try Scratch()
        try Tree.write(try KillTests.makeTemplate(.upsert), to: scratch.repository)
        old = try Self.rows(try Repository.test(at: scratch.repository))
      }
      let jobs = try Self.jobs(round, scratch)
      // Most are killed within the time that one takes; some are left alone.
      let children = try jobs.map { job in
        (job, try Child(job.arguments, scratch: scratch.path), Int.random(in: 0..<8, using: &random) == 0)
      }
      var ends: [(Job, Child.End)] = []
      for (job, child, isLeft) in children.shuffled(using: &random) {
        let pause = UInt64.random(in: 0..<30_000_000, using: &random)
        ends.append((job, isLeft ? try child.wait() : try child.kill(afterNanoseconds: pause)))
      }

      let repository = try Repository.test(at: scratch.repository)
      let new = try Self.rows(repository)
      var expected = old
      for (job, end) in ends {
        let isBusy = job.arguments[0] == "gc" && end.code == 6
        #expect(end.code == 0 || end.signal == 9 || isBusy, "\(context): \(job.arguments) \(end)")
        killedCount += end.signal == 9 ? 1 : 0
        busyCount += isBusy ? 1 : 0
        guard !job.lines.isEmpty else { continue }
        let there = job.lines.filter { new[String(KillTests.id($0[...]))] == $0 }
        #expect(there.isEmpty || there == job.lines, "\(context): half of \(job.arguments) is there")
        if end.isAcknowledged {
          acknowledgedCount += 1
          #expect(!there.isEmpty, "\(context): \(job.arguments) is not there")
        }
        for line in there { expected[String(KillTests.id(line[...]))] = line }
      }
      #expect(new == expected, context)
      old = new
      if try repository.branches().contains(where: { $0.name == "t\(round)" }) {
        try repository.deleteBranch("t\(round)")
      }
      if round % 10 == 9 {
        #expect(try repository.check().problems == [], context)
        _ = try repository.collectGarbage(keepDays: 0)
        #expect(try FileSystem.list("\(scratch.repository)/.dsv/tmp") == [], context)
        #expect(try Self.rows(repository) == new, context)
      }
    }
    print(
      "torture: \(Self.roundCount) rounds, \(killedCount) killed, \(acknowledgedCount) commits acknowledged")
    #expect(killedCount > Self.roundCount / 2 && acknowledgedCount > Self.roundCount / 4, "\(busyCount) busy")
  }
}
