import DSVSystem
import DSVTesting
import Foundation
import Glibc
import Testing

/// A process that holds a key leaves no core dump, whatever the system's limits allow.
@Suite struct CoreDumpTests {
  let bench: Bench

  init() throws {
    bench = try Bench(initialized: false)
    // What a crash prints of itself has no part in this.
    bench.environment["SWIFT_BACKTRACE"] = "enable=no"
    let rows = (0..<4000).map {
      #"{"id":\#($0),"t":"\#(String(repeating: "row \($0) ", count: 10))"}"# + "\n"
    }
    try bench.file("rows.jsonl", rows.joined())
    for (name, options) in ["plain": [], "hidden": ["--encrypt", "--key-file", "\(bench.path)/my.key"]] {
      #expect(try bench.run(["init", "\(bench.path)/\(name)"] + options).exitCode == 0)
      let key = options.isEmpty ? [] : ["--key-file", "\(bench.path)/my.key"]
      let outcome = try bench.run(
        ["-C", "\(bench.path)/\(name)", "commit", "\(bench.path)/rows.jsonl", "-m", "rows"] + key)
      #expect(outcome.exitCode == 0, "\(outcome.errors)")
    }
  }

  /// What was seen of a process.
  private struct Sight {
    let signal: Int32
    let hasDumped: Bool
    /// Whether it has memory that is left out of dumps, as far as we may know.
    let hidesMemory: Bool?
  }

  private func hidesMemory(_ child: Child) -> Bool? {
    // Nobody but root may look at who hides.
    guard let file = FileHandle(forReadingAtPath: "/proc/\(child.id)/smaps"),
      let maps = try? file.readToEnd(), !maps.isEmpty
    else { return nil }
    return String(decoding: maps, as: UTF8.self).split(separator: "\n").contains { line in
      // Writable: the kernel has pages of its own in each process.
      line.hasPrefix("VmFlags:") && line.contains(" wr ") && line.contains(" dd ")
    }
  }

  /// Ends a process by a signal that dumps, under no limit for dumps, once it waits for somebody to read what it writes.
  private func end(_ words: [String], by signal: Int32, environment: [String: String] = [:]) throws -> Sight {
    let ends = try makePipe()
    defer { close(ends.reading) }
    // A core lies where the process is.
    let script = "cd '\(bench.path)' && ulimit -c unlimited && exec \"$@\""
    let errors = try TemporaryOutput()
    let child = try Child(
      "/bin/sh", ["-c", script, "sh"] + words, environment: bench.environment.merging(environment) { $1 },
      input: -1, output: ends.writing, errors: errors.descriptor)
    close(ends.writing)
    var byte: UInt8 = 0
    let count = read(ends.reading, &byte, 1)
    try #require(count == 1, "\(words): \(String(decoding: errors.bytes, as: UTF8.self))")
    let hidesMemory = hidesMemory(child)
    kill(child.id, signal)
    let code = child.wait()
    return Sight(signal: code - 256, hasDumped: child.hasDumpedCore, hidesMemory: hidesMemory)
  }

  private func export(_ name: String, _ options: [String] = []) -> [String] {
    [Bench.executable, "export", "-C", "\(bench.path)/\(name)"] + options
  }

  @Test(
    "a process that holds a key leaves no core, and one that holds none does",
    arguments: [SIGABRT, SIGQUIT, SIGSEGV])
  func cores(signal: Int32) throws {
    // Whether there are cores on this machine at all.
    let shell = try end(["/bin/sh", "-c", "echo; exec sleep 100"], by: signal)
    let plain = try end(export("plain"), by: signal)
    #expect(shell.signal == signal && plain.signal == signal)
    #expect(plain.hasDumped == shell.hasDumped)
    let key = try bench.folder.read("my.key").trimmingCharacters(in: .newlines)
    let ways: [(options: [String], environment: [String: String])] = [
      (["--key-file", "\(bench.path)/my.key"], [:]),
      (["--key-command", "cat '\(bench.path)/my.key'"], [:]),
      ([], ["DSV_KEY": key]),
      ([], ["DSV_KEY_FILE": "\(bench.path)/my.key"]),
    ]
    for way in ways {
      let hidden = try end(export("hidden", way.options), by: signal, environment: way.environment)
      #expect(hidden.signal == signal && !hidden.hasDumped, "\(way.options)")
      // Where there are no cores this is what is left to see: pages of their own for keys, or a process that shows nothing.
      #expect(plain.hidesMemory == false && hidden.hidesMemory != false, "\(way.options)")
    }
    print("cores are \(shell.hasDumped ? "" : "not ")written on this machine")
  }
}
