import DSV
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import Testing

/// Demoting and promoting may be killed at any step: all versions stay readable, and it can be done again.
@Suite struct KilledDemotionTests {
  private static func fill(_ repository: Repository, _ folder: TemporaryFolder) throws {
    try Lazy.commit(repository, (0..<600).map { Lazy.row($0) }, key: ["id"])
    try Lazy.commit(repository, (600..<700).map { Lazy.row($0) }, .append)
    try Lazy.commit(repository, (0..<500).map { Lazy.row($0, seed: 3) })
    _ = try repository.archive([try repository.resolve("v1").commit])
  }

  /// How many changes to the disk the work makes.
  private func stepCount(_ work: (Lazy) throws -> Void) throws -> Int {
    let lazy = try Lazy(threadCount: 0, fill: Self.fill)
    let path = lazy.folder.path + "/copy"
    Faults.arm(under: path, first: .max)
    try work(lazy)
    return Faults.disarm(under: path)
  }

  private func check(_ lazy: Lazy, _ step: Int) throws {
    try lazy.reopen(threadCount: 0)
    #expect(try lazy.copy.check().problems == [], "killed at step \(step)")
    for commit in try Lazy.commits(lazy.full) {
      #expect(
        try Lazy.rows(lazy.copy, commit, table: "data") == Lazy.rows(lazy.full, commit, table: "data"),
        "killed at step \(step)")
    }
    lazy.copy.close()
    try lazy.copy.demote(try Lazy.commits(lazy.full))
    #expect(Set(try Lazy.objects(lazy.copy).keys) == [.snapshot, .commit], "killed at step \(step)")
    #expect(try lazy.copy.check().problems == [], "killed at step \(step)")
  }

  @Test("demote, killed at each of its steps")
  func demote() async throws {
    let count = try stepCount { try $0.copy.demote(try Lazy.commits($0.full)) }
    #expect(count > 8)
    for step in 0..<count {
      let lazy = try Lazy(threadCount: 0, fill: Self.fill)
      let path = lazy.folder.path
      await #expect(processExitsWith: .signal(9)) { [path = path as String, step = step as Int] in
        try KilledDemotionTests.work(path, step) { try $0.demote($1) }
      }
      try check(lazy, step)
    }
  }

  @Test("promote, killed at each of its steps")
  func promote() async throws {
    let count = try stepCount {
      try $0.copy.demote(try Lazy.commits($0.full))
      Faults.arm(under: $0.folder.path + "/copy", first: .max)
      try $0.copy.promote(try Lazy.commits($0.full))
    }
    #expect(count > 3)
    for step in 0..<count {
      let lazy = try Lazy(threadCount: 0, fill: Self.fill)
      try lazy.copy.demote(try Lazy.commits(lazy.full))
      let path = lazy.folder.path
      await #expect(processExitsWith: .signal(9)) { [path = path as String, step = step as Int] in
        try KilledDemotionTests.work(path, step) { try $0.promote($1) }
      }
      try check(lazy, step)
    }
  }

  /// Does some work at the copy of a repository, in a process that kills itself at a step of it.
  private static func work(
    _ path: String, _ step: Int, _ body: (Repository, [CommitID]) throws -> Void
  ) throws {
    let full = try Repository.open(at: path + "/full", options: .init(threadCount: 0))
    let remote = PackedRemote(MemoryBucket())
    try remote.put(full.store, packByteCount: 300_000)
    let copy = try Repository.open(at: path + "/copy", options: .init(threadCount: 0))
    copy.attach([RemoteTier("origin", remote.bucket, remote)])
    let commits = try Lazy.commits(full)
    Faults.arm(under: path + "/copy", first: step, outcome: .kill)
    try body(copy, commits)
  }
}
