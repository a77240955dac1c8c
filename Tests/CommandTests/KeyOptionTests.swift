import DSVSystem
import Foundation
import Glibc
import Testing

/// Where the key of an encrypted repository may come from, and what is said if it cannot.
@Suite struct KeyOptionTests {
  let bench: Bench
  /// A file with the key.
  let file: String
  let key: String

  init() throws {
    bench = try Bench(initialized: false)
    file = "\(bench.path)/my.key"
    try bench.ok("init", "--encrypt", "--key-file", file)
    key = String(try String(contentsOfFile: file, encoding: .utf8).dropLast())
    try bench.ok("commit", "-", "-m", "first", "--key-file", file, input: "{\"a\":1}\n")
  }

  /// Runs `dsv status` with these variables beside the usual ones.
  private func status(_ variables: [String: String], _ arguments: String...) throws -> Outcome {
    bench.environment.merge(variables) { $1 }
    defer { for name in variables.keys { bench.environment[name] = nil } }
    return try bench.run(["status"] + arguments)
  }

  private func write(_ name: String, _ text: String) throws -> String {
    let path = "\(bench.path)/\(name)"
    try FileSystem.replace(path, with: Array(text.utf8), isPrivate: true)
    return path
  }

  @Test("a key file that is made holds one line, for its owner alone, and is not made again")
  func made() throws {
    #expect(key.utf8.count == 44)
    #expect(try FileSystem.status(file)?.isPrivate == true)
    try bench.ok("init", "--encrypt", "--key-file", file, "\(bench.path)/other")
    #expect(try String(contentsOfFile: file, encoding: .utf8) == key + "\n")
    #expect(try bench.run("status", "--key-file", "\(bench.path)/none").exitCode == 3)
    #expect(try FileSystem.exists("\(bench.path)/none") == false)
  }

  @Test("a file, a command and the environment each give the key")
  func sources() throws {
    #expect(try status([:], "--key-file", file).exitCode == 0)
    #expect(try status([:], "--key-command", "cat '\(file)'").exitCode == 0)
    #expect(try status([:], "--key-command", "printf %s '\(key)'").exitCode == 0)
    #expect(try status(["DSV_KEY_FILE": file]).exitCode == 0)
    #expect(try status(["DSV_KEY": key]).exitCode == 0)
    // What an option says goes before the environment; what is empty is not there.
    #expect(try status(["DSV_KEY": "nonsense"], "--key-file", file).exitCode == 0)
    #expect(try status(["DSV_KEY": "", "DSV_KEY_FILE": file, "DSV_PASSPHRASE_FILE": ""]).exitCode == 0)
  }

  @Test("without a key, or with another one, nothing is said but that")
  func refused() throws {
    let without = try status([:])
    #expect(without.exitCode == 6 && without.errors.contains("DSV_KEY_FILE"))
    try bench.ok("init", "--encrypt", "--key-file", "\(bench.path)/other.key", "\(bench.path)/other")
    let other = try status([:], "--key-file", "\(bench.path)/other.key")
    #expect(other.exitCode == 6 && other.errors.contains("does not open it") && other.text.isEmpty)
    #expect(try status(["DSV_PASSPHRASE_FILE": file]).exitCode == 6)
  }

  @Test("what is no key is refused, and not repeated")
  func malformed() throws {
    let texts = [
      "", "\n", key + "\n\n", key + "\n" + key, " " + key, key + " ", key + "\r\n", String(key.dropLast()),
      key + "=",
      String(repeating: "A", count: 5000),
    ]
    for text in texts {
      let outcome = try status([:], "--key-file", try write("bad.key", text))
      #expect(outcome.exitCode == 7, "\(text.utf8.count) bytes: \(outcome.errors)")
      #expect(!outcome.errors.contains(key.prefix(20)))
    }
    for variable in [key + "\n\n", "x"] {
      let outcome = try status(["DSV_KEY": variable], "--json")
      #expect(outcome.exitCode == 7 && !outcome.errors.contains(key.prefix(20)))
    }
    for command in ["true", "echo x", "cat '\(file)'; exit 3", "cat '\(file)' '\(file)'"] {
      let outcome = try status([:], "--key-command", command)
      #expect(outcome.exitCode == 7 && !outcome.errors.contains(key.prefix(20)), "\(command)")
    }
  }

  @Test("of several sources none is chosen")
  func several() throws {
    #expect(try status([:], "--key-file", file, "--passphrase").exitCode == 2)
    #expect(try status([:], "--key-file", file, "--key-command", "true").exitCode == 2)
    let outcome = try status(["DSV_KEY": key, "DSV_KEY_FILE": file])
    #expect(outcome.exitCode == 7 && outcome.errors.contains("DSV_KEY and DSV_KEY_FILE"))
  }

  @Test("a key that others may read is used, with a warning")
  func exposed() throws {
    #expect(chmod(file, 0o640) == 0)
    let outcome = try status([:], "--key-file", file)
    #expect(outcome.exitCode == 0 && outcome.errors.contains("chmod 600"))
  }

  @Test("a plain repository asks for no key")
  func plain() throws {
    let plain = "\(bench.path)/plain"
    try bench.ok("init", plain)
    bench.environment["DSV_KEY_FILE"] = "\(bench.path)/none"
    #expect(try bench.run(["-C", plain, "status", "--key-command", "exit 1"]).exitCode == 0)
  }

