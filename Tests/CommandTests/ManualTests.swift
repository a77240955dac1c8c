import DSVSystem
import DSVTesting
import Glibc
import Testing

/// What is the same for every command: help, completions, exit codes, colours.
@Suite struct ManualTests {
  static let commands = [
    "init", "commit", "status", "info", "log", "show", "checkout", "branch", "tag", "diff", "revert",
    "fingerprint",
    "export", "head", "count", "transform", "dropped", "why", "fsck", "gc", "compact",
    "remote", "clone", "push", "fetch", "pull", "tier",
  ]

  @Test("the help of every command has an example and names its options", arguments: commands)
  func help(command: String) throws {
    let bench = try Bench(initialized: false)
    let help = try bench.ok(command, "--help")
    #expect(help.contains("Example") && help.contains("dsv \(command)"))
    for option in ["--json", "-C", "--help"] { #expect(help.contains(option)) }
  }

  @Test("the help lists every command and the exit codes")
  func overview() throws {
    let bench = try Bench(initialized: false)
    let help = try bench.ok("--help")
    for command in Self.commands { #expect(help.contains("\n  \(command) ")) }
    #expect(help.contains("Exit codes: 0 done, 1 failed or unreachable, 2 usage"))
    let version = try bench.run("--version")
    #expect(version.exitCode == 0 && version.text.hasPrefix("dsv ") && version.text.hasSuffix("\n"))
  }

  @Test("completions are written for each shell", arguments: ["bash", "zsh", "fish"])
  func completions(shell: String) throws {
    let bench = try Bench(initialized: false)
    let script = try bench.ok("--generate-completion-script", shell)
    for command in Self.commands { #expect(script.contains(command)) }
  }

  @Test("wrong usage exits 2 and writes nothing to standard output")
  func usage() throws {
    let bench = try Bench()
    for arguments in [
      ["nosuch"], ["log", "--nosuch"], ["commit", "a.jsonl"], ["commit", "-m", "x"],
      ["transform", "-m", "x"],
      ["commit", "a", "-m", "x", "--append", "--upsert"], ["diff", "a", "b", "c"],
      ["commit", "-", "-", "-m", "x"],
      ["export", "--format", "xml"], ["log", "-n", "many"],
      ["commit", "x", "-m", "x", "--bad-rows", "maybe"],
      ["transform", "--recipe", "r", "--profile", "c4"],
    ] {
      let outcome = try bench.run(arguments)
      #expect(outcome.exitCode == 2, "\(arguments): \(outcome.errors)")
      #expect(
        outcome.output.isEmpty && outcome.errors.contains("Usage: dsv"), "\(arguments): \(outcome.errors)")
    }
  }

  @Test("what is not there exits 3")
  func notFound() throws {
    try Bench(initialized: false).fails(3, "dsv init", "log")
    let bench = try Bench()
    try bench.fails(3, "no version yet", "export")
    try bench.fails(3, "nosuch.jsonl", "commit", "\(bench.path)/nosuch.jsonl", "-m", "x")
    try bench.ok("commit", "-", "-m", "x", input: "{\"a\":1}\n")
    try bench.fails(3, "no table 'nosuch'", "export", "--table", "nosuch")
    try bench.fails(3, "no column 'nosuch'", "export", "--columns", "nosuch")
    try bench.fails(3, "no row at position 1", "why", "HEAD", "1")
    try bench.fails(3, "no column nosuch", "count", "--where", "nosuch = 1")
  }

  @Test("a second repository in a folder is a conflict")
  func conflict() throws { try Bench().fails(4, "", "init") }

  @Test("a damaged repository exits 5")
  func corrupt() throws {
    let bench = try Bench()
    try bench.ok(
      "commit", "-", "-m", "x", input: "{\"a\":\"" + String(repeating: "abcdef", count: 500) + "\"}\n")
    for name in try FileSystem.list("\(bench.path)/.dsv/packs") {
      var bytes = try FileSystem.read("\(bench.path)/.dsv/packs/\(name)", limit: 1 << 20)
      for index in bytes.indices where index > 40 { bytes[index] ^= 0x55 }
      let file = try #require(fopen("\(bench.path)/.dsv/packs/\(name)", "r+"))
      fwrite(bytes, 1, bytes.count, file)
      fclose(file)
    }
    try bench.fails(5, "", "export")
    let fsck = try bench.run("fsck", "--json")
    #expect(fsck.exitCode == 5)
    let document = try JSONDocument(fsck.output)
    #expect(try !document["ok"].bool && !document["problems"].array.isEmpty)
  }

  @Test("bad conditions, recipes, schemas and keys exit 7")
  func badInput() throws {
    let bench = try Bench()
    try bench.ok("commit", "-", "-m", "x", input: "{\"a\":1}\n")
    try bench.fails(7, "", "export", "--where", "a >")
    try bench.fails(7, "position", "why", "HEAD", "k")
    try bench.file("r.yaml", "stages: [nosuch]")
    try bench.fails(7, "no stage 'nosuch'", "transform", "--recipe", "\(bench.path)/r.yaml")
    try bench.file("r.yaml", ": : :")
    try bench.fails(7, "", "transform", "--recipe", "\(bench.path)/r.yaml")
    try bench.fails(7, "", "transform", "--filter", "nosuch")
    try bench.fails(7, "key column 'k'", "commit", "-", "-m", "x", "--key", "k", input: "{\"a\":1}\n")
    try bench.fails(7, "", "commit", bench.path, "-m", "x")
    #expect(try bench.log() == ["v1"])
  }

  @Test("an interrupt ends a commit with 130, and nothing has changed")
  func interrupt() throws {
    let bench = try Bench()
    try bench.ok("commit", "-", "-m", "x", input: "{\"a\":1}\n")
    let output = try TemporaryOutput()
    let ends = try makePipe()
    let child = try bench.start(
      ["commit", "-", "-m", "never"], input: ends.reading, output: output.descriptor,
      errors: output.descriptor)
    close(ends.reading)
    signal(SIGPIPE, SIG_IGN)
    let row = Array(String(repeating: "{\"a\":1}\n", count: 1000).utf8)
    for _ in 0..<50 { _ = write(ends.writing, row, row.count) }
    kill(child.id, SIGINT)
    while child.poll() == nil { if write(ends.writing, row, row.count) < 0 { break } }
    close(ends.writing)
    #expect(child.wait() == 130)
    #expect(String(decoding: output.bytes, as: UTF8.self).contains("interrupted; nothing is lost"))
    #expect(try bench.log() == ["v1"])
    #expect(try FileSystem.list("\(bench.path)/.dsv/tmp") == [])
    try bench.expectWhole()
  }

  @Test("a reader that goes away ends an export quietly")
  func brokenPipe() throws {
    let bench = try Bench()
    try bench.ok(
      "commit", "-", "-m", "x", input: String(repeating: "{\"a\":\"some text\"}\n", count: 100_000))
    for command in [["export"], ["head", "-n", "100000"], ["dropped"], ["log"]] {
      let errors = try TemporaryOutput()
      let ends = try makePipe()
      let child = try bench.start(command, output: ends.writing, errors: errors.descriptor)
      close(ends.writing)
      var bytes = [UInt8](repeating: 0, count: 100)
      _ = read(ends.reading, &bytes, 100)
      close(ends.reading)
      #expect(child.wait() == 0, "\(command)")
      #expect(!String(decoding: errors.bytes, as: UTF8.self).contains("ipe"))
    }
  }

  @Test("a file that is exported to appears only when it is complete")
  func output() throws {
    let bench = try Bench()
    try bench.ok("commit", "-", "-m", "x", input: "{\"a\":1}\n{\"a\":2}\n")
    try bench.file("out.jsonl", "before")
    try bench.fails(7, "", "export", "--where", "a ! 1", "-o", "\(bench.path)/out.jsonl")
    #expect(try bench.folder.read("out.jsonl") == "before")
    let full = try bench.run("export", "-o", "/dev/full")
    #expect(full.exitCode == 1)
    try bench.fails(3, "", "export", "-o", "\(bench.path)/nosuch/out.jsonl")
    try bench.fails(7, "folder", "export", "-o", bench.path)
    try bench.ok("export", "-o", "\(bench.path)/out.jsonl")
    #expect(try bench.folder.read("out.jsonl") == "{\"a\":1}\n{\"a\":2}\n")
    #expect(try FileSystem.list(bench.path) == [".dsv", "out.jsonl"])
    #expect(try bench.run("export", "-o", "-").text == "{\"a\":1}\n{\"a\":2}\n")
  }

  @Test(
    "on a terminal there are colours, unless NO_COLOR is set; in a file there are none; values are escaped")
  func colours() throws {
    let bench = try Bench()
    try bench.ok("commit", "-", "-m", "x", input: "{\"a\":\"\\u001b]0;t\\u0007\\u202e\"}\n")
    #expect(try !bench.ok("log").contains("\u{1b}"))
    func onTerminal(_ arguments: String...) throws -> String {
      var (main, side): (Int32, Int32) = (-1, -1)
      try #require(openpty(&main, &side, nil, nil, nil) == 0)
      defer { close(main) }
      let child = try bench.start(arguments, output: side, errors: side)
      var bytes: [UInt8] = []
      _ = child.wait()
      close(side)
      var buffer = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = read(main, &buffer, buffer.count)
        if count <= 0 { break }
        bytes += buffer[..<count]
      }
      return String(decoding: bytes, as: UTF8.self)
    }
    bench.environment["TERM"] = "xterm"
    #expect(try onTerminal("log").contains("\u{1b}[1m"))
    let row = try onTerminal("head")
    #expect(!row.contains("\u{1b}") && !row.contains("\u{202e}") && row.contains("\\u202e"))
    bench.environment["NO_COLOR"] = "1"
    #expect(try !onTerminal("log").contains("\u{1b}"))
    bench.environment["NO_COLOR"] = nil
    bench.environment["TERM"] = "dumb"
    #expect(try !onTerminal("log").contains("\u{1b}"))
  }
}
