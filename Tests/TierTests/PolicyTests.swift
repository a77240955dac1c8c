import DSV
import DSVColumns
import DSVFormat
import DSVTesting
import Testing

@Suite struct PolicyTests {
  private typealias Rule = TierPolicy.Rule

  private func rule(
    table: String? = nil, column: String? = nil, _ versions: [TierPolicy.Versions] = [],
    to placement: TierPolicy.Placement
  ) throws -> TierPolicy.Rule {
    var rule = try #require(try TierPolicy("everything on disk").rules.first)
    (rule.table, rule.column, rule.versions, rule.placement) = (table, column, versions, placement)
    return rule
  }

  @Test("rules are read as they are meant")
  func parsing() throws {
    let policy = try TierPolicy("keep v*..HEAD on disk; older than 30d to cold")
    #expect(
      policy.rules == [
        try rule([.range(from: nil, to: "HEAD")], to: .disk),
        try rule([.olderThanSeconds(30 * 86_400)], to: .remote(nil)),
      ])
    let other = try TierPolicy(
      " table raw to remote ;column text older than 10 versions to remote;; table 'a; b' column x.y v3..main to origin;"
        + "keep everything on disk; older than 12h v7 to cold")
    #expect(
      other.rules == [
        try rule(table: "raw", to: .remote(nil)),
        try rule(column: "text", [.olderThanVersions(10)], to: .remote(nil)),
        try rule(table: "a; b", column: "x.y", [.range(from: "v3", to: "main")], to: .remote("origin")),
        try rule(to: .disk), try rule([.olderThanSeconds(43_200), .one("v7")], to: .remote(nil)),
      ])
    #expect(try TierPolicy("").rules == [])
  }

  @Test(
    "what is wrong is told with its place",
    arguments: [
      ("table raw on dusk", 13, "'disk'"), ("older then 3d to cold", 6, "'than'"),
      ("older than 3x to cold", 11, "an age"), ("older than 3 to cold", 13, "'versions'"),
      ("keep v1", 7, "'on disk' or 'to remote'"), ("table 'raw to cold", 6, "quote"),
      ("on disk", 0, "everything"), ("keep to cold", 0, "everything"),
      ("table a to cold table b to cold", 16, "';'"), ("table a table b to cold", 14, "one table"),
      ("v1.. to cold", 0, "'A..B'"), ("everything to", 13, "'remote'"), ("table", 5, "a table's name"),
    ])
  func mistakes(text: String, byte: Int, what: String) throws {
    let error = #expect(throws: DSVError.self) { try TierPolicy(text) }
    #expect(error?.code == .badInput)
    #expect(error?.message.contains("byte \(byte):") == true, "\(error?.message ?? "")")
    #expect(error?.message.contains(what) == true, "\(error?.message ?? "")")
  }

  @Test("texts made up at random are read or refused")
  func anyText() throws {
    var random = SeededGenerator(seed: 1)
    let words = [
      "keep", "on", "disk", "to", "cold", "remote", ";", "table", "column", "older", "than", "3", "3d",
      "versions",
      "v*..HEAD", "'", "''", "everything", "..", "a..b",
    ]
    for _ in 0..<20_000 {
      let text = (0..<random.below(9)).map { _ in words[random.below(words.count)] }.joined(separator: " ")
      do throws(DSVError) { _ = try TierPolicy(text) } catch { #expect(error.code == .badInput) }
    }
  }

  @Test(
    "sizes are read as users write them",
    arguments: [
      ("200GB", 200_000_000_000), ("4GiB", 4 << 30), ("1000", 1000), ("7kb", 7000), ("0", 0), ("none", nil),
    ] as [(String, Int?)])
  func sizes(text: String, byteCount: Int?) throws {
    #expect(try TierSettings.byteCount(text) == byteCount)
    for wrong in ["", "GB", "-1", "1.5GB", "9999999999999TB", "3 GB"] {
      #expect(throws: DSVError.self) { try TierSettings.byteCount(wrong) }
    }
  }

  @Test("settings are kept, and what is not known is refused")
  func settings() throws {
    let lazy = try Lazy { repository, _ in try Lazy.commit(repository, (0..<10).map { Lazy.row($0) }) }
    #expect(try lazy.copy.tierSettings().isEmpty)
    var settings = TierSettings()
    settings.policy = try TierPolicy("older than 3d to cold; table 'é x' to remote")
    (settings.diskByteCount, settings.memoryByteCount) = (200_000_000_000, 5 << 20)
    try lazy.copy.setTiers(settings)
    try lazy.reopen()
    #expect(try lazy.copy.tierSettings() == settings)
    let own = try Repository.open(at: lazy.copy.path)
    #expect(own.reader.cache.byteCountMax == 5 << 20)
    let path = lazy.folder.path + "/copy/.dsv/tiers"
    let text = try lazy.folder.read("copy/.dsv/tiers/settings")
    #expect(
      text == "dsv tiers 1\ndisk 200000000000\nmemory 5242880\n"
        + "policy older than 3d to cold; table 'é x' to remote\n")
    for wrong in ["", "dsv tiers 2\n", "dsv tiers 1", "dsv tiers 1\nspeed 3\n", "dsv tiers 1\ndisk x\n"] {
      try lazy.folder.write("copy/.dsv/tiers/settings", wrong)
      #expect(throws: DSVError.self, "\(path): \(wrong)") { try lazy.copy.tierSettings() }
    }
    settings.policy = try TierPolicy("v1..nowhere to cold")
    try lazy.folder.write("copy/.dsv/tiers/settings", text)
    let error = #expect(throws: DSVError.self) { try lazy.copy.setTiers(settings) }
    #expect(error?.code == .notFound)
  }
}
