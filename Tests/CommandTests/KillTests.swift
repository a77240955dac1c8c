import DSV
import DSVFormat
import DSVSystem
import DSVTesting
import Dispatch
import Glibc
import Synchronization
import Testing

/// Processes that are killed, that race, or that find the disk full.
@Suite struct KillTests {
  private static func rows(_ first: Int, _ count: Int) -> String {
    (first..<first + count).map { #"{"k":\#($0),"t":"row \#($0 &* 2_654_435_761 % 4_294_967_296)"}"# + "\n" }
      .joined()
  }

  @Test("killed at any moment, what was acknowledged is there and all is whole", arguments: UInt64(0)..<4)
  func kill(seed: UInt64) throws {
    let bench = try Bench()
    var generator = SeededGenerator(seed: seed)
    let output = try TemporaryOutput()
    try bench.file("first.jsonl", Self.rows(0, 500))
    try bench.ok("commit", "\(bench.path)/first.jsonl", "-m", "first", "--key", "k")
    var count = 500
    for step in 0..<25 {
      var arguments = ["gc", "--keep-days", "0"]
      var after = count
      switch step % 5 {
      case 0, 1, 2:
        try bench.file("more.jsonl", Self.rows(1000 * (step + 1), 200))
        arguments = ["commit", "\(bench.path)/more.jsonl", "--append", "-m", "append \(step)"]
        after = count + 200
      case 3:
        try bench.file("recipe.yaml", "stages:\n  - where: k <> \(step * 3)\n")
        arguments = ["transform", "--recipe", "\(bench.path)/recipe.yaml", "-m", "transform \(step)"]
        after = count - 1
      default: break
      }
      let child = try bench.start(arguments, output: output.descriptor, errors: output.descriptor)
      usleep(UInt32(generator.below(60_000)))
      Glibc.kill(child.id, SIGKILL)
      let code = child.wait()
      try #require(code == 0 || code == 256 + SIGKILL, "\(String(decoding: output.bytes, as: UTF8.self))")
      let repository = try Repository.open(at: bench.path)
      let found = try repository.info().rowCount
      let wanted = code == 0 ? [after] : [count, after]
      #expect(wanted.contains(found), "seed \(seed), step \(step): \(found) rows, not \(wanted)")
      #expect(try repository.check().problems == [], "seed \(seed), step \(step)")
      count = found
    }
    #expect(try bench.ok("export").split(separator: "\n").count == count)
    try bench.ok("gc", "--keep-days", "0")
    try bench.expectWhole()
    #expect(try FileSystem.list("\(bench.path)/.dsv/tmp") == [])
  }

  @Test("processes that append at once lose nothing", arguments: [2, 4])
  func race(processCount: Int) throws {
    let bench = try Bench()
    try bench.ok("commit", "-", "-m", "first", "--key", "k", input: Self.rows(0, 10))
    let failures = Mutex<[String]>([])
    nonisolated(unsafe) let shared = bench
    DispatchQueue.concurrentPerform(iterations: processCount) { process in
      for step in 1...6 {
        let rows = Self.rows(process * 10_000 + step * 100, 50)
        let mode = step % 2 == 0 ? "--append" : "--upsert"
        while true {
          guard let outcome = try? shared.run("commit", "-", mode, "-m", "\(process) \(step)", input: rows)
          else {
            return failures.withLock { $0.append("no outcome") }
          }
          // Busy: to be tried again.
          if outcome.exitCode == 6 { continue }
          if outcome.exitCode != 0 { failures.withLock { $0.append(outcome.errors) } }
          break
        }
      }
    }
    #expect(failures.withLock { $0 } == [])
    let count = 10 + processCount * 6 * 50
    #expect(try bench.json("count")["rows"].int == count)
    #expect(try Set(bench.ok("export").split(separator: "\n")).count == count)
    #expect(try bench.log().count == 1 + processCount * 6)
    try bench.expectWhole()
  }

  @Test("where no file may grow further a commit is refused, and the old version is whole")
  func fileLimit() throws {
    let bench = try Bench()
    try bench.ok("commit", "-", "-m", "first", input: Self.rows(0, 10))
    try bench.file("large.jsonl", Self.rows(0, 60_000))
    let output = try TemporaryOutput()
    let command =
      "ulimit -f 400; exec '\(Bench.executable)' commit -C '\(bench.path)' '\(bench.path)/large.jsonl' -m large"
    let child = try Child(
      "/bin/sh", ["-c", command], environment: bench.environment, input: -1, output: output.descriptor,
      errors: output.descriptor)
    #expect(child.wait() == 1)
    #expect(String(decoding: output.bytes, as: UTF8.self).contains("no file may be so long"))
    #expect(try bench.log() == ["v1"])
    try bench.expectWhole()
    try bench.ok("commit", "\(bench.path)/large.jsonl", "-m", "large")
    #expect(try bench.json("count")["rows"].int == 60_000)
  }

  @Test("on a full disk a commit is refused, and the old version is whole")
  func fullDisk() throws {
    let bench = try Bench(initialized: false)
    func shell(_ command: String) throws -> Int32 {
      let output = try TemporaryOutput()
      return try Child(
        "/bin/sh", ["-c", command], environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"], input: -1,
        output: output.descriptor, errors: output.descriptor
      ).wait()
    }
    let mount = "\(bench.path)/small"
    try FileSystem.makeFolder(mount)
    guard try shell("mount -t tmpfs -o size=1500k tmpfs '\(mount)'") == 0 else {
      // A limit on files stands for a disk where none can be mounted; a build server is to have both.
      if Machine.environment("CI") == "true" {
        Issue.record("a tmpfs cannot be mounted: run the tests as root")
      }
      return
    }
    defer { _ = try? shell("umount '\(mount)'") }
    try bench.file("small.jsonl", Self.rows(0, 10))
    var generator = SeededGenerator(seed: 1)
    let noise = (0..<60_000).map { _ in
      "{\"t\":\"\(generator.next())\(generator.next())\(generator.next())\"}\n"
    }
    try bench.file("large.jsonl", noise.joined())
    try bench.ok("init", mount)
    try bench.ok("commit", "\(bench.path)/small.jsonl", "-m", "first", "-C", mount)
    let outcome = try bench.run("commit", "\(bench.path)/large.jsonl", "-m", "large", "-C", mount)
    #expect(outcome.exitCode == 1 && outcome.errors.contains("full"), "\(outcome.exitCode) \(outcome.errors)")
    #expect(try bench.ok("export", "-C", mount) == Self.rows(0, 10))
    #expect(try bench.run("fsck", "-C", mount).exitCode == 0)
    try bench.ok("commit", "\(bench.path)/small.jsonl", "-m", "again", "--append", "-C", mount)
    #expect(try bench.ok("count", "-C", mount) == "20\n")
  }
}
