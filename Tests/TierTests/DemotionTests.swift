import DSV
import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTables
import DSVTesting
import Testing

/// What leaves a disk is exactly what may.
@Suite struct DemotionTests {
  private func parts(_ repository: Repository) throws -> Set<AnyID> {
    let all = try Lazy.objects(repository)
    return (all[.chunk] ?? []).union(all[.node] ?? [])
  }

  private func expectReadable(_ lazy: Lazy, _ context: Comment = "") throws {
    for commit in try Lazy.commits(lazy.full) {
      for table in try lazy.full.snapshot(commit).tables.map(\.name) {
        #expect(
          try Lazy.rows(lazy.copy, commit, table: table) == Lazy.rows(lazy.full, commit, table: table),
          context)
      }
    }
  }

  @Test("what only the demoted versions need goes, and nothing else; promoted again it is all there")
  func exactSets() throws {
    let lazy = try Lazy()
    let commits = try Lazy.commits(lazy.full)
    let before = try parts(lazy.copy)
    for chosen in [[0], [1, 2], [5], [0, 1, 2, 3]] {
      let others = commits.indices.filter { !chosen.contains($0) }.map { commits[$0] }
      let kept = try Lazy.needed(lazy.full, others)
      let result = try lazy.copy.demote(chosen.map { commits[$0] })
      #expect(try parts(lazy.copy) == kept, "\(chosen)")
      #expect(result.objectCount == before.count - kept.count)
      #expect(result.refusedCount == 0)
      #expect(result.freedByteCount > 0 || result.objectCount == 0)
      let promoted = try lazy.copy.promote(chosen.map { commits[$0] })
      #expect(promoted.objectCount == before.count - kept.count)
      #expect(try parts(lazy.copy) == before, "\(chosen)")
    }
    #expect(try lazy.copy.check().problems == [])
    try expectReadable(lazy)
  }

  @Test("what is stored over another object keeps what it is stored over")
  func bases() throws {
    let lazy = try Lazy { repository, folder in
      try Lazy.history(repository, folder)
      _ = try repository.archive()
    }
    var based = 0
    try lazy.copy.store.forEachObject { (_, place) throws(DSVError) in if place.baseDepth > 0 { based += 1 } }
    #expect(based > 10)
    let commits = try Lazy.commits(lazy.full)
    let before = try parts(lazy.copy)
    for chosen in [[0], [0, 1, 2], Array(commits.indices)] {
      let others = commits.indices.filter { !chosen.contains($0) }.map { commits[$0] }
      try lazy.copy.demote(chosen.map { commits[$0] })
      #expect(try parts(lazy.copy) == Lazy.needed(lazy.full, others), "\(chosen)")
      #expect(try lazy.copy.check().problems == [])
    }
    #expect(try parts(lazy.copy) == [])
    try expectReadable(lazy)
    try lazy.copy.promote(commits)
    #expect(try parts(lazy.copy) == before)
  }

  @Test("a pack that the remote has lost, cut or damaged keeps what it holds on the disk", arguments: 0..<4)
  func lostPack(kind: Int) throws {
    let lazy = try Lazy()
    let commits = try Lazy.commits(lazy.full)
    if kind == 3 {
      // It was read back once, and is gone since.
      try lazy.copy.demote([commits[0]])
      try lazy.copy.promote([commits[0]])
    }
    let pack = try #require(lazy.remote.packs.first)
    let bytes = try #require(lazy.memory.contents[pack.key])
    switch kind {
    case 0, 3: lazy.memory.contents[pack.key] = nil
    case 1: lazy.memory.contents[pack.key] = bytes.dropLast()
    default:
      var damaged = bytes
      damaged[bytes.count / 2] ^= 1
      lazy.memory.contents[pack.key] = damaged
    }
    var held: Set<AnyID> = []
    for id in try parts(lazy.copy) where try lazy.remote.place(of: id)?.pack.id == pack.id { held.insert(id) }
    let result = try lazy.copy.demote(commits)
    #expect(result.refusedCount > 0)
    #expect(result.problems.contains { $0.contains(pack.key) && $0.contains("origin") })
    // What only that pack holds stays, and what leads to it, or gc would take it for garbage.
    let staying = try parts(lazy.copy)
    #expect(staying.isSuperset(of: held))
    if kind != 2 {
      _ = try lazy.copy.collectGarbage(keepDays: 0)
      #expect(try parts(lazy.copy).isSuperset(of: held))
    }
    if kind != 2 { #expect(try lazy.copy.check().problems == []) }
    lazy.memory.contents[pack.key] = bytes
    try expectReadable(lazy)
  }

  @Test("a remote that cannot be reached is not believed")
  func unreachable() throws {
    let lazy = try Lazy()
    let before = try parts(lazy.copy)
    lazy.attach(FaultyBucket(lazy.bucket, .call(0, isForever: true)))
    let result = try lazy.copy.demote(try Lazy.commits(lazy.full))
    #expect(result.objectCount == 0 && result.refusedCount == before.count)
    #expect(try parts(lazy.copy) == before)
    lazy.copy.attach([])
    let error = #expect(throws: DSVError.self) { try lazy.copy.demote([]) }
    #expect(error?.code == .badInput)
  }

  @Test("each pack is read back once")
  func readBackOnce() throws {
    let lazy = try Lazy()
    let commits = try Lazy.commits(lazy.full)
    try lazy.copy.demote([commits[0]])
    lazy.bucket.reset()
    try lazy.copy.demote([commits[0]])
    #expect(lazy.bucket.requestCount == 1, "a list")
    try lazy.copy.demote(commits)
    lazy.bucket.reset()
    try lazy.copy.promote(commits)
    #expect(lazy.bucket.requestCount < 60)
    lazy.bucket.reset()
    try lazy.copy.demote(commits)
    #expect(lazy.bucket.requestCount == 1)
  }

  @Test("a policy decides by version, table and column; what none says stays")
  func policy() throws {
    let lazy = try Lazy()
    let commits = try Lazy.commits(lazy.full)
    let before = try parts(lazy.copy)
    func apply(_ text: String) throws -> Set<AnyID> {
      var settings = TierSettings()
      settings.policy = try TierPolicy(text)
      try lazy.copy.setTiers(settings)
      try lazy.copy.applyTiers(garbageShareMin: 0)
      return try parts(lazy.copy)
    }
    #expect(try apply("older than 100000d to cold") == before)
    #expect(try apply("keep everything on disk") == before)
    // v1 to v3 are older than 3 versions.
    let old = try Lazy.needed(lazy.full, Array(commits[3...]))
    let left = try apply("older than 3 versions to remote")
    #expect(left.isSubset(of: before) && left.isSuperset(of: old) && left.count < before.count)
    try expectReadable(lazy)
    try lazy.copy.promote(commits)
    #expect(try parts(lazy.copy) == before)
    let table = try #require(try lazy.full.snapshot(commits[5]).table("other"))
    _ = try apply("table other to origin; column text to cold; table data column text v6 on disk")
    lazy.copy.reader.cache.removeAll()
    for column in table.columns {
      guard let id = column.id else { continue }
      #expect(try !lazy.copy.store.contains(AnyID(id)))
    }
    let data = try #require(try lazy.full.snapshot(commits[5]).table("data"))
    for column in data.columns { if let id = column.id { #expect(try lazy.copy.store.contains(AnyID(id))) } }
    let first = try #require(try lazy.full.snapshot(commits[0]).table("data")?.field("text")?.values.id)
    #expect(try !lazy.copy.store.contains(AnyID(first)))
    let length = try #require(try lazy.full.snapshot(commits[0]).table("data")?.field("length")?.values.id)
    #expect(try lazy.copy.store.contains(AnyID(length)))
    // A remote of that name there is not, or not any more: that is refused, or nothing is held there.
    try lazy.copy.promote(commits)
    let error = #expect(throws: DSVError.self) { try apply("everything to elsewhere") }
    #expect(error?.code == .notFound)
    try lazy.copy.store.writeTierSettings(Array("dsv tiers 1\npolicy everything to elsewhere\n".utf8))
    try lazy.copy.applyTiers(garbageShareMin: 0)
    #expect(try parts(lazy.copy) == before)
    try expectReadable(lazy)
  }

  @Test("the disk's budget is kept: what was fetched goes first, the oldest first, then old versions")
  func budget() throws {
    let lazy = try Lazy(packByteCount: 100_000)
    let commits = try Lazy.commits(lazy.full)
    let whole = try lazy.copy.store.byteCount
    try lazy.copy.demote(Array(commits[..<4]))
    try lazy.reopen()
    let kept = try parts(lazy.copy)
    let small = try lazy.copy.store.byteCount
    #expect(small < whole - 100_000)
    // A read brings all of it back.
    _ = try Lazy.rows(lazy.copy, commits[1], table: "data")
    try lazy.reopen()
    #expect(try parts(lazy.copy).count > kept.count)
    var settings = TierSettings()
    settings.diskByteCount = small + 40_000
    try lazy.copy.setTiers(settings)
    let result = try lazy.copy.applyTiers()
    #expect(result.objectCount > 0)
    #expect(try lazy.copy.store.byteCount <= small + 60_000)
    #expect(try parts(lazy.copy).isSuperset(of: kept), "what was not fetched stays while what was can go")
    // Less than that: old versions go, the newest goes last.
    settings.diskByteCount = small - 100_000
    try lazy.copy.setTiers(settings)
    try lazy.copy.applyTiers()
    #expect(try lazy.copy.store.byteCount <= small - 80_000)
    let newest = try Lazy.needed(lazy.full, [commits[5]])
    let there = try parts(lazy.copy)
    let goneOfNewest = newest.subtracting(there)
    let goneOfOthers = kept.subtracting(newest).subtracting(there)
    #expect(goneOfNewest.isEmpty || goneOfOthers.count == kept.subtracting(newest).count)
    try expectReadable(lazy)
    // Reading does not go beyond it either.
    lazy.copy.close()
    #expect(try lazy.copy.store.byteCount <= small - 60_000)
    settings.diskByteCount = 0
    try lazy.copy.setTiers(settings)
    try lazy.copy.applyTiers()
    #expect(try parts(lazy.copy) == [])
    try expectReadable(lazy)
    let error = #expect(throws: DSVError.self) { try lazy.copy.promote([commits[0]]) }
    #expect(error?.code == .full)
  }

  @Test("what no remote verifiably holds stays, whatever the budget")
  func budgetWithoutRemote() throws {
    let lazy = try Lazy()
    try Lazy.commit(lazy.copy, (9000..<9800).map { Lazy.row($0, seed: 7) }, .append)
    let new = try Lazy.needed(lazy.copy, [try lazy.copy.resolve("HEAD").commit])
    var unheld: Set<AnyID> = []
    for id in new where try lazy.remote.place(of: id) == nil { unheld.insert(id) }
    #expect(unheld.count > 5)
    var settings = TierSettings()
    settings.diskByteCount = 1000
    try lazy.copy.setTiers(settings)
    let result = try lazy.copy.applyTiers()
    #expect(try parts(lazy.copy).isSuperset(of: unheld))
    #expect(result.refusedCount >= unheld.count)
    #expect(try lazy.copy.check().problems == [])
  }

  @Test("gc deletes garbage, applies the policy, and keeps what was fetched below nodes that are not here")
  func garbage() throws {
    let lazy = try Lazy()
    let commits = try Lazy.commits(lazy.full)
    try lazy.copy.demote(commits)
    _ = try Lazy.rows(lazy.copy, commits[4], table: "data")
    lazy.copy.close()
    let fetched = try parts(lazy.copy)
    #expect(!fetched.isEmpty)
    // Nodes leave, chunks stay: nothing here leads to them.
    let nodes = try Lazy.objects(lazy.copy)[.node] ?? []
    try lazy.copy.store.collectGarbage(garbageShareMin: 0) { () throws(DSVError) in { !nodes.contains($0) } }
    try Lazy.commit(lazy.copy, [Lazy.row(1)], table: "waste")
    let waste = try parts(lazy.copy).subtracting(fetched)
    try lazy.copy.makeBranch("side", at: commits[5])
    _ = try lazy.copy.collectGarbage(since: Int.max, garbageShareMin: 0)
    #expect(try parts(lazy.copy).isSuperset(of: fetched.subtracting(nodes)))
    _ = waste
    #expect(try lazy.copy.check().problems == [])
    var settings = TierSettings()
    settings.policy = try TierPolicy("everything to cold")
    try lazy.copy.setTiers(settings)
    _ = try lazy.copy.collectGarbage(keepDays: 0)
    try lazy.copy.applyTiers(garbageShareMin: 0)
    #expect(try parts(lazy.copy).intersection(fetched) == [])
    try expectReadable(lazy)
  }

  @Test("numbers are kept over processes")
  func usage() throws {
    let lazy = try Lazy()
    let commits = try Lazy.commits(lazy.full)
    let demoted = try lazy.copy.demote(commits)
    try lazy.reopen()
    _ = try Lazy.rows(lazy.copy, commits[0], table: "data")
    let first = try lazy.copy.tierUsage()
    #expect(first.map(\.name) == ["memory", "disk", "origin"])
    #expect(first[1].evictionCount == demoted.objectCount)
    #expect(first[1].missCount > 10 && first[2].hitCount > 10)
    #expect(first[2].fetchedByteCount ?? 0 > 10_000)
    #expect(first[2].objectCount == (try lazy.remote.totals.objectCount))
    #expect(first[0].objectCount > 0 && first[0].missCount > 0)
    try lazy.reopen()
    _ = try Lazy.rows(lazy.copy, commits[0], table: "data")
    let second = try lazy.copy.tierUsage()
    #expect(second[2].hitCount == first[2].hitCount)
    #expect(second[1].hitCount > first[1].hitCount)
    #expect(second[1].missCount == first[1].missCount)
  }

  @Test("demoting is refused while somebody reads, and nothing happens")
  func busy() throws {
    let lazy = try Lazy()
    let before = try parts(lazy.copy)
    let version = try lazy.copy.version("v1")
    let table = try version.table("data")
    let error = #expect(throws: DSVError.self) {
      try lazy.copy.demote(try Lazy.commits(lazy.full), waitSeconds: 0.2)
    }
    #expect(error?.code == .busy)
    #expect(try parts(lazy.copy) == before)
    #expect(try table.take(rows: [1]).rowCount == 1)
  }
}
