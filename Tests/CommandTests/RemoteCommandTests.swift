import DSVSystem
import DSVTesting
import Testing

/// remote, push, fetch, pull and clone, as users and scripts see them.
@Suite struct RemoteCommandTests {
  let bench: Bench
  let other: Bench
  var url: String { "file://\(bench.path)/remote" }

  init() throws {
    bench = try Bench()
    other = try Bench(initialized: false)
    try bench.file("a.jsonl", (0..<20).map { "{\"id\":\($0),\"t\":\"row \($0)\"}\n" }.joined())
    try bench.file("b.jsonl", "{\"id\":100,\"t\":\"b\"}\n")
    try other.file("c.jsonl", "{\"id\":200,\"t\":\"c\"}\n")
    try bench.ok("commit", "\(bench.path)/a.jsonl", "-m", "first", "--key", "id")
  }

  /// The other bench's clone becomes its folder's repository.
  private func clone() throws {
    let outcome = try other.run("clone", url, "copy", "--json")
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    try FileSystem.rename("\(other.path)/copy/.dsv", to: "\(other.path)/.dsv")
  }

  @Test("every document that they write")
  func documents() throws {
    let added = try bench.json("remote", "add", "origin", url)
    #expect(try added.keys == ["name", "url", "endpoint", "region", "path_style", "read_only"])
    #expect(try bench.json("remote", "list").array.count == 1)
    let pushed = try bench.json("push")
    #expect(try pushed.keys == ["remote", "commits", "objects", "packs", "bytes", "refs"])
    #expect(try pushed["commits"].int == 1)
    #expect(try pushed["refs"].array[0]["state"].text == "pushed")
    #expect(try bench.json("push")["refs"].array[0]["state"].text == "upToDate")
    let cloned = try JSONDocument(try other.run("clone", url, "copy", "--json").output)
    #expect(try cloned.keys == ["path", "branch", "version", "commit", "fetch"])
    #expect(try cloned["version"].text == "v1")
    try FileSystem.rename("\(other.path)/copy/.dsv", to: "\(other.path)/.dsv")
    #expect(try other.json("fetch").keys == ["remote", "commits", "objects", "bytes", "refs"])
    let pulled = try other.json("pull")
    #expect(try pulled.keys == ["branch", "kind", "version", "commit", "old", "replayed", "fetch"])
    #expect(try pulled["kind"].text == "upToDate")
    let collected = try bench.json("remote", "gc")
    #expect(
      try collected.keys == [
        "condemned_packs", "condemned_bytes", "rewritten_packs", "deleted_packs", "deleted_bytes",
      ])
    #expect(try other.json("remote", "remove", "origin")["deleted"].text == "origin")
  }

  @Test("what is there is told, and what to do")
  func words() throws {
    #expect(try bench.ok("remote", "add", "origin", url).contains("added remote origin"))
    #expect(try bench.ok("remote").contains("origin \(url)"))
    #expect(try bench.ok("push").contains("origin/main begins at v1"))
    #expect(try bench.ok("push").contains("up to date"))
    try clone()
    try bench.ok("commit", "\(bench.path)/b.jsonl", "--append", "-m", "second")
    #expect(try bench.ok("push").contains("v1 → v2"))
    try other.ok("commit", "\(other.path)/c.jsonl", "--append", "-m", "mine")
    try other.fails(4, "dsv pull --rebase", "push")
    try other.fails(4, "--rebase", "pull")
    #expect(try other.ok("pull", "--rebase").contains("1 versions made again"))
    #expect(try other.ok("push").contains("1 versions, "))
    #expect(try bench.ok("pull").contains("main → v3"))
    #expect(try bench.ok("count", "origin/v3") == "22\n")
    #expect(try bench.ok("count", "origin/main") == "22\n")
    #expect(try bench.ok("diff", "v2", "origin/main", "--stat").contains("1"))
    #expect(try bench.ok("log").contains("origin/main"))
    try bench.ok("tag", "paper", "v1")
    #expect(try bench.ok("push", "origin", "paper").contains("origin/paper begins at v1"))
    #expect(try bench.ok("push", "origin", "paper", "--delete").contains("origin/paper is gone"))
    #expect(try bench.ok("fetch").contains("nothing new"))
    try bench.ok("fsck")
    try other.ok("fsck")
  }

  @Test("a clone of what is not there says what there is, and leaves nothing")
  func cloneOfNothing() throws {
    try bench.ok("remote", "add", "origin", url)
    try bench.ok("push")
    let copy = "\(other.path)/copy"
    try other.fails(7, "no column 'nope'; there are: id, t", "clone", url, copy, "--columns", "t,nope")
    try other.fails(7, "no table 'nope'; there are: data", "clone", url, copy, "--table", "nope")
    try other.fails(3, "no branch 'nope'; there are: main", "clone", url, copy, "--branch", "nope")
    #expect(try FileSystem.list(other.path) == ["c.jsonl"])
    // A folder that was there stays.
    try FileSystem.makeFolder(copy)
    try other.fails(7, "'nope'", "clone", url, copy, "--columns", "nope")
    #expect(try FileSystem.list(copy) == [])
    try other.ok("clone", url, copy, "--columns", "t")
    try other.fails(4, "there is a repository already", "clone", url, copy)
  }

  @Test("a clone that was broken off is told by what is run there, with what to do")
  func brokenOff() throws {
    try bench.ok("remote", "add", "origin", url)
    try bench.ok("push")
    // Killed before there was a repository, and with one.
    try FileSystem.makeFolder("\(other.path)/copy")
    try FileSystem.replace("\(other.path)/copy/.dsv.cloning", with: Array("url \(url)\n".utf8))
    func log() throws -> Outcome {
      try other.run(["-C", "\(other.path)/copy", "log"])
    }
    let none = try log()
    #expect(none.exitCode == 3 && none.errors.contains("a clone of \(url) was begun here"), "\(none.errors)")
    #expect(try other.run("init", "copy").exitCode == 4)
    try other.ok("init", "begun")
    try FileSystem.rename("\(other.path)/begun/.dsv", to: "\(other.path)/copy/.dsv")
    #expect(try log().errors.contains("the same 'dsv clone' goes on with it"))
    try other.ok("clone", url, "copy")
    let whole = try log()
    #expect(whole.exitCode == 0 && whole.errors.isEmpty, "\(whole.errors)")
  }

  @Test("what cannot be done exits as the table of codes says")
  func failures() throws {
    try bench.fails(3, "there is no remote", "push")
    try bench.fails(7, "s3://BUCKET/PREFIX", "remote", "add", "origin", "ftp://x/y")
    try bench.fails(7, "cannot be a", "remote", "add", "a/b", url)
    try bench.ok("remote", "add", "origin", url)
    try bench.fails(4, "already", "remote", "add", "origin", url)
    try bench.fails(3, "nothing was pushed there yet", "fetch")
    try bench.fails(3, "no branch or tag", "push", "origin", "none")
    try bench.fails(3, "there is no remote 'x'", "push", "x")
    try bench.ok("push")
    try bench.fails(3, "no version v9", "show", "origin/v9")
    try bench.fails(2, "Usage", "push", "--delete")
    try bench.fails(2, "Usage", "clone", url, "x", "--lazy", "--table", "data")
    try bench.fails(3, "no dsv repository", "clone", "file://\(bench.path)", "y")
    // A server that nobody is at, and one that there is none of.
    bench.environment["AWS_ACCESS_KEY_ID"] = "a"
    bench.environment["AWS_SECRET_ACCESS_KEY"] = "b"
    for host in ["127.0.0.1:1", "nowhere.invalid"] {
      let error = try bench.fails(
        1, "\(host) is not reached", "remote", "add", "far", "s3://bucket/x", "--endpoint", "http://\(host)",
        "--path-style", "--json")
      #expect(error.errors.contains(host == "nowhere.invalid" ? "resolve" : "connect"), "\(error.errors)")
    }
    try FileSystem.removeTree("\(bench.path)/remote")
    try bench.fails(3, "", "fetch")
  }
}
