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

  static let roundCount = Machine.environment("DSV_TORTURE_ROUNDS").flatMap { Int($0) } ?? 100
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

  /// What has happened so far.
  private struct Course {
    var (killedCount, acknowledgedCount) = (0, 0)
    /// The rows that are there.
    var rows: [String: String] = [:]
    /// Those that were not there after their round: the last to get far may come to light when the index is made again,
    /// for nobody was told that it did not arrive.
    var pending: [Job] = []
    /// What is being done, for the message of what fails.
    var call = ""

    /// Checks that each job has done all or nothing, and that nothing else has happened.
    ///
    /// - Parameter acknowledged: whether a job told somebody that it was done.
    mutating func account(for jobs: [(Job, acknowledged: Bool)], _ new: [String: String]) throws {
      var expected = rows
      var missing: [Job] = []
      for (job, acknowledged) in jobs where !job.lines.isEmpty {
        let there = job.lines.filter { new[String(KillTests.id($0[...]))] == $0 }
        try #require(there.isEmpty || there == job.lines, "half of \(job.arguments) is there")
        try #require(!acknowledged || !there.isEmpty, "\(job.arguments) is not there")
        acknowledgedCount += acknowledged ? 1 : 0
        for line in there { expected[String(KillTests.id(line[...]))] = line }
        if there.isEmpty { missing.append(job) }
      }
      let wrong = Set(new.keys).union(expected.keys).filter { new[$0] != expected[$0] }
      try #require(
        wrong.isEmpty, "\(wrong.map { "\($0): \(new[$0] ?? "-"), wanted: \(expected[$0] ?? "-")" })")
      (rows, pending) = (new, missing)
    }
  }

  @Test("what was acknowledged is there and the rest is whole or absent, whoever is killed, and whenever")
  func torture() throws {
    let seed = Machine.environment("DSV_TORTURE_SEED").flatMap { UInt64($0) } ?? 21
    var random = SeededGenerator(seed)
    var course = Course()
    var scratch = try Scratch()
    for round in 0..<Self.roundCount {
      do {
        if round % Self.roundsEach == 0 {
          scratch = try Scratch()
          try Tree.write(try KillTests.makeTemplate(.upsert), to: scratch.repository)
          course.rows = try Self.rows(try Repository.test(at: scratch.repository))
          course.pending = []
        }
        if Int.random(in: 0..<5, using: &random) == 0 { try Self.losesIndex(scratch, &course) }
        try Self.run(round, scratch, &course, &random)
      } catch {
        scratch.keep()
        Issue.record("seed \(seed), round \(round), \(course.call): \(error); see \(scratch.path)")
        return
      }
    }
    print(
      "torture: \(Self.roundCount) rounds, \(course.killedCount) killed, \(course.acknowledgedCount) acknowledged"
    )
    #expect(course.killedCount > Self.roundCount / 2 && course.acknowledgedCount > Self.roundCount / 4)
  }

  /// The index is gone, as after a crash that damaged it: it is made again from packs and reflog.
  private static func losesIndex(_ scratch: Scratch, _ course: inout Course) throws {
    course.call = "making the index again"
    try FileSystem.removeTree("\(scratch.repository)/.dsv/index")
    let rows = try rows(try Repository.test(at: scratch.repository))
    try course.account(for: course.pending.map { ($0, false) }, rows)
  }

  private static func run(
    _ round: Int, _ scratch: Scratch, _ course: inout Course, _ random: inout SeededGenerator
  ) throws {
    course.call = "the commands"
    let jobs = try jobs(round, scratch)
    // Most are killed within the time that one takes; some are left alone.
    let children = try jobs.map { job in
      (job, try Child(job.arguments, scratch: scratch.path), Int.random(in: 0..<8, using: &random) == 0)
    }
    var ends: [(Job, Child.End)] = []
    for (job, child, isLeft) in children.shuffled(using: &random) {
      let pause = UInt64.random(in: 0..<30_000_000, using: &random)
      ends.append((job, isLeft ? try child.wait() : try child.kill(afterNanoseconds: pause)))
    }
    for (job, end) in ends {
      let isBusy = job.arguments[0] == "gc" && end.code == 6
      try #require(end.code == 0 || end.signal == 9 || isBusy, "\(job.arguments) \(end)")
      course.killedCount += end.signal == 9 ? 1 : 0
    }

    course.call = "reading the rows"
    let repository = try Repository.test(at: scratch.repository)
    let earlier = course.pending
    try course.account(for: ends.map { ($0.0, $0.1.isAcknowledged) }, try rows(repository))
    course.pending += earlier
    course.call = "deleting the branch"
    if try repository.branches().contains(where: { $0.name == "t\(round)" }) {
      try repository.deleteBranch("t\(round)")
    }
    guard round % 10 == 9 else { return }
    course.call = "check"
    try #require(try repository.check().problems == [])
    course.call = "gc"
    _ = try repository.collectGarbage(keepDays: 0)
    course.pending = []
    try #require(try FileSystem.list("\(scratch.repository)/.dsv/tmp") == [])
    course.call = "reading the rows after gc"
    try #require(try rows(repository) == course.rows)
  }
}
