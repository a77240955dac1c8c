import Testing

/// How versions are named, and what branches, tags and HEAD do.
@Suite struct RevisionTests {
  let bench: Bench

  init() throws {
    bench = try Bench()
    for number in 1...3 {
      try bench.ok("commit", "-", "-m", "version \(number)", input: #"{"n":\#(number)}"# + "\n")
    }
  }

  private func version(_ name: String) throws -> String { try bench.json("show", name)["version"].text }

  @Test("HEAD, vN, branch, tag and ID prefix each name a version, and ~N its ancestors")
  func names() throws {
    let id = try bench.json("show", "v2")["commit"].text
    try bench.ok("branch", "side", "v1")
    try bench.ok("tag", "paper", "v2")
    let expected = [
      "HEAD": "v3", "v1": "v1", "main": "v3", "side": "v1", "paper": "v2", String(id.prefix(4)): "v2",
      String(id.prefix(12)): "v2", id: "v2", "HEAD~1": "v2", "HEAD~": "v2", "HEAD^": "v2", "main~2": "v1",
      "v3~1~1": "v1", "paper~1": "v1", "\(id.prefix(8))~1": "v1", "HEAD~0": "v3", "v3^^": "v1",
      "side~0": "v1",
    ]
    for (name, wanted) in expected { #expect(try version(name) == wanted, "\(name)") }
    try bench.fails(3, "only 2 versions before", "show", "HEAD~3")
    try bench.fails(3, "no version v4", "show", "v4")
    try bench.fails(3, "", "show", "v99999999999999999999999")
    try bench.fails(3, "", "show", String(id.prefix(3)))
    try bench.fails(3, "nosuch", "show", "nosuch")
    try bench.fails(3, "", "show", "HEAD~99999999999999999999")
    try bench.fails(3, "", "show", id.uppercased())
    try bench.fails(3, "", "show", "0000000000000000000000000000000000000000000000000000000000000000")
    try bench.fails(3, "", "show", "v0")
    try bench.fails(3, "", "show", "")
  }

  @Test("a branch that looks like an ID's first digits wins over the ID, with a note")
  func prefixLikeName() throws {
    let prefix = String(try bench.json("show", "v2")["commit"].text.prefix(6))
    try bench.ok("branch", prefix, "v1")
    let outcome = try bench.run("show", prefix, "--json")
    #expect(try JSONDocument(outcome.output)["version"].text == "v1")
    #expect(outcome.errors.contains("taken as the branch of that name"))
    try bench.ok("branch", "--delete", prefix)
    try bench.ok("tag", prefix, "v3")
    let tagged = try bench.run("show", prefix, "--json")
    #expect(try JSONDocument(tagged.output)["version"].text == "v3")
    #expect(tagged.errors.contains("taken as the tag of that name"))
  }

  @Test(
    "names that cannot be told from others are refused",
    arguments: [
      "v3", "v12345", "HEAD", "a b", "a~1", "a^", "-x", "/a", "a/", "a//b", "a..b", "a:b", "a\u{1b}b", "a*",
      "@",
    ])
  func badNames(name: String) throws {
    for kind in ["branch", "tag"] {
      let outcome = try bench.run(kind, "--", name)
      #expect(outcome.exitCode == 7, "\(kind) \(name): \(outcome.errors)")
    }
    #expect(try bench.json("branch").array.count == 1)
    #expect(try bench.json("tag").array.isEmpty)
  }

  @Test("a name that is taken is a conflict, one that is not there is not found")
  func taken() throws {
    try bench.ok("branch", "side")
    try bench.fails(4, "already", "branch", "side")
    try bench.fails(4, "check out another", "branch", "--delete", "main")
    try bench.fails(3, "no branch", "branch", "--delete", "nosuch")
    try bench.fails(3, "no tag", "tag", "--delete", "nosuch")
    try bench.ok("tag", "t")
    try bench.fails(4, "already", "tag", "t")
    try bench.ok("tag", "--delete", "t")
    try bench.ok("branch", "--delete", "side")
    try bench.fails(3, "", "branch", "x", "nosuch")
  }

  @Test("a commit on no branch moves HEAD, and says how it is kept")
  func detached() throws {
    #expect(try bench.ok("checkout", "v1").contains("on no branch"))
    let outcome = try bench.run("commit", "-", "-m", "aside", input: #"{"n":9}"# + "\n")
    #expect(outcome.exitCode == 0 && outcome.errors.contains("dsv branch NAME v4"), "\(outcome.errors)")
    #expect(try version("HEAD") == "v4" && version("HEAD~1") == "v1" && version("main") == "v3")
    #expect(try bench.json("status")["branch"].isNull)
    try bench.ok("checkout", "main")
    #expect(try bench.log() == ["v3", "v2", "v1"])
    #expect(try version("v4") == "v4")
    try bench.ok("checkout", "v4")
    try bench.ok("branch", "kept")
    try bench.ok("checkout", "kept")
    #expect(try bench.json("status")["branch"].text == "kept")
    try bench.expectWhole()
  }

  @Test("a commit on a branch moves that branch alone")
  func branches() throws {
    try bench.ok("branch", "side", "v1")
    try bench.ok("checkout", "side")
    try bench.ok("commit", "-", "-m", "side", input: #"{"n":7}"# + "\n")
    #expect(try version("side") == "v4" && version("side~1") == "v1" && version("main") == "v3")
    #expect(try bench.ok("export", "main") == "{\"n\":3}\n")
    #expect(try bench.ok("export", "side") == "{\"n\":7}\n")
    #expect(try bench.ok("log", "--graph").contains("v4"))
  }

  @Test("transform needs --branch where the version is no branch's tip")
  func transformTarget() throws {
    try bench.file("r.yaml", "stages:\n  - where: n > 5\n")
    let recipe = ["transform", "--recipe", "\(bench.path)/r.yaml", "--json"]
    let refused = try bench.run(recipe + ["v1"])
    #expect(refused.exitCode == 7 && refused.errors.contains("--branch"))
    #expect(
      try JSONDocument(try bench.run(recipe + ["v1", "--branch", "new"]).output)["version"].text == "v4")
    #expect(try version("new") == "v4" && version("new~1") == "v1")
    #expect(try bench.run(recipe + ["v1", "--branch", "new"]).exitCode == 4)
    #expect(try bench.run(recipe + ["v1", "--branch", "v9"]).exitCode == 7)
    #expect(try JSONDocument(try bench.run(recipe + ["main"]).output)["version"].text == "v5")
    #expect(try version("main") == "v5")
    try bench.ok("branch", "other", "v2")
    #expect(try JSONDocument(try bench.run(recipe + ["other"]).output)["version"].text == "v6")
    #expect(try version("other") == "v6" && version("main") == "v5")
  }

  @Test("revert undoes a version as a new one, and refuses where the table changed again")
  func revert() throws {
    try bench.fails(4, "changed again", "revert", "v2")
    let result = try bench.json("revert", "v3")
    #expect(try result["version"].text == "v4")
    #expect(try bench.json("show", "v4")["root"].text == bench.json("show", "v2")["root"].text)
    #expect(try bench.json("revert", "v3")["version"].text == "v4")
    #expect(try bench.ok("export") == "{\"n\":2}\n")
    try bench.ok("commit", "-", "-m", "t", "--table", "t", input: "{\"a\":1}\n")
    try bench.ok("revert", "HEAD", "-m", "no t")
    try bench.fails(3, "no table 't'", "export", "--table", "t")
    #expect(try bench.json("show")["message"].text == "no t")
  }

  @Test("reverting the first version leaves no table")
  func revertFirst() throws {
    let bench = try Bench()
    try bench.ok("commit", "-", "-m", "one", input: "{\"a\":1}\n")
    #expect(try bench.json("revert", "v1")["rows"].int == 0)
    try bench.fails(3, "has no table", "export")
    try bench.expectWhole()
  }
}
