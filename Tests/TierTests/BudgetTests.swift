import DSV
import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import Testing

/// Budgets of memory and disk are kept by who only reads.
@Suite struct BudgetTests {
  /// Two tables of one size, of which nothing is on the disk.
  private func twoTables() throws -> (Lazy, CommitID) {
    let lazy = try Lazy(packByteCount: 100_000) { repository, _ in
      for (seed, table) in ["a", "b"].enumerated() {
        try Lazy.commit(repository, (0..<3000).map { Lazy.row($0, seed: seed) }, table: table)
      }
    }
    try lazy.copy.demote(try Lazy.commits(lazy.full))
    try lazy.reopen()
    return (lazy, try lazy.full.resolve("HEAD").commit)
  }

  /// Reads a table in a process of its own, as it were; returns what was fetched for it.
  private func scan(_ lazy: Lazy, _ commit: CommitID, _ table: String) throws -> Int {
    #expect(try Lazy.rows(lazy.copy, commit, table: table) == Lazy.rows(lazy.full, commit, table: table))
    let source = lazy.copy.store.source as? RemoteSource
    try lazy.reopen()
    return source?.counts.fetchedByteCount ?? 0
  }

  private func limit(_ lazy: Lazy, _ byteCount: Int, _ policy: String = "") throws {
    var settings = TierSettings()
    settings.diskByteCount = byteCount
    if !policy.isEmpty { settings.policy = try TierPolicy(policy) }
    try lazy.copy.setTiers(settings)
  }

  @Test("what was fetched first makes room, so that a table that fits is read from the disk")
  func eviction() throws {
    let (lazy, commit) = try twoTables()
    let empty = try lazy.copy.store.byteCount
    let whole = try scan(lazy, commit, "a")
    let full = try lazy.copy.store.byteCount
    #expect(whole > 200_000 && full - empty > 200_000)
    let budget = full + (full - empty) / 8
    try limit(lazy, budget)
    var fetched: [Int] = []
    for _ in 0..<5 { fetched.append(try scan(lazy, commit, "b")) }
    #expect(fetched[0] > whole / 2)
    #expect(fetched[4] == 0, "\(fetched)")
    #expect(try lazy.copy.store.byteCount <= budget + 20_000)
    #expect(try lazy.copy.tierUsage()[1].evictionCount ?? 0 > 10)
    #expect(try lazy.copy.check().problems == [])
  }

  @Test("what a rule keeps on the disk does not make room")
  func pinned() throws {
    let (lazy, commit) = try twoTables()
    let empty = try lazy.copy.store.byteCount
    _ = try scan(lazy, commit, "a")
    let full = try lazy.copy.store.byteCount
    try limit(lazy, full + (full - empty) / 8, "table a on disk; table b to remote")
    for _ in 0..<3 { #expect(try scan(lazy, commit, "b") > 0) }
    #expect(try scan(lazy, commit, "a") == 0)
  }

  @Test("a budget that is too small for a table has it fetched no more often than without making room")
  func small() throws {
    let (lazy, commit) = try twoTables()
    let empty = try lazy.copy.store.byteCount
    let whole = try scan(lazy, commit, "b")
    let size = try lazy.copy.store.byteCount - empty
    try limit(lazy, empty + size / 2)
    try lazy.copy.applyTiers()
    var fetched: [Int] = []
    for _ in 0..<5 { fetched.append(try scan(lazy, commit, "b")) }
    #expect(fetched.dropFirst().allSatisfy { $0 <= whole * 3 / 4 }, "\(fetched) of \(whole)")
    #expect(try lazy.copy.store.byteCount <= empty + size / 2 + 20_000)
  }

  @Test("memory's budget is for what is fetched, what waits for the disk and what is decoded together")
  func memory() throws {
    let budget = 8_000_000
    let lazy = try Lazy(packByteCount: 4 << 20) { repository, _ in
      try Lazy.commit(repository, (0..<40_000).map { Lazy.row($0, words: 60) })
    }
    let commit = try lazy.full.resolve("HEAD").commit
    try lazy.copy.demote([commit])
    var settings = TierSettings()
    settings.memoryByteCount = budget
    try lazy.copy.setTiers(settings)
    let copy = try Repository.open(at: lazy.folder.path + "/copy", options: .init(threadCount: 2))
    copy.attach([RemoteTier("origin", lazy.bucket, lazy.remote)])
    let rows = try Lazy.rows(copy, commit, table: "data")
    #expect(try rows == Lazy.rows(lazy.full, commit, table: "data"))
    let source = try #require(copy.store.source as? RemoteSource)
    #expect(source.counts.fetchedByteCount > 4_000_000)
    let (staged, held) = (source.counts.stagedByteCountMax, source.promoter.heldByteCountMax)
    // Who waits for an object gets it, however much is there.
    let waiting = 3 * (256 << 10)
    #expect(staged <= FetchBudget(budget).stagedByteCount + waiting && staged > 0)
    #expect(held <= FetchBudget(budget).promotedByteCount && held > 0)
    #expect(copy.reader.cache.byteCount <= copy.reader.cache.byteCountLimit)
    #expect(staged + held + copy.reader.cache.byteCountLimit <= budget + waiting)
    #expect(try copy.tierUsage()[0].byteCountMax == budget)
    // All of it is on the disk all the same.
    copy.close()
    #expect(source.counts.promotedCount == source.counts.hitCount)
  }

  @Test("each remote's numbers are its own, in this process and over processes")
  func usage() throws {
    let lazy = try Lazy()
    let memory = SlowBucket(MemoryBucket("memory://backup"))
    let backup = PackedRemote(memory)
    // One of two objects.
    var objects: [(AnyID, StoredObject)] = []
    try lazy.full.store.forEachObject { (id, place) throws(DSVError) in
      if place.kind == .chunk, id.w3 % 2 == 0 { objects.append((id, try lazy.full.store.read(id))) }
    }
    try backup.put(objects)
    let commits = try Lazy.commits(lazy.full)
    try lazy.copy.demote(commits)
    func attach() {
      memory.reset()
      lazy.bucket.reset()
      lazy.copy.attach([RemoteTier("backup", memory, backup), RemoteTier("origin", lazy.bucket, lazy.remote)])
    }
    attach()
    _ = try Lazy.rows(lazy.copy, commits[0], table: "data")
    let first = try lazy.copy.tierUsage()
    #expect(first.map(\.name) == ["memory", "disk", "backup", "origin"])
    #expect(first[2].hitCount > 3 && first[3].hitCount > 3)
    #expect(first[2].missCount > 3 && first[2].missCount <= first[3].hitCount)
    #expect(first[3].missCount == 0)
    #expect(first[2].hitCount + first[3].hitCount <= first[1].missCount)
    #expect(first[2].fetchedByteCount == memory.byteCount)
    #expect(first[3].fetchedByteCount == lazy.bucket.byteCount)
    #expect(first[0].fetchedByteCount == nil && first[3].evictionCount == nil)
    lazy.copy.close()
    try lazy.reopen()
    attach()
    let second = try lazy.copy.tierUsage()
    #expect(second[2].hitCount == first[2].hitCount && second[3].hitCount == first[3].hitCount)
    #expect(second[3].fetchedByteCount == first[3].fetchedByteCount)
  }
}
