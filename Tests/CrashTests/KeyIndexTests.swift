import DSV
import DSVFormat
import DSVSystem
import Testing

/// The index of keys is made by several processes at once, and by processes that are killed.
@Suite struct KeyIndexTests {
  /// So many, and so long, that there is an index of them.
  private static let rowCount = 9000

  private static func line(_ number: Int, _ value: Int) -> String {
    #"{"k":"\#(key(number))","v":\#(value)}"# + "\n"
  }

  private static func key(_ number: Int) -> String { String(repeating: "key \(number) ", count: 120) }

  private func template() throws -> [String: [UInt8]] {
    let scratch = try Scratch()
    let file = try scratch.file("first.jsonl", (0..<Self.rowCount).map { Self.line($0, 0) }.joined())
    do {
      let repository = try Repository.initialize(at: scratch.repository, options: .init(threadCount: 0))
      var options = CommitOptions()
      options.key = ["k"]
      _ = try repository.commit([file], CommitMessage("first"), options)
    }
    return try Tree.read(scratch.repository)
  }

  /// The runs there are; every one must be as it was first made, whoever made it.
  private func runs(_ scratch: Scratch) throws -> [String: [UInt8]] {
    guard try FileSystem.exists("\(scratch.repository)/.dsv/keys") else { return [:] }
    return try Tree.read("\(scratch.repository)/.dsv/keys").filter { $0.key.hasSuffix(".run") }
  }

  private func why(_ number: Int, _ scratch: Scratch) throws -> Child {
    try Child(["why", "HEAD", Self.key(number), "-C", scratch.repository, "--quiet"], scratch: scratch.path)
  }

  @Test("several processes make the same index at once")
  func together() throws {
    let template = try template()
    let scratch = try Scratch()
    for round in 0..<3 {
      try Tree.write(template, to: scratch.repository)
      let file = try scratch.file("new.jsonl", Self.line(7, round + 1) + Self.line(Self.rowCount, 0))
      let upsert = try Child(
        ["commit", file, "--upsert", "-m", "new", "-C", scratch.repository, "--quiet"], scratch: scratch.path)
      let children = try [3, 4, 5].map { (try why($0, scratch), $0) }
      #expect(try upsert.wait().code == 0)
      for (child, number) in children {
        let end = try child.wait()
        #expect(end.code == 0 && end.output == "live, at position \(number)\n", "\(end)")
      }
      #expect(try !runs(scratch).isEmpty)
      #expect(try why(7, scratch).wait().output == "live, at position \(Self.rowCount)\n")
      #expect(try FileSystem.list("\(scratch.repository)/.dsv/tmp") == [])
    }
  }

  @Test("killed while it makes the index, a command leaves nothing that misleads the next")
  func killed() throws {
    let template = try template()
    let scratch = try Scratch()
    try Tree.write(template, to: scratch.repository)
    var duration = UInt64.max
    for _ in 0..<3 {
      try FileSystem.removeTree("\(scratch.repository)/.dsv/keys")
      let start = Clock.monotonicNanoseconds()
      #expect(try why(1, scratch).wait().code == 0)
      duration = min(duration, Clock.monotonicNanoseconds() - start)
    }
    let whole = try runs(scratch)
    #expect(whole.count == 1)
    let secret = try FileSystem.read("\(scratch.repository)/.dsv/keys/secret", limit: 100)
    var killedCount = 0
    for round in 0..<15 {
      try Tree.write(template, to: scratch.repository)
      try FileSystem.makeFolder("\(scratch.repository)/.dsv/keys")
      try FileSystem.replace("\(scratch.repository)/.dsv/keys/secret", with: secret)
      let end = try why(1, scratch).kill(afterNanoseconds: duration * UInt64(round + 1) / 20)
      if end.signal == 9 { killedCount += 1 }
      // A run has its place whole, or not at all.
      #expect(try runs(scratch).allSatisfy { whole[$0.key] == $0.value }, "round \(round)")
      for number in [0, Self.rowCount - 1] {
        #expect(try why(number, scratch).wait().output == "live, at position \(number)\n", "round \(round)")
      }
      #expect(try runs(scratch) == whole, "round \(round)")
      #expect(try FileSystem.list("\(scratch.repository)/.dsv/tmp") == [], "round \(round)")
    }
    #expect(killedCount > 3)
  }
}
