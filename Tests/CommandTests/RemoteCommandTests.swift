import DSVSystem
import DSVTesting
import Foundation
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
  private func clone(from place: String? = nil, _ options: String...) throws {
    let outcome = try other.run(["clone", place ?? url, "copy", "--json"] + options)
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    try FileSystem.rename("\(other.path)/copy/.dsv", to: "\(other.path)/.dsv")
  }

  @Test("every document that they write")
  func documents() throws {
    let added = try bench.json("remote", "add", "origin", url)
    #expect(try added.keys == ["name", "url", "endpoint", "region", "path_style", "read_only"])
    #expect(try bench.json("remote", "list").array.count == 1)
    let pushed = try bench.json("push")
    #expect(try pushed.keys == ["remote", "commits", "objects", "packs", "bytes", "keys", "refs"])
    #expect(try pushed["commits"].int == 1)
    #expect(try pushed["refs"].array[0]["state"].text == "pushed")
    #expect(try bench.json("push")["refs"].array[0]["state"].text == "upToDate")
    let cloned = try JSONDocument(try other.run("clone", url, "copy", "--json").output)
    #expect(try cloned.keys == ["path", "branch", "version", "commit", "fetch"])
    #expect(try cloned["version"].text == "v1")
    try FileSystem.rename("\(other.path)/copy/.dsv", to: "\(other.path)/.dsv")
    #expect(try other.json("fetch").keys == ["remote", "commits", "objects", "bytes", "refs"])
    let pulled = try other.json("pull")
    #expect(
      try pulled.keys == [
        "branch", "kind", "version", "commit", "old", "replayed", "replaced", "skipped", "fetch",
      ])
    #expect(try pulled["kind"].text == "upToDate")
    let collected = try bench.json("remote", "gc")
    #expect(
      try collected.keys == [
        "condemned_packs", "condemned_bytes", "rewritten_packs", "deleted_packs", "deleted_bytes",
      ])
    let checked = try bench.json("remote", "check")
    #expect(
      try checked.keys == [
        "ok", "remote", "packs", "objects", "bytes", "damaged", "missing", "lost", "withheld",
        "condemned_packs",
        "written_packs", "written_objects", "restored_indexes",
      ])
    #expect(try checked["packs"].int == 1 && checked["damaged"].array.isEmpty && checked["ok"].bool)
    #expect(try other.json("remote", "remove", "origin")["deleted"].text == "origin")
  }

  @Test("a remote's branches are listed, and who asks for one is told how to get it")
  func remoteBranches() throws {
    try bench.ok("remote", "add", "origin", url)
    try bench.ok("branch", "rel/1", "v1")
    try bench.ok("push", "--all")
    try clone()
    #expect(try other.json("branch").array.map { try $0["name"].text } == ["main"])
    let listed = try other.json("branch", "--remotes").array
    #expect(try listed.map { try $0["name"].text } == ["origin/main", "origin/rel/1"])
    #expect(try listed[1]["version"].text == "v1")
    let outcome = try other.run("checkout", "rel/1")
    #expect(outcome.exitCode == 3 && outcome.errors.contains("'dsv pull origin rel/1'"))
    try other.ok("pull", "origin", "rel/1")
    try other.ok("checkout", "rel/1")
    #expect(try other.run("branch", "--remotes", "x").exitCode == 2)
  }

  @Test("a damaged pack is named, and put anew from a whole copy; what nobody has ends 5")
  func damagedPack() throws {
    try bench.file("big.jsonl", (0..<5000).map { "{\"id\":\($0),\"t\":\"row \($0 &* 7919)\"}\n" }.joined())
    try bench.ok("commit", "\(bench.path)/big.jsonl", "-m", "big", "--key", "id")
    try bench.ok("remote", "add", "origin", url)
    try bench.ok("push")
    #expect(try bench.ok("remote", "check").contains("all is well: 1 packs"))
    try clone(from: nil, "--lazy")
    let folder = "\(bench.path)/remote/packs"
    let pack = try #require(try FileSystem.list(folder).first { $0.hasSuffix(".pack") })
    try FileSystem.remove("\(folder)/\(pack)")
    for side in [bench, other] {
      let outcome = try side.run("remote", "check", "origin")
      #expect(outcome.exitCode == 5 && outcome.text.contains("packs/\(pack): it is gone"))
    }
    // A lazy clone has not all of it.
    let poor = try other.run("remote", "check", "--repair", "--json")
    #expect(poor.exitCode == 5)
    let document = try JSONDocument(poor.output)
    #expect(try !document["ok"].bool && !document["lost"].array.isEmpty)
    #expect(try document["damaged"].array[0]["pack"].text == "packs/\(pack)")
    try bench.fails(5, "dsv remote check origin", "remote", "gc")
    #expect(try bench.ok("remote", "check", "--repair").contains("1 written anew"))
    #expect(try bench.ok("remote", "check").contains("all is well"))
    try other.ok("fetch")
    #expect(try other.ok("count", "--where", "length(t) > 0") == "5000\n")
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
    #expect(try other.ok("pull", "--rebase").contains("1 version made again"))
    #expect(try other.ok("push").contains("1 version, "))
    #expect(try bench.ok("pull").contains("main → v3"))
    #expect(try bench.ok("count", "origin/v3") == "22\n")
    #expect(try bench.ok("count", "origin/main") == "22\n")
    #expect(try bench.ok("diff", "v2", "origin/main", "--stat").contains("1"))
    #expect(try bench.ok("log").contains("origin/main"))
    try bench.ok("tag", "paper", "v1")
    #expect(try bench.ok("push", "origin", "paper").contains("origin/paper begins at v1"))
    #expect(try bench.ok("push", "origin", "paper", "--delete").contains("origin/paper is gone"))
    try bench.fails(3, "has no branch or tag 'paper'; there are: main", "push", "origin", "paper", "--delete")
    try bench.fails(3, "has no branch or tag 'nope'", "push", "origin", "main", "nope", "--delete")
    // A tag of the remote alone is one, and not a branch that is not there.
    try bench.ok("push", "origin", "paper")
    try bench.ok("tag", "paper", "--delete")
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
    try other.fails(3, "no column 'nope'; there are: id, t", "clone", url, copy, "--columns", "t,nope")
    try other.fails(3, "no table 'nope'; there are: data", "clone", url, copy, "--table", "nope")
    try other.fails(3, "no branch 'nope'; there are: main", "clone", url, copy, "--branch", "nope")
    #expect(try FileSystem.list(other.path) == ["c.jsonl"])
    // A folder that was there stays.
    try FileSystem.makeFolder(copy)
    try other.fails(3, "'nope'", "clone", url, copy, "--columns", "nope")
    #expect(try FileSystem.list(copy) == [])
    try other.ok("clone", url, copy, "--columns", "t")
    try bench.ok("push", "origin", "main", "--delete")
    try other.fails(3, "no branch to begin on", "clone", url, "none")
    #expect(try FileSystem.list(other.path) == ["c.jsonl", "copy"])
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
    // It is no empty repository, to which one may commit.
    let begun = try log()
    #expect(begun.exitCode == 4 && begun.errors.contains("the same 'dsv clone' goes on with it"))
    let commit = ["commit", "\(other.path)/c.jsonl", "--append", "-m", "mine"]
    #expect(try other.run(["-C", "\(other.path)/copy"] + commit).exitCode == 4)
    try other.ok("clone", url, "copy")
    let whole = try log()
    #expect(whole.exitCode == 0 && whole.errors.isEmpty, "\(whole.errors)")
    // Killed in its last moment, and worked with all the same: nothing of that is lost, whatever has become of the remote.
    func count() throws -> String { try other.run(["-C", "\(other.path)/copy", "count"]).text }
    try FileSystem.replace("\(other.path)/copy/.dsv.cloning", with: Array("url \(url)\n".utf8))
    #expect(try other.run(["-C", "\(other.path)/copy"] + commit).exitCode == 0)
    try bench.ok("push", "origin", "main", "--delete")
    try other.fails(3, "no branch to begin on", "clone", url, "copy")
    #expect(try count() == "21\n")
    try bench.ok("push")
    try other.ok("clone", url, "copy")
    #expect(try count() == "21\n" && log().errors.isEmpty)
  }

  @Test("a clone that was begun of another place is told, and nothing is made beside it")
  func otherCloneBegun() throws {
    try bench.ok("remote", "add", "origin", url)
    try bench.ok("push")
    let copy = "\(other.path)/copy"
    try FileSystem.makeFolder(copy)
    try FileSystem.replace("\(copy)/.dsv.cloning", with: Array("url s3://other/place\n".utf8))
    let refused = try other.fails(4, "another clone, of s3://other/place, was begun", "clone", url, copy)
    #expect(refused.errors.contains("delete \(copy)/.dsv.cloning to begin this one"), "\(refused.errors)")
    #expect(try FileSystem.list(copy) == [".dsv.cloning"])
    try other.fails(
      4, "a clone of s3://other/place was begun here", "encrypt", bench.path, copy, "--key-file",
      "\(other.path)/new.key")
    #expect(try FileSystem.list(copy) == [".dsv.cloning"])
    try FileSystem.replace("\(copy)/.dsv.cloning", with: Array("url \(url)\n".utf8))
    try other.fails(4, "was begun there with other options", "clone", url, copy, "--lazy")
    #expect(try FileSystem.list(copy) == [".dsv.cloning"])
    try other.ok("clone", url, copy)
  }

  @Test("a version that the remote has already is left out of a rebase, and that is told")
  func leftOut() throws {
    try bench.ok("remote", "add", "origin", url)
    try bench.ok("push")
    try clone()
    try bench.ok("commit", "\(bench.path)/b.jsonl", "--append", "-m", "second")
    try bench.ok("push")
    try other.ok("commit", "\(bench.path)/b.jsonl", "--append", "-m", "second")
    let pulled = try other.run("pull", "--rebase")
    #expect(pulled.exitCode == 0 && pulled.text.contains("0 versions made again"), "\(pulled.text)")
    #expect(
      pulled.errors.contains("v2 was not made again: origin/main has all that it changed already"),
      "\(pulled.errors)")
    try bench.ok("commit", "\(bench.path)/b.jsonl", "--upsert", "-m", "nothing")
    try bench.file("d.jsonl", "{\"id\":300,\"t\":\"d\"}\n")
    for each in [bench, other] { try each.ok("commit", "\(bench.path)/d.jsonl", "--append", "-m", "third") }
    try bench.ok("push")
    let document = try other.json("pull", "--rebase")
    #expect(try document["skipped"].array.map { try $0.text } == ["v4"] && document["replayed"].int == 0)
  }

  @Test("what cannot be made again is kept under another name, in the way that the help tells")
  func begunAnew() throws {
    try bench.ok("remote", "add", "origin", url)
    try bench.ok("push")
    try clone()
    try bench.ok("commit", "\(bench.path)/b.jsonl", "--append", "-m", "theirs")
    try bench.ok("push")
    try other.ok("commit", "\(other.path)/c.jsonl", "-m", "replaced")
    try other.fails(4, "'dsv pull --help' says how to keep yours", "pull", "--rebase")
    let help = try other.ok("pull", "--help").split { $0.isWhitespace }.joined(separator: " ")
    let way = try #require(help.firstMatch(of: #/: ((?:'dsv [^']+',? ?)+)\./#)).output.1
    let commands = way.split(separator: "'").map(String.init).filter { $0.hasPrefix("dsv ") }
    #expect(commands.count == 5)
    for command in commands {
      let outcome = try other.run(command.split(separator: " ").dropFirst().map(String.init))
      #expect(outcome.exitCode == 0, "\(command): \(outcome.errors)")
    }
    #expect(try other.ok("count") == "21\n" && other.ok("count", "mine") == "1\n")
    try other.ok("commit", "\(other.path)/c.jsonl", "--append", "-m", "again")
    try other.ok("push")
  }

  @Test("where both have changed a row, the upsert that is made again wins, and that is told")
  func lastOneWins() throws {
    try bench.ok("remote", "add", "origin", url)
    try bench.ok("push")
    try clone()
    func upsert(_ bench: Bench, _ text: String, _ ids: ClosedRange<Int>) throws {
      try bench.file("u.jsonl", ids.map { "{\"id\":\($0),\"t\":\"\(text)\"}\n" }.joined())
      try bench.ok("commit", "\(bench.path)/u.jsonl", "--upsert", "-m", text)
    }
    try upsert(bench, "theirs", 1...5)
    try bench.ok("push")
    // Two that the other side has changed, one that only these two have, one that is new.
    try upsert(other, "mine", 4...6)
    try upsert(other, "mine again", 6...6)
    try upsert(other, "new", 300...300)
    let pulled = try other.run("pull", "--rebase")
    #expect(
      pulled.exitCode == 0 && pulled.errors.contains("2 rows that the remote had changed too"),
      "\(pulled.errors)")
    #expect(try other.ok("export", "--where", "t = 'mine'").split(separator: "\n").count == 2)
    #expect(try other.ok("export", "--where", "t = 'theirs'").split(separator: "\n").count == 3)
    try upsert(bench, "later", 10...10)
    try bench.ok("pull", "--rebase")
    try bench.ok("push")
    try upsert(other, "apart", 11...11)
    #expect(try other.json("pull", "--rebase")["replaced"].int == 0)
  }

  @Test("a remote that was moved is found again, and another one is not taken for it")
  func setURL() throws {
    try bench.ok("remote", "add", "origin", url)
    // Nothing is known of it yet: any place will do.
    #expect(
      try bench.json("remote", "set-url", "origin", "file://\(bench.path)/first")["name"].text == "origin")
    try bench.ok("push")
    try clone(from: "file://\(bench.path)/first", "--lazy")
    let moved = "file://\(bench.path)/moved"
    let refused = try bench.fails(4, "holds no dsv repository", "remote", "set-url", "origin", moved)
    #expect(refused.errors.contains("copy the remote there first"))
    #expect(refused.errors.contains("there is no such folder"))
    // Another repository's, and an older copy of this one's.
    let third = try Bench()
    try third.ok("commit", "\(bench.path)/b.jsonl", "-m", "other")
    try third.ok("remote", "add", "origin", "file://\(bench.path)/third")
    try third.ok("push")
    try bench.fails(
      4, "does not hold what was read", "remote", "set-url", "origin", "file://\(bench.path)/third")
    #expect(!FileManager.default.fileExists(atPath: "\(bench.path)/moved"))
    try FileManager.default.copyItem(atPath: "\(bench.path)/first", toPath: "\(bench.path)/old")
    try bench.ok("commit", "\(bench.path)/b.jsonl", "--append", "-m", "second")
    try bench.ok("push")
    try bench.fails(
      4, "does not hold what was read", "remote", "set-url", "origin", "file://\(bench.path)/old")
    #expect(try bench.ok("remote").contains("first"))
    try FileSystem.rename("\(bench.path)/first", to: "\(bench.path)/moved")
    for each in [bench, other] {
      #expect(try each.ok("remote", "set-url", "origin", moved).contains("origin is at \(moved)"))
      try each.ok("fetch")
      #expect(try each.ok("count", "origin/main") == "21\n")
    }
    #expect(try other.ok("export", "v1").split(separator: "\n").count == 20)
    try bench.fails(3, "no remote 'x'", "remote", "set-url", "x", moved)
    try bench.fails(7, "s3://BUCKET/PREFIX", "remote", "set-url", "origin", "ftp://x/y")
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
