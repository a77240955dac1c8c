import DSVSystem
import DSVTesting
import Testing

/// dsv tier, as users and scripts see it.
@Suite struct TierCommandTests {
  let bench: Bench

  init() throws {
    bench = try Bench()
    for (number, name) in ["a", "b"].enumerated() {
      let rows = (0..<400).map { #"{"id":\#($0),"text":"\#(name) \#($0 &* 7919 &+ number) and more of it"}"# }
      try bench.file("\(name).jsonl", rows.joined(separator: "\n") + "\n")
      try bench.ok("commit", "\(bench.path)/\(name).jsonl", "-m", name)
    }
    try bench.ok("remote", "add", "origin", "file://\(bench.path)/remote")
    try bench.ok("push")
  }

  private func tiers() throws -> [JSONDocument] { try bench.json("tier", "status")["tiers"].array }

  @Test("status tells bytes, objects, hits, misses, evictions and fetched bytes of each tier")
  func status() throws {
    let tiers = try tiers()
    #expect(try tiers.map { try $0["name"].text } == ["memory", "disk", "origin"])
    for tier in tiers {
      #expect(
        try tier.keys == [
          "name", "bytes", "objects", "limit", "hits", "misses", "evictions", "fetched_bytes",
        ])
    }
    #expect(try tiers[1]["objects"].int == tiers[2]["objects"].int)
    #expect(try tiers[0]["bytes"].isNull && tiers[0]["objects"].isNull && tiers[2]["evictions"].isNull)
    let text = try bench.ok("tier", "status")
    #expect(text.contains("disk: ") && text.contains("origin: ") && text.contains(" hits, "))
  }

  @Test("each remote has its own numbers")
  func twoRemotes() throws {
    try bench.ok("remote", "add", "backup", "file://\(bench.path)/backup")
    try bench.ok("push", "backup")
    let count = try bench.json("tier", "demote", "v1")["objects"].int
    try FileSystem.rename("\(bench.path)/backup", to: "\(bench.path)/away")
    try bench.ok("export", "v1")
    let numbers = try tiers()
    #expect(try numbers.map { try $0["name"].text } == ["memory", "disk", "backup", "origin"])
    #expect(try numbers[2]["hits"].int == 0 && numbers[3]["hits"].int == count)
    #expect(try numbers[3]["fetched_bytes"].int > 0)
    #expect(try numbers[1]["misses"].int >= count && numbers[0]["misses"].int > 0)
    try bench.ok("tier", "demote", "v1")
    try FileSystem.rename("\(bench.path)/away", to: "\(bench.path)/backup")
    try bench.ok("export", "v1")
    let again = try tiers()
    #expect(try again[2]["hits"].int > 0)
    #expect(try again[3]["hits"].int == count)
  }

  @Test("fsck and gc know what is elsewhere after a catalogue was deleted, or say what to do")
  func deletedCatalogue() throws {
    try bench.ok("tier", "demote", "v1")
    func forget() throws { try FileSystem.removeTree("\(bench.path)/.dsv/remotes/origin/catalogue") }
    try forget()
    #expect(try bench.ok("fsck").contains("all is well"))
    try forget()
    try bench.ok("gc")
    try FileSystem.rename("\(bench.path)/remote", to: "\(bench.path)/away")
    for command in ["fsck", "gc"] {
      try forget()
      let outcome = try bench.run(command)
      #expect(outcome.exitCode == 1, "\(outcome)")
      #expect(outcome.errors.contains("dsv fetch") && outcome.errors.contains("origin"))
    }
    try FileSystem.rename("\(bench.path)/away", to: "\(bench.path)/remote")
    #expect(try bench.ok("fsck").contains("all is well"))
    try bench.ok("export", "v1")
  }

