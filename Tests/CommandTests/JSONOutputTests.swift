import DSVTesting
import Testing

/// Every document that `--json` writes.
@Suite struct JSONOutputTests {
  let bench: Bench

  init() throws {
    bench = try Bench()
    try bench.file("a.jsonl", #"{"id":1,"t":"a"}"# + "\n" + #"{"id":2,"t":"b"}"# + "\n")
    try bench.file("b.jsonl", #"{"id":2,"t":"B"}"# + "\n" + #"{"id":3,"t":"c","n":1}"# + "\n")
  }

  @Test("commit tells version, commit, root, rows, tables and new bytes")
  func commit() throws {
    let before = try bench.json("info")["bytes"].int
    let commit = try bench.json("commit", "\(bench.path)/a.jsonl", "-m", "one", "--key", "id")
    #expect(try commit.keys == ["version", "commit", "root", "rows", "tables", "new_bytes"])
    #expect(try commit["version"].text == "v1")
    for member in ["commit", "root"] {
      let id = try commit[member].text
      #expect(id.count == 64 && id.allSatisfy { "0123456789abcdef".contains($0) })
    }
    #expect(try commit["rows"].int == 2)
    #expect(try commit["tables"]["data"].int == 2)
    #expect(try bench.json("info")["bytes"].int - before == commit["new_bytes"].int)
    let second = try bench.json("commit", "\(bench.path)/b.jsonl", "-m", "two", "--table", "other")
    #expect(try second["rows"].int == 4)
    #expect(try second["tables"].object as? [String: Int] == ["data": 2, "other": 2])
  }

  @Test("a commit that changes nothing creates nothing and names the version that it equals")
  func unchanged() throws {
    let first = try bench.json("commit", "\(bench.path)/a.jsonl", "-m", "one")
    let again = try bench.json("commit", "\(bench.path)/a.jsonl", "-m", "again")
    for member in ["version", "commit", "root"] { #expect(try again[member].text == first[member].text) }
    #expect(try again["new_bytes"].int == 0)
    #expect(try bench.log() == ["v1"])
    #expect(
      try bench.ok("commit", "\(bench.path)/a.jsonl", "-m", "again").contains("nothing changed: it equals v1")
    )
  }

  @Test("log lists versions, newest first, with parents, author, time and message")
  func log() throws {
    #expect(try bench.json("log").array.isEmpty)
    let first = try bench.json("commit", "\(bench.path)/a.jsonl", "-m", "one")
    try bench.ok("commit", "\(bench.path)/b.jsonl", "-m", "two\nlines \u{1b}[31m", "--author", "Ä <ä@b>")
    let log = try bench.json("log").array
    #expect(try log.map { try $0["version"].text } == ["v2", "v1"])
    let members: Set = ["version", "commit", "root", "parents", "author", "time", "message", "rows"]
    for entry in log {
      #expect(try entry.keys.isSuperset(of: members))
      let time = try entry["time"].text
      #expect(time.hasSuffix("Z") && time.contains("T") && time.count >= 20)
    }
    #expect(try log[0]["parents"].array.map { try $0.text } == [first["commit"].text])
    #expect(try log[1]["parents"].array.isEmpty)
    #expect(try log[0]["message"].text == "two\nlines \u{1b}[31m")
    #expect(try log[0]["author"].text == "Ä <ä@b>" && log[1]["author"].text == "A Test <a@test>")
    #expect(try log[1]["root"].text == first["root"].text)
    #expect(try log[0]["rows"].int == 2)
    #expect(try bench.json("log", "-n", "1").array.count == 1)
    #expect(try bench.json("log", "v1").array.count == 1)
  }

  @Test("diff tells rows, cells, schema and tables")
  func diff() throws {
    try bench.ok("commit", "\(bench.path)/a.jsonl", "-m", "one", "--key", "id")
    try bench.ok("commit", "\(bench.path)/b.jsonl", "-m", "two", "--key", "id")
    let diff = try bench.json("diff", "v1", "v2")
    #expect(try diff.keys == ["added", "removed", "changed", "moved", "cells", "schema", "tables"])
    for counts in [diff, try diff["tables"]["data"]] {
      let found = try ["added", "removed", "changed", "moved", "cells"].map { try counts[$0].int }
      #expect(found == [1, 1, 1, 0, 1])
      let schema = try counts["schema"].array
      #expect(schema.count == 1)
      #expect(try schema[0].keys == ["op", "column", "from", "to"])
      #expect(try schema[0]["op"].text == "add" && schema[0]["column"].text == "n")
      #expect(try schema[0]["from"].isNull && schema[0]["to"].text == "int64")
    }
    let lines = try bench.ok("diff", "v1", "v2", "--cells", "--json").split(separator: "\n").map(String.init)
    let cells = try lines.map { try JSONDocument(Array($0.utf8)) }.filter { try $0.keys.contains("op") }
    #expect(try Set(cells.map { try $0["op"].text }) == ["add", "remove", "change"])
    let change = try #require(try cells.first { try $0["op"].text == "change" })
    #expect(try change["key"]["id"].int == 2 && change["column"].text == "t")
    #expect(try change["from"].text == "b" && change["to"].text == "B")
    #expect(try bench.json("diff", "v1", "v1")["tables"].object.isEmpty)
  }

  @Test("transform tells rows in, rows out, and what each rule dropped")
  func transform() throws {
    try bench.ok("commit", "\(bench.path)/a.jsonl", "-m", "one", "--key", "id")
    try bench.file("r.yaml", "stages:\n  - where: id > 1\n")
    let result = try bench.json("transform", "--recipe", "\(bench.path)/r.yaml", "-m", "less")
    #expect(
      try result.keys == [
        "version", "commit", "root", "rows", "tables", "new_bytes", "rows_in", "rows_out", "dropped",
      ])
    #expect(try result["rows_in"].int == 2 && result["rows_out"].int == 1 && result["rows"].int == 1)
    #expect(try result["dropped"]["where"].int == 1)
    let dropped = try bench.json("dropped")
    #expect(try !dropped["live"].bool && dropped["position"].int == 0 && dropped["key"]["id"].int == 1)
    #expect(try dropped["rule"].text == "where" && dropped["condition"].text == "id > 1")
    let why = try bench.json("why", "HEAD", "1")
    #expect(try why["rule"].text == "where")
    #expect(try bench.json("why", "HEAD", "2")["live"].bool)
    #expect(try bench.json("why", "v1", "1")["live"].bool)
    #expect(try bench.ok("export", "--dropped").split(separator: "\n").count == 2)
  }

  @Test("the quality filter counts by the profile's rules, and its signals are exported on demand")
  func quality() throws {
    try bench.file("q.jsonl", #"{"id":1,"text":"lorem ipsum {"}"# + "\n")
    try bench.ok("commit", "\(bench.path)/q.jsonl", "-m", "one")
    let result = try bench.json("transform", "--filter", "quality", "-m", "q")
    #expect(try result["rows_out"].int == 0 && result["rows_in"].int == 1)
    let rules = try result["dropped"].object as? [String: Int]
    #expect(rules?.values.reduce(0, +) == 1)
    #expect(try bench.json("dropped")["rule"].text == rules?.first?.key)
    #expect(try !bench.ok("export", "--dropped").contains("quality"))
    #expect(try bench.ok("export", "--dropped", "--signals").contains(#""quality":{"#))
    let again = try bench.json(
      "transform", "v1", "--filter", "quality", "--branch", "gopher", "--profile", "gopher")
    #expect(try again["version"].text == "v3")
  }

  @Test(
    "fsck, info, status, show, count, branch, tag, fingerprint, gc, init and checkout each write one document"
  )
  func others() throws {
    try bench.ok("commit", "\(bench.path)/a.jsonl", "-m", "one", "--key", "id")
    let fsck = try bench.json("fsck")
    #expect(try fsck.keys == ["ok", "objects", "remote_only", "unread", "problems"])
    #expect(try fsck["ok"].bool && fsck["problems"].array.isEmpty && fsck["objects"].int > 0)
    let info = try bench.json("info")
    #expect(try info.keys == ["rows", "bytes", "versions", "objects"])
    #expect(try info["rows"].int == 2 && info["versions"].int == 1)
    #expect(try bench.json("status")["branch"].text == "main")
    #expect(try bench.json("count")["rows"].int == 2)
    #expect(try bench.json("count", "--where", "id = 2")["rows"].int == 1)
    let show = try bench.json("show", "v1")
    let columns = try show["tables"]["data"]["columns"].array
    #expect(try columns.map { try $0["name"].text } == ["id", "t"])
    #expect(try columns.map { try $0["type"].text } == ["int64", "utf8"])
    try bench.ok("branch", "side", "--json")
    try bench.ok("tag", "paper", "--json")
    let branches = try bench.json("branch").array
    #expect(try branches.map { try $0["name"].text } == ["main", "side"])
    #expect(try branches.map { try $0["current"].bool } == [true, false])
    #expect(try bench.json("tag")[0]["version"].text == "v1")
    #expect(try bench.json("fingerprint")["fingerprint"].text.count == 64)
    #expect(try bench.json("gc").keys == ["deleted", "kept", "freed_bytes"])
    let checkout = try bench.json("checkout", "v1")
    #expect(try checkout["branch"].isNull && checkout["version"].text == "v1")
    let other = try Bench(initialized: false)
    #expect(try other.json("init")["path"].text.hasSuffix("/.dsv"))
    let export = try bench.json("export", "-o", "\(bench.path)/out.jsonl")
    #expect(try export["rows"].int == 2)
    #expect(try bench.folder.read("out.jsonl") == bench.folder.read("a.jsonl"))
  }

  @Test("compact writes one document, as commit does, and another with --archive")
  func compact() throws {
    try bench.ok("commit", "\(bench.path)/a.jsonl", "-m", "one", "--key", "id")
    let newer = try bench.folder.write("newer.jsonl", #"{"id":1,"t":"newer"}"# + "\n")
    try bench.ok("commit", newer, "--upsert", "-m", "again")
    let compacted = try bench.json("compact", "-m", "smaller")
    #expect(try compacted.keys == ["version", "commit", "root", "rows", "tables", "new_bytes"])
    #expect(try compacted["version"].text == "v3" && compacted["rows"].int == 2)
    #expect(try bench.json("compact")["version"].text == "v3")
    #expect(try bench.ok("compact").contains("nothing changed: it equals v3"))
    let archived = try bench.json("compact", "--archive", "v1", "v3")
    #expect(
      try archived.keys == ["chunks", "archived", "bytes_before", "bytes_after", "freed_bytes", "swept"])
    #expect(try archived["swept"].bool)
    #expect(try bench.run("compact", "--archive", "-m", "x").exitCode == 2)
    #expect(try bench.run("compact", "v1").exitCode == 7, "it is no branch's tip")
  }

  @Test("an error is told as JSON on standard error")
  func errors() throws {
    let outcome = try bench.run("log", "nosuch", "--json")
    #expect(outcome.exitCode == 3 && outcome.output.isEmpty)
    let error = try JSONDocument(Array(outcome.errors.utf8))["error"]
    #expect(try error["code"].text == "notFound" && error["message"].text.contains("nosuch"))
  }
}
