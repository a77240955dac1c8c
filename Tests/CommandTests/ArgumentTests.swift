import DSVTesting
import Testing

/// What users type, and what they are told when it cannot be meant.
@Suite struct ArgumentTests {
  let bench: Bench

  init() throws {
    bench = try Bench()
    try bench.ok(
      "commit", "-", "-m", "first", "--key", "id",
      input: "{\"id\":1,\"a,b\":\"x\"}\n{\"id\":2,\"a,b\":\"y\"}\n")
  }

  @Test("a list of columns takes quoted names, and each name once")
  func columns() throws {
    #expect(
      try bench.ok("export", "--columns", "\"a,b\",id")
        == "{\"a,b\":\"x\",\"id\":1}\n{\"a,b\":\"y\",\"id\":2}\n")
    for list in ["", "id,", ",id", "id,id", "\"id", "\"id\"x"] {
      let outcome = try bench.run("export", "--columns", list)
      #expect(outcome.exitCode == 2 && outcome.output.isEmpty, "\(list): \(outcome.errors)")
    }
  }

  @Test("an export is CSV where the file's ending says so")
  func exportFormat() throws {
    let path = "\(bench.path)/rows.csv"
    try bench.ok("export", "-o", path)
    #expect(try bench.folder.read("rows.csv") == "id,\"a,b\"\n1,x\n2,y\n")
    try bench.ok("export", "-o", path, "--format", "jsonl")
    #expect(try bench.folder.read("rows.csv").first == "{")
    try bench.fails(3, "there is no folder", "export", "-o", "\(bench.path)/none/rows.csv")
  }

  @Test("a file in another format is named as what it is")
  func otherFormats() throws {
    let files: [(String, [UInt8], String)] = [
      ("a.jsonl.gz", [0x1f, 0x8b, 8, 0], "gzip"), ("a.zst", [0x28, 0xb5, 0x2f, 0xfd], "zstd"),
      ("a.parquet", Array("PAR1....".utf8), "Parquet"), ("a.tsv", Array("a\tb\n".utf8), "tabs"),
      ("a.json", Array("[{\"id\":3}]\n".utf8), "array"),
      ("b.json", Array("[\n{\"id\":3}\n]\n".utf8), "array"),
    ]
    for (name, bytes, words) in files {
      try bench.fails(7, words, "commit", try bench.folder.write(name, bytes), "-m", "x")
    }
    #expect(try bench.log() == ["v1"])
  }

  @Test("what cannot be meant is refused: an empty message, a rule that no stage has")
  func refused() throws {
    #expect(try bench.run("commit", "-", "-m", " ", input: "{}\n").exitCode == 2)
    try bench.fails(3, "no stage has run", "dropped", "--rule", "nosuch")
    let usage = try bench.run("commit", "--json")
    #expect(
      usage.exitCode == 2 && usage.errors.hasPrefix("{\"error\":{\"code\":\"usage\""), "\(usage.errors)")
  }

  @Test("a transform that changes nothing still makes the branch it was told")
  func transformToBranch() throws {
    let recipe = try bench.folder.write("all.yaml", Array("stages:\n  - where: id > 0\n".utf8))
    try bench.ok("transform", "--recipe", recipe, "--branch", "all", "-m", "all")
    #expect(try bench.ok("branch").contains("all v1"))
    let deleted = try bench.run("branch", "--delete", "all")
    #expect(deleted.exitCode == 0 && deleted.errors.contains("gc"))
  }
}
