import DSV
import DSVFormat
import DSVSystem
import Testing

/// demote, promote and run are killed at any moment: every version stays readable, and they can be asked for again.
@Suite(.serialized) struct TierKillTests {
  enum Operation: String, CaseIterable { case demote, promote, run }

  static let killCount = Machine.environment("DSV_TIER_KILLS").flatMap { Int($0) } ?? 50

  private static func rows(_ path: String, _ version: String) throws -> [String] {
    let repository = try Repository.test(at: path)
    let table = try repository.version(version).table()
    let batch = try table.take(rows: Array(0..<table.rowCount), columns: ["text"])
    return (0..<batch.rowCount).map { batch.columns[0].string($0) ?? "" }
  }

  @Test("killed at any moment, all versions are readable and nothing is lost", arguments: Operation.allCases)
  func kill(operation: Operation) throws {
    let scratch = try Scratch()
    let repository = try Repository.initialize(at: scratch.repository, options: .init(threadCount: 0))
    for number in 0..<3 {
      let text = Rows.text(0..<300 + number, seed: UInt64(number), wordCount: 60)
      _ = try repository.commit([try scratch.file("rows.jsonl", text)], CommitMessage("\(number)"))
    }
    _ = try repository.addRemote("origin", url: "file://\(scratch.path)/remote")
    _ = try repository.push()
    let versions = ["v1", "v2", "v3"]
    let wanted = try versions.map { try Self.rows(scratch.repository, $0) }
    let place = ["-C", scratch.repository, "--json", "--quiet"]
    let arguments =
      switch operation {
      case .demote: ["tier", "demote", "v*..main~1"] + place
      case .promote: ["tier", "promote", "v*..main"] + place
      case .run: ["tier", "run"] + place
      }
    func prepare() throws {
      let repository = try Repository.test(at: scratch.repository)
      let all = try repository.versions(named: ["v*..main"])
      if operation == .promote { try repository.demote(all) } else { try repository.promote(all) }
    }
    if operation == .run {
      var settings = TierSettings()
      settings.policy = try TierPolicy("v*..main~1 to cold")
      try repository.setTiers(settings)
    }
    try prepare()
    let start = Clock.monotonicNanoseconds()
    let end = try Child.run(arguments, scratch: scratch.path)
    var kills = Kills(Self.killCount, within: Clock.monotonicNanoseconds() - start, seed: 17)
    #expect(end.code == 0, "\(end.errors)")
    while let delay = kills.next() {
      try prepare()
      let end = try Child(arguments, scratch: scratch.path).kill(afterNanoseconds: delay)
      kills.note(end, "\(operation)")
      let context = kills.context("\(operation)")
      #expect(try Repository.test(at: scratch.repository).check().problems == [], context)
      for (version, rows) in zip(versions, wanted) {
        #expect(try Self.rows(scratch.repository, version) == rows, context)
      }
      let again = try Child.run(arguments, scratch: scratch.path)
      #expect(again.code == 0, "\(context): \(again.errors)")
    }
    kills.expectAll("\(operation)")
  }
}