  @Test("a running command has the key of its environment in no list of variables, and in no argument")
  func hidden() throws {
    bench.environment["DSV_KEY"] = key
    let (output, errors, ends) = (try TemporaryOutput(), try TemporaryOutput(), try makePipe())
    let child = try bench.start(
      ["commit", "-", "-m", "slow"], input: ends.reading, output: output.descriptor, errors: errors.descriptor
    )
    close(ends.reading)
    func holds(_ name: String) throws -> Bool {
      let bytes = try File("/proc/\(child.id)/\(name)", .read).readNext(upTo: 1 << 16)
      return String(decoding: bytes, as: UTF8.self).contains(key)
    }
    // It begins with the key in its environment, as it was started.
    for _ in 0..<3000 where try holds("environ") { usleep(10_000) }
    #expect(try !holds("environ") && !holds("cmdline"))
    #expect(child.poll() == nil)
    let row = Array("{\"a\":2}\n".utf8)
    #expect(Glibc.write(ends.writing, row, row.count) == row.count)
    close(ends.writing)
    #expect(child.wait() == 0)
  }
}

// MARK: - Passphrases

extension KeyOptionTests {
  /// Runs the command on a terminal of its own, on which these lines are typed when it asks. Needs `python3`.
  private func typing(_ lines: [String], _ arguments: [String]) throws -> (exitCode: Int32, shown: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    let script = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../fixtures/terminal/type.py").standardized.path
    process.arguments = ["python3", script] + lines + ["--", Bench.executable] + arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let shown = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: shown, as: UTF8.self))
  }

  @Test("a passphrase is typed twice where it is new and once where it opens, and is never shown")
  func typed() throws {
    let place = "\(bench.path)/typed"
    let made = try typing(["très long", "très long"], ["init", "--encrypt", "--passphrase", place])
    #expect(
      made.exitCode == 0 && made.shown.contains("Once more: ") && !made.shown.contains("long"),
      "\(made.shown)")
    #expect(try typing(["très long"], ["status", "-C", place, "--passphrase"]).exitCode == 0)
    #expect(try typing(["tres long"], ["status", "-C", place, "--passphrase"]).exitCode == 6)
    #expect(try typing([""], ["status", "-C", place, "--passphrase"]).exitCode == 7)
    // The script finds out whether the terminal shows what is typed again.
    #expect(try typing(["^C"], ["status", "-C", place, "--passphrase"]).exitCode == 130)
    let differing = try typing(["a", "b"], ["init", "--encrypt", "--passphrase", "\(bench.path)/differing"])
    #expect(differing.exitCode == 7 && differing.shown.contains("differ"))
    #expect(try !FileSystem.exists("\(bench.path)/differing/.dsv"))
    // In a script the file says it, with the option or without.
    let passphrase = try write("passphrase", "très long\n")
    bench.environment["DSV_PASSPHRASE_FILE"] = passphrase
    for arguments in [["--passphrase"], []] {
      #expect(try bench.run(["-C", place, "status"] + arguments).exitCode == 0)
    }
  }

  @Test("a passphrase file that is empty, or has two lines, is refused")
  func passphraseFile() throws {
    for text in ["", "\n", "a\nb", "a\n\n", "a\0b", String(repeating: "a", count: 2000)] {
      let path = try write("passphrase", text)
      #expect(try status(["DSV_PASSPHRASE_FILE": path]).exitCode == 7, "\(text.utf8.count) bytes")
    }
  }
}

// MARK: - Changing keys

extension KeyOptionTests {
  /// Runs `dsv key …` in the repository.
  private func change(_ arguments: String...) throws -> Outcome {
    try bench.run(["-C", bench.path, "key"] + arguments)
  }

  @Test("keys are added, exchanged and taken away by their options, and each opens what it should")
  func changes() throws {
    let paths = ["second", "third"].map { "\(bench.path)/\($0).key" }
    #expect(try change("add", "--key-file", file).exitCode == 2)
    #expect(try change("add", "--key-file", file, "--new-key-file", paths[0]).exitCode == 0)
    #expect(try change("add", "--key-file", file, "--new-key-file", paths[0]).exitCode == 0)
    let missing = try change("rotate", "--key-file", file, "--new-key-file", paths[1])
    #expect(missing.exitCode == 7 && missing.errors.contains("must be given"))
    let rotated = try change(
      "rotate", "--key-file", file, "--new-key-file", paths[1], "--keep-key-file", paths[0])
    #expect(rotated.exitCode == 0, "\(rotated.errors)")
    #expect(try status([:], "--key-file", file).exitCode == 6)
    for path in paths { #expect(try status([:], "--key-file", path).exitCode == 0) }
    let lines = try change("list", "--key-file", paths[0]).lines
    let other = try #require(lines.first { !$0.hasPrefix("*") }).split(separator: " ")[0]
    #expect(lines.count == 2)
    #expect(try change("revoke", String(other), "--key-file", paths[0]).exitCode == 0)
    #expect(try status([:], "--key-file", paths[1]).exitCode == 6)
    #expect(try bench.run("export", "--key-file", paths[0]).text == "{\"a\":1}\n")
  }
}
