import DSV
import DSVFormat
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
}
