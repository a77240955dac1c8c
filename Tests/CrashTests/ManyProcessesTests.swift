import DSV
import DSVFormat
import DSVStore
import DSVSystem
import Testing

/// Several commands at one repository at once.
@Suite(.serialized) struct ManyProcessesTests {
  /// Runs lists of commands, each list one after another, all lists at once.
  ///
  /// - Parameters:
  ///   - lists: the arguments of each command.
  ///   - others: commands that are run again and again until all lists are done.
  static func run(
    _ lists: [[[String]]], others: [[String]], scratch: String, _ check: ([String], Child.End) throws -> Void
  ) throws {
    struct Lane {
      var waiting: [[String]]
      let isRepeated: Bool
      var current: (arguments: [String], child: Child)?
    }
    var lanes = lists.map { Lane(waiting: $0.reversed(), isRepeated: false) }
    lanes += others.map { Lane(waiting: [$0], isRepeated: true) }
    while true {
      for index in lanes.indices {
        if let (arguments, child) = lanes[index].current {
          guard let end = try child.poll() else { continue }
          lanes[index].current = nil
          try check(arguments, end)
        }
        let isOver = lanes.allSatisfy { $0.isRepeated || $0.waiting.isEmpty && $0.current == nil }
        guard let next = lanes[index].waiting.last, !(isOver && lanes[index].isRepeated) else { continue }
        if !lanes[index].isRepeated { lanes[index].waiting.removeLast() }
        lanes[index].current = (next, try Child(next, scratch: scratch))
      }
      if lanes.allSatisfy({ $0.current == nil }) { return }
      Clock.sleep(nanoseconds: 1_000_000)
    }
  }

