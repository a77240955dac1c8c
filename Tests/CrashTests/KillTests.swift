import DSV
import DSVFormat
import DSVSystem
import DSVVersions
import Testing

/// The command is killed at any moment. What it acknowledged is there; the rest is there whole or not at all.
@Suite struct KillTests {
  enum Operation: String, CaseIterable {
    case commit, append, upsert, transform, gc, compact, archive

    var makesVersion: Bool { self != .gc && self != .archive }
    /// Whether each round begins with the template: the operation finds nothing to do a second time.
    var isRestarted: Bool { self == .gc || self == .compact || self == .archive }

    /// The command line, for round `round`.
    func arguments(_ repository: String, _ file: String, round: Int) -> [String] {
      let place = ["-C", repository, "--json", "--quiet"]
      return switch self {
      case .commit: ["commit", file, "-m", "whole"] + place
      case .append: ["commit", file, "--append", "-m", "more"] + place
      case .upsert: ["commit", file, "--upsert", "-m", "newer"] + place
      case .transform: ["transform", "--filter", "quality", "--branch", "round\(round)"] + place
      case .gc: ["gc", "--keep-days", "0"] + place
      case .compact: ["compact", "-m", "compact"] + place
      case .archive: ["compact", "--archive"] + place
      }
    }
  }

  static let killCount = 20

  /// A repository of one version in which there is something to collect.
  static func makeTemplate(_ operation: Operation) throws -> [String: [UInt8]] {
    let scratch = try Scratch()
    do {
      let repository = try Repository.initialize(at: scratch.repository, options: .init(threadCount: 0))
      var options = CommitOptions()
      options.key = ["id"]
      let first = try scratch.file("first.jsonl", Rows.text(0..<80, seed: 1))
      _ = try repository.commit([first], CommitMessage("first"), options)
      if operation == .compact { try repository.filterTest() }
      if operation == .archive {
        let text = try scratch.file("long.jsonl", Rows.text(1000..<1900, seed: 3, wordCount: 120))
        try repository.commitTest(text, .append)
      }
      if operation == .gc {
        for number in 0..<3 {
          let more = try scratch.file(
            "more.jsonl", Rows.noise(1000, byteCount: 900_000, seed: UInt64(number)))
          try repository.makeBranch("waste", at: try repository.resolve("main").commit)
          try repository.checkout(try repository.resolve("waste"))
          try repository.commitTest(more, .append)
          try repository.filterTest(branch: "other")
          try repository.checkout(try repository.resolve("main"))
          try repository.deleteBranch("waste")
          try repository.deleteBranch("other")
        }
        try repository.commitTest(try scratch.file("last.jsonl", Rows.text(80..<90, seed: 2)), .append)
        // What a branch led to in this second is kept.
        Clock.sleep(nanoseconds: 1_100_000_000)
      }
    }
    return try Tree.read(scratch.repository)
  }

  /// What round `round` commits.
  static func input(_ operation: Operation, round: Int) -> String {
    let seed = UInt64(round) + 100
    let ids = 1000 + round * 10..<1010 + round * 10
    return switch operation {
    case .commit:
      Rows.text(0..<70, seed: seed) + Rows.noise(ids.lowerBound, byteCount: round % 2 * 1_500_000, seed: seed)
    case .append: Rows.text(ids, seed: seed)
    case .upsert: Rows.text(ids, seed: seed) + Rows.text(10..<20, seed: seed + 1)
    case .transform, .gc, .compact, .archive: ""
    }
  }

  static func lines(_ text: String) -> [Substring] { text.split(separator: "\n") }

  static func id(_ line: Substring) -> Substring { line.prefix { $0 != "," } }

  /// What the table holds after the operation, if it held `old`.
  static func result(_ operation: Operation, _ old: String, _ input: String) -> [Substring] {
    switch operation {
    case .commit: return lines(input)
    case .append: return lines(old) + lines(input)
    case .upsert:
      let new = Set(lines(input).map(id))
      return (lines(old).filter { !new.contains(id($0)) } + lines(input)).sorted()
    case .transform: return lines(old).filter { $0.count > 300 }
    case .gc, .compact, .archive: return lines(old)
    }
  }

  /// How long the operation takes when nobody ends it: the middle one of three.
  static func measure(_ operation: Operation, _ template: [String: [UInt8]]) throws -> UInt64 {
    let scratch = try Scratch()
    var times: [UInt64] = []
    for round in 1..<4 {
      try Tree.write(template, to: scratch.repository)
      let file = try scratch.file("input.jsonl", input(operation, round: round))
      let start = Clock.monotonicNanoseconds()
      let end = try Child.run(
        operation.arguments(scratch.repository, file, round: round), scratch: scratch.path)
      times.append(Clock.monotonicNanoseconds() - start)
      #expect(end.code == 0, "\(operation): \(end.errors)")
    }
    return times.sorted()[1]
  }

  @Test("killed at any moment, a command has done all or nothing", arguments: Operation.allCases)
  func kill(operation: Operation) throws {
    let template = try Self.makeTemplate(operation)
    var kills = Kills(Self.killCount, within: try Self.measure(operation, template), seed: 7)
    let scratch = try Scratch()
    try Tree.write(template, to: scratch.repository)
    var doneCount = 0
    while let delay = kills.next() {
      let round = kills.attemptCount - 1
      if operation.isRestarted { try Tree.write(template, to: scratch.repository) }
      let before = try Picture(try Repository.test(at: scratch.repository))
      let old = try Repository.test(at: scratch.repository).rows()
      let input = Self.input(operation, round: round)
      let file = try scratch.file("input.jsonl", input)

      let end = try Child(
        operation.arguments(scratch.repository, file, round: round), scratch: scratch.path
      ).kill(afterNanoseconds: delay)
      kills.note(end, "\(operation)")
      let context = kills.context("\(operation)")

      let repository = try Repository.test(at: scratch.repository)
      #expect(try repository.check().problems == [], context)
      var after = try Picture(repository)
      let branch = operation == .transform ? "round\(round)" : "main"
      let isDone = after.versionCount > before.versionCount
      if !operation.makesVersion { #expect(after == before, context) }
      if operation.makesVersion, end.isAcknowledged { #expect(isDone, "\(context): \(end.output)") }
      if isDone {
        doneCount += 1
        let name = "v\(before.versionCount + 1)"
        #expect(try repository.versionName(try repository.resolve(branch).commit) == name, context)
        var rows = Self.lines(try repository.rows(branch))
        if operation == .upsert { rows.sort() }
        #expect(rows == Self.result(operation, old, input), context)
        after.versions[name] = nil
        after.names = before.names
        after.versionCount -= 1
      }
      #expect(after == before, context)

      // And it goes on.
      let next = try scratch.file("next.jsonl", Rows.text(5000 + round..<5001 + round, seed: 5))
      let result = try repository.commitTest(next, .append)
      #expect(result.isNew && result.version == "v\(before.versionCount + (isDone ? 2 : 1))", context)
      if round % 5 == 4 {
        let gc = try Child.run(
          Operation.gc.arguments(scratch.repository, "", round: 0), scratch: scratch.path)
        #expect(gc.code == 0, "\(context): \(gc.errors)")
        #expect(try repository.check().problems == [], context)
        #expect(try FileSystem.list("\(scratch.repository)/.dsv/tmp") == [], context)
      }
    }
    kills.expectAll("\(operation)")
    if operation.makesVersion { #expect(doneCount < kills.attemptCount, "\(operation)") }
  }
}