  @Test("demote and promote tell what went and came, and what was asked for is read from the remote")
  func moving() throws {
    let before = try bench.ok("export", "v1")
    let objects = try tiers()[1]["objects"].int
    let demoted = try bench.json("tier", "demote", "v1..v1")
    #expect(
      try demoted.keys == [
        "objects", "bytes", "freed_bytes", "refused", "refused_bytes", "read_back_bytes", "reason",
        "over_budget_bytes", "problems",
      ])
    let count = try demoted["objects"].int
    #expect(count > 0)
    #expect(try demoted["refused"].int == 0)
    #expect(try tiers()[1]["objects"].int == objects - count)
    #expect(try bench.ok("export", "v1") == before)
    #expect(try tiers()[1]["objects"].int == objects, "what was read stays")
    #expect(try tiers()[2]["hits"].int == count)
    #expect(try bench.json("tier", "demote", "v1")["objects"].int == count)
    let promoted = try bench.json("tier", "promote", "v1")
    #expect(try promoted["objects"].int == count)
    #expect(try bench.ok("tier", "promote", "v*..HEAD").contains("0 objects fetched"))
    #expect(try bench.ok("fsck").contains("all is well"))
  }

  @Test("policy and budget are set, shown, applied and taken away")
  func settings() throws {
    let policy = "keep v*..HEAD on disk; older than 1 versions to cold"
    #expect(try bench.json("tier", "policy", policy)["rules"].int == 2)
    #expect(try bench.ok("tier", "policy") == policy + "\n")
    let budget = try bench.json("tier", "budget", "disk=1GB", "memory=8MiB")
    #expect(try budget["disk"].int == 1_000_000_000 && budget["memory"].int == 8 << 20)
    let run = try bench.json("tier", "run")
    #expect(try run["objects"].int > 0)
    #expect(try bench.json("tier", "status")["policy"].text == policy)
    #expect(try tiers()[0]["limit"].int == 8 << 20)
    try bench.ok("tier", "policy", "")
    #expect(try bench.ok("tier", "policy") == "")
    #expect(try bench.ok("tier", "budget", "disk=none").isEmpty)
    #expect(try bench.ok("tier", "budget").contains("disk: none"))
  }

  @Test("what is wrong is told with its place and ends with its code")
  func mistakes() throws {
    let policy = try bench.run("tier", "policy", "older then 3d to cold")
    #expect(policy.exitCode == 7 && policy.errors.contains("byte 6: 'than' is wanted instead of 'then'"))
    #expect(try bench.run("tier", "budget", "disk=much").exitCode == 7)
    #expect(try bench.run("tier", "budget", "tape=1GB").exitCode == 2)
    #expect(try bench.run("tier", "demote", "v9").exitCode == 3)
    #expect(try bench.run("tier", "policy", "v9 to cold").exitCode == 3)
    try bench.fails(3, "no remote 'attic'; there are: origin", "tier", "policy", "everything to attic")
    #expect(try bench.ok("tier", "policy") == "")
    // A table may come later.
    let note = try bench.run("tier", "policy", "table nope to origin; column text to cold")
    #expect(note.exitCode == 0 && note.errors.contains("table 'nope'") && note.errors.contains("data"))
    #expect(!note.errors.contains("'text'"))
    #expect(try bench.run("tier", "demote").exitCode == 2)
    try bench.ok("tier", "demote", "v1")
    let removed = try bench.run("remote", "remove", "origin")
    #expect(removed.exitCode == 4)
  }

  @Test(
    "that nothing could leave, or too little, is told with the reason, and what fsck did not look at with its number"
  )
  func reasons() throws {
    #expect(try bench.json("fsck")["remote_only"].int == 0)
    #expect(try bench.run("tier", "run").errors.contains("neither a policy nor a budget is set"))
    try bench.ok("branch", "same", "v1")
    try bench.ok("commit", "\(bench.path)/b.jsonl", "--table", "more", "-m", "more")
    try bench.ok("push")
    // All of v2 is v3's too.
    let shared = try bench.run("tier", "demote", "v2")
    #expect(shared.text.hasPrefix("0 objects") && shared.errors.contains("other versions need too"))
    let count = try bench.json("tier", "demote", "v1")["objects"].int
    let again = try bench.run("tier", "demote", "v1")
    #expect(again.text.hasPrefix("0 objects") && again.errors.contains("has left this disk before"))
    #expect(try bench.json("fsck")["remote_only"].int == count)
    #expect(
      try bench.ok("fsck").contains("\(count) more objects are on remotes alone, and were not looked at"))
    try bench.ok("tier", "budget", "disk=1B")
    #expect(try bench.run("tier", "status").errors.contains("more than its budget"))
    let run = try bench.run("tier", "run")
    #expect(run.errors.contains("more than the disk's budget, and nothing else can go"), "\(run.errors)")
    #expect(try bench.json("tier", "run")["over_budget_bytes"].int > 0)
  }
}