  @Test("processes that append at once lose no row", arguments: [(2, 1), (4, 1), (4, 5)])
  func append(processCount: Int, rowsEach: Int) throws {
    let scratch = try Scratch()
    let first = Rows.text(0..<30, seed: 3)
    _ = try Repository.initialize(at: scratch.repository, options: .init(threadCount: 0))
      .commitTest(try scratch.file("first.jsonl", first), .replace)
    let place = ["-C", scratch.repository, "--quiet"]
    var expected = KillTests.lines(first).map(String.init)
    var lists: [[[String]]] = []
    for worker in 0..<processCount {
      var list: [[String]] = []
      for start in stride(from: 0, to: 25, by: rowsEach) {
        let id = 1000 * (worker + 1) + start
        let text = Rows.text(id..<id + rowsEach, seed: UInt64(id), wordCount: 8)
        expected += KillTests.lines(text).map(String.init)
        let file = try scratch.file("\(id).jsonl", text)
        list.append(["commit", file, "--append", "-m", "rows \(id)"] + place)
      }
      lists.append(list)
    }
    var last = 0
    var (readCount, gcCount) = (0, 0)
    try Self.run(
      lists,
      others: [["count"] + place, ["export"] + place, ["gc", "--keep-days", "0"] + place],
      scratch: scratch.path
    ) { arguments, end in
      let isGC = arguments[0] == "gc"
      #expect(end.code == 0 || isGC && end.code == 6, "\(arguments): \(end)")
      switch arguments[0] {
      case "count":
        let count = Int(end.output.dropLast()) ?? -1
        #expect(count >= last, "the count went back")
        last = count
        readCount += 1
      case "export":
        #expect(end.output.hasPrefix(first))
        #expect(Set(KillTests.lines(end.output).map(String.init)).isSubset(of: expected))
      case "gc": gcCount += 1
      default: break
      }
    }
    #expect(readCount > 1 && gcCount > 1)
    let repository = try Repository.test(at: scratch.repository)
    #expect(try repository.info().rowCount == 30 + 25 * processCount)
    #expect(KillTests.lines(try repository.rows()).map(String.init).sorted() == expected.sorted())
    #expect(try repository.info().versionCount == 1 + 25 / rowsEach * processCount)
    #expect(
      try repository.log(from: try repository.resolve("main").commit).count == 1 + 25 / rowsEach
        * processCount)
    #expect(try repository.check().problems == [])
  }

  /// How long processes work side by side.
  static let seconds = Machine.environment("DSV_TRAFFIC_SECONDS").flatMap { Int($0) } ?? 10

  /// Who works on one repository at once in `traffic()`.
  static let roles = ["append", "append", "append", "append", "waste", "read", "read", "read", "gc"]

  /// Waits until every worker has come as far as this, so that a busy machine does not let them work one by one.
  static func meet(_ worker: Int, _ scratch: String) throws {
    try FileSystem.replace("\(scratch)/\(worker).ready", with: [], isDurable: false)
    for other in roles.indices {
      var attempts = 0
      while !(try FileSystem.exists("\(scratch)/\(other).ready")) {
        attempts += 1
        guard attempts < 60_000 else { throw DSVError(.busy, "worker \(other) did not come in 10 minutes") }
        Clock.sleep(nanoseconds: 10_000_000)
      }
    }
  }

  /// Appends, makes garbage, reads, or collects until the time is over and it was done a few times; returns how often.
  static func work(_ role: String, _ worker: Int, _ path: String, _ scratch: String) throws -> Int {
    let repository = try Repository.test(at: path)
    try meet(worker, scratch)
    let end = Clock.monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
    var count = 0
    var last = 0
    while true {
      let now = Clock.monotonicNanoseconds()
      if now >= end && count >= 3 { return count }
      // On a machine that does other things too, three times may take long: but not this long.
      guard now < end + 600_000_000_000 else { throw DSVError(.busy, "\(count) times only") }
      switch role {
      case "append":
        let file = "\(scratch)/\(worker).jsonl"
        let row = Rows.text(worker * 100_000 + count..<worker * 100_000 + count + 1, seed: 1, wordCount: 8)
        try FileSystem.replace(file, with: Array(row.utf8), isDurable: false)
        guard try repository.commitTest(file, .append).isNew else { throw DSVError(.corrupt, "not new") }
      case "waste":
        do throws(DSVError) {
          try repository.filterTest(branch: "waste")
        } catch {
          // Somebody else's commit came first.
          guard error.code == .conflict else { throw error }
          continue
        }
        try repository.deleteBranch("waste")
      case "read":
        let rows = KillTests.lines(try repository.rows()).count
        guard rows >= last else { throw DSVError(.corrupt, "\(rows) rows after \(last)") }
        last = rows
      default: _ = try repository.collectGarbage(keepDays: 0)
      }
      count += 1
    }
  }

  @Test("while processes append and read without a pause, gc makes progress and is in nobody's way")
  func traffic() async throws {
    let scratch = try Scratch()
    _ = try Repository.initialize(at: scratch.repository, options: .init(threadCount: 0))
      .commitTest(try scratch.file("first.jsonl", Rows.text(0..<30, seed: 3)), .replace)
    await withTaskGroup { group in
      for (worker, role) in Self.roles.enumerated() {
        group.addTask {
          await #expect(processExitsWith: .success) {
            [
              role = role as String, worker = worker as Int, path = scratch.repository as String,
              folder = scratch.path as String
            ] in
            let log = try File("\(folder)/\(worker).count", .create)
            do {
              try log.say("\(try ManyProcessesTests.work(role, worker, path, folder))")
            } catch {
              try log.say("\(error)")
            }
          }
        }
      }
    }
    var counts: [String: Int] = [:]
    for (worker, role) in Self.roles.enumerated() {
      let text = String(
        decoding: try FileSystem.read("\(scratch.path)/\(worker).count", limit: 1 << 20), as: UTF8.self)
      let count = try #require(Int(text), "\(role): \(text)")
      counts[role, default: 0] += count
    }
    print("traffic for \(Self.seconds) s: \(counts)")
    let repository = try Repository.test(at: scratch.repository)
    #expect(try repository.info().rowCount == 30 + (counts["append"] ?? 0))
    #expect(try repository.check().problems == [])
    #expect(try FileSystem.list("\(scratch.repository)/.dsv/tmp") == [])
    // Nobody is left who holds a lock.
    _ = try repository.store.collectGarbage(waitSeconds: 0.1) { () throws(DSVError) in { _ in true } }
  }
}
