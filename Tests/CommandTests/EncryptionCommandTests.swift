import DSVSystem
import DSVTesting
import Foundation
import Testing

/// Encrypted repositories by the command: keys come from files and the environment, and a wrong one exits 6.
@Suite struct EncryptionCommandTests {
  let bench: Bench

  init() throws {
    bench = try Bench(initialized: false)
    try bench.ok("init", "--encrypt", "--key-file", "\(bench.path)/my.key")
    try bench.file("a.jsonl", #"{"id":1,"t":"secret word"}"# + "\n")
  }

  private func withKey(_ name: String) { bench.environment["DSV_KEY_FILE"] = "\(bench.path)/\(name)" }

  private func key(_ arguments: String...) -> Outcome {
    (try? bench.run(["-C", bench.path, "key"] + arguments)) ?? Outcome(exitCode: -1)
  }

  @Test("without the key, or with another one, a command exits 6 and says what to do")
  func wrongKey() throws {
    let none = try bench.run(["log"])
    #expect(none.exitCode == 6 && none.errors.contains("DSV_KEY_FILE"))
    let other = try bench.run(["init", "other", "--encrypt", "--key-file", "\(bench.path)/other.key"])
    #expect(other.exitCode == 0)
    let wrong = try bench.run(["log", "--json", "--key-file", "\(bench.path)/other.key"])
    #expect(wrong.exitCode == 6 && wrong.errors.contains(#""code":"wrongKey""#))
    #expect(try bench.run(["log", "--key-file", "\(bench.path)/my.key"]).exitCode == 0)
    let mode = try FileManager.default.attributesOfItem(atPath: "\(bench.path)/my.key")[.posixPermissions]
    #expect(mode as? Int == 0o600)
  }

  @Test("commit, export and fsck work with the key from the environment, a file or a command")
  func sources() throws {
    withKey("my.key")
    try bench.ok("commit", "\(bench.path)/a.jsonl", "-m", "one")
    #expect(try bench.ok("export") == #"{"id":1,"t":"secret word"}"# + "\n")
    bench.environment["DSV_KEY_FILE"] = nil
    try bench.ok("fsck", "--key-file", "\(bench.path)/my.key")
    try bench.ok("fsck", "--key-command", "cat '\(bench.path)/my.key'")
    bench.environment["DSV_KEY"] = try bench.folder.read("my.key").trimmingCharacters(in: .newlines)
    try bench.ok("fsck")
    #expect(try bench.run(["fsck", "--key-file", "\(bench.path)/nowhere"]).exitCode == 3)
  }

  @Test("rows that come by a pipe are read twice, and lie nowhere in clear meanwhile")
  func pipe() throws {
    withKey("my.key")
    let lines = (0..<4000).map { #"{"id":\#($0),"t":"needle \#($0)"}"# + "\n" }.joined()
    // A value of another type at the end: the rows have to be read again.
    let input = lines + #"{"id":"x","t":"last"}"# + "\n"
    let outcome = try bench.run(["commit", "-", "-m", "piped"], input: input)
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    #expect(try bench.ok("count") == "4001\n")
    #expect(try bench.ok("export") == input)
  }

  @Test("keys are listed, added, exchanged, taken away and exported")
  func keys() throws {
    withKey("my.key")
    try bench.ok("commit", "\(bench.path)/a.jsonl", "-m", "one")
    let own = try #require(key("list").lines.first?.split(separator: " ").last.map(String.init))
    #expect(own.count == 16)
    let added = key("add", "--new-key-file", "\(bench.path)/second.key", "--json")
    #expect(added.exitCode == 0 && added.text.contains(#""key":""#), "\(added.errors)")
    #expect(key("list").lines.count == 2)
    // The other key's copy of the secret is made anew, and so it has to be there.
    let missing = key("rotate", "--new-key-file", "\(bench.path)/third.key")
    #expect(missing.exitCode == 7)
    let rotated = key(
      "rotate", "--new-key-file", "\(bench.path)/third.key", "--keep-key-file", "\(bench.path)/second.key")
    #expect(rotated.exitCode == 0, "\(rotated.errors)")
    #expect(try bench.run(["log"]).exitCode == 6)
    withKey("third.key")
    try bench.ok("log")
    let second = try #require(added.text.split(separator: "\"").first { $0.count == 16 }.map(String.init))
    #expect(key("revoke", second, "--reencrypt").exitCode == 0)
    #expect(try bench.run(["log", "--key-file", "\(bench.path)/second.key"]).exitCode == 6)
    try bench.ok("fsck")
    let last = try #require(key("list").lines.first?.split(separator: " ").last.map(String.init))
    #expect(key("revoke", last).exitCode == 7)
    #expect(key("revoke", "0123456789abcdef").exitCode == 3)
    #expect(key("export", last, "-o", "\(bench.path)/copy.key").exitCode == 0)
    #expect(try bench.folder.read("copy.key") == bench.folder.read("third.key"))
    #expect(key("export", own, "-o", "\(bench.path)/none.key").exitCode == 7)
    #expect(key("reencrypt").exitCode == 0)
    try bench.ok("fsck")
  }

  @Test("Python's Fernet opens an object's token, and a plain repository refuses to have one")
  func fernet() throws {
    withKey("my.key")
    try bench.ok("commit", "\(bench.path)/a.jsonl", "-m", "one")
    let lines = try bench.ok("object", "v1", "--fernet").split(separator: "\n").map(String.init)
    #expect(lines.count == 2)
    let program = """
      import sys
      from cryptography.fernet import Fernet
      sys.stdout.buffer.write(Fernet(sys.argv[1]).decrypt(sys.argv[2]))
      """
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", program] + lines
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let stored = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    let plain = try bench.run(["object", "v1"]).output
    #expect(stored.first == 0 && Array(stored.dropFirst()) == plain && !plain.isEmpty)
    try bench.ok("init", "plain")
    let refused = try bench.run([
      "-C", "\(bench.path)/plain", "object", String(repeating: "0", count: 64), "--fernet",
    ])
    #expect(refused.exitCode == 7 && refused.errors.contains("not encrypted"))
  }

  @Test("a repository is copied to an encrypted one, with a map of commits")
  func encrypt() throws {
    try bench.ok("init", "plain")
    let plain = "\(bench.path)/plain"
    for number in 1...3 {
      try bench.file("rows.jsonl", #"{"n":\#(number)}"# + "\n")
      let outcome = try bench.run([
        "-C", plain, "commit", "\(bench.path)/rows.jsonl", "-m", "\(number)", "--append",
      ])
      #expect(outcome.exitCode == 0)
    }
    let copy = "\(bench.path)/copy"
    let outcome = try bench.run([
      "encrypt", plain, copy, "--key-file", "\(bench.path)/copy.key", "--map", "\(bench.path)/map",
    ])
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    let map = try bench.folder.read("map").split(separator: "\n")
    #expect(map.count == 3 && map[0].hasPrefix("v1\t") && map[0].count == 2 + 2 + 128)
    let rows = try bench.run(["-C", copy, "export", "v2", "--key-file", "\(bench.path)/copy.key"])
    #expect(rows.text == #"{"n":1}"# + "\n" + #"{"n":2}"# + "\n")
    // Who forgot the map, or has lost it, has it by asking again.
    let again = try bench.run([
      "encrypt", plain, copy, "--key-file", "\(bench.path)/copy.key", "--map", "\(bench.path)/again",
    ])
    #expect(again.exitCode == 0 && again.text.contains("already"), "\(again.errors)")
    #expect(try bench.folder.read("again") == bench.folder.read("map"))
  }

  @Test("a map that cannot be written is told before anything is done, and no key file is left behind")
  func mapRefused() throws {
    let plain = "\(bench.path)/plain"
    try bench.ok("init", "plain")
    for (map, code) in [("\(bench.path)/nowhere/map", 3), (plain, 7)] as [(String, Int32)] {
      let outcome = try bench.run([
        "encrypt", plain, "\(bench.path)/copy", "--key-file", "\(bench.path)/copy.key", "--map", map,
      ])
      #expect(outcome.exitCode == code && outcome.errors.contains(map), "\(outcome.errors)")
    }
    #expect(try !FileSystem.exists("\(bench.path)/copy") && !FileSystem.exists("\(bench.path)/copy.key"))
  }

  @Test("a push that only brings keys says so, and a clone may be told of a key twice")
  func pushedKeys() throws {
    withKey("my.key")
    let url = "file://\(bench.path)/remote"
    try bench.ok("commit", "\(bench.path)/a.jsonl", "-m", "one")
    try bench.ok("remote", "add", "origin", url)
    #expect(try !bench.ok("push").contains("keys"))
    try bench.ok("clone", url, "\(bench.path)/copy")
    #expect(key("rotate", "--new-key-file", "\(bench.path)/new.key").exitCode == 0)
    withKey("new.key")
    let pushed = try bench.ok("push")
    #expect(pushed.contains("origin has the keys of this repository as they are now"), "\(pushed)")
    #expect(try bench.json("push")["keys"].bool == false)
    // What README says of other clones, for one that is at the new key already, too.
    for words in ["added key", "already"] {
      let added = try bench.run([
        "-C", "\(bench.path)/copy", "key", "add", "--new-key-file", "\(bench.path)/new.key", "--key-file",
        "\(bench.path)/my.key",
      ])
      #expect(added.exitCode == 0 && added.text.contains(words), "\(added.errors)")
    }
    #expect(try bench.run(["-C", "\(bench.path)/copy", "pull"]).exitCode == 0)
  }

  @Test("what is refused makes no key file, and leaves one that was there")
  func refusedKeys() throws {
    withKey("my.key")
    let new = "\(bench.path)/new.key"
    #expect(try bench.run(["init", "--encrypt", "--key-file", new]).exitCode == 4)
    #expect(key("add", "--new-key-file", "\(bench.path)/second.key").exitCode == 0)
    let rotated = key("rotate", "--new-key-file", new)
    #expect(rotated.exitCode == 7 && !rotated.errors.contains("made a key"), "\(rotated.errors)")
    #expect(try bench.run(["encrypt", bench.path, bench.path, "--key-file", new]).exitCode == 6)
    #expect(
      try bench.run(["init", "other", "--encrypt", "--key-file", "\(bench.path)/no/new.key"]).exitCode == 3)
    #expect(try !FileSystem.exists(new) && !FileSystem.exists("\(bench.path)/other/.dsv"))
    let second = try bench.folder.read("second.key")
    // It opens the repository already: that is what was asked for.
    let known = key("add", "--new-key-file", "\(bench.path)/second.key")
    #expect(known.exitCode == 0 && known.text.contains("already") && known.errors.isEmpty, "\(known.errors)")
    let document = key("add", "--new-key-file", "\(bench.path)/second.key", "--json").text
    #expect(document.contains(#""added":false"#))
    #expect(key("list").lines.count == 2)
    #expect(try bench.folder.read("second.key") == second)
  }
}
