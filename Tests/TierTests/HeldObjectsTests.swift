import DSV
import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTables
import DSVTesting
import Testing

/// What counts as held by a remote can be read from there, also with several remotes and with bases in other packs.
@Suite struct HeldObjectsTests {
  let lazy: Lazy
  let commits: [CommitID]

  init() throws {
    lazy = try Lazy(packByteCount: 60_000) { repository, folder in
      try Lazy.history(repository, folder)
      _ = try repository.archive()
    }
    commits = try Lazy.commits(lazy.full)
  }

  private func parts(_ repository: Repository) throws -> Set<AnyID> {
    let all = try Lazy.objects(repository)
    return (all[.chunk] ?? []).union(all[.node] ?? [])
  }

  private func expectReadable(_ context: Comment) throws {
    lazy.copy.reader.cache.removeAll()
    for commit in commits {
      for table in try lazy.full.snapshot(commit).tables.map(\.name) {
        let rows = try? Lazy.rows(lazy.copy, commit, table: table)
        #expect(try rows == Lazy.rows(lazy.full, commit, table: table), context)
      }
    }
  }

  /// A pack of the remote in which something lies that objects in other packs build on, and those objects.
  private func sharedBases() throws -> (RemotePack, above: Set<AnyID>) {
    var above: [RemotePack: Set<AnyID>] = [:]
    for id in try parts(lazy.copy) {
      guard let base = try lazy.copy.store.baseID(of: id), let place = try lazy.remote.place(of: id),
        let basePlace = try lazy.remote.place(of: base), place.pack != basePlace.pack
      else { continue }
      above[basePlace.pack, default: []].insert(id)
    }
    let most = try #require(above.max { $0.value.count < $1.value.count })
    return (most.key, most.value)
  }

  enum Damage: CaseIterable { case lost, cut, damaged, lostLater, lostLaterAndReopened }

  @Test("what builds on a pack that the remote has not whole stays on the disk", arguments: Damage.allCases)
  func brokenBase(damage: Damage) throws {
    let (pack, above) = try sharedBases()
    #expect(above.count > 3)
    let bytes = try #require(lazy.memory.contents[pack.key])
    switch damage {
    case .lost: lazy.memory.contents[pack.key] = nil
    case .cut: lazy.memory.contents[pack.key] = bytes.dropLast()
    case .damaged: lazy.memory.contents[pack.key]?[bytes.count / 2] ^= 1
    case .lostLater, .lostLaterAndReopened:
      // Every pack was read back once.
      try lazy.copy.demote(commits)
      try lazy.copy.promote(commits)
      lazy.memory.contents[pack.key] = nil
      if damage == .lostLaterAndReopened { try lazy.reopen() }
    }
    let result = try lazy.copy.demote(commits)
    #expect(result.refusedCount > 0)
    #expect(result.problems.contains { $0.contains(pack.key) })
    #expect(try parts(lazy.copy).isSuperset(of: above))
    try expectReadable("\(damage)")
    #expect(try lazy.copy.check().problems == [])
  }

  @Test("a sound record that holds another object is held by nobody, nor what builds on it")
  func forged() throws {
    var objects: [(AnyID, StoredObject)] = []
    var chunks: [Int] = []
    try lazy.full.store.forEachObject { (id, place) throws(DSVError) in
      if place.kind == .chunk, place.baseDepth == 0 { chunks.append(objects.count) }
      objects.append((id, try lazy.full.store.read(id)))
    }
    let (first, second) = (chunks[0], chunks[1])
    let forged = objects[first].0
    objects[first].1 = objects[second].1
    let memory = MemoryBucket()
    let remote = PackedRemote(memory)
    try remote.put(objects, packByteCount: 100_000)
    lazy.copy.attach([RemoteTier("origin", memory, remote)])
    let result = try lazy.copy.demote(commits)
    #expect(result.problems.contains { $0.contains("\(forged)") })
    #expect(try parts(lazy.copy).contains(forged))
    try expectReadable("forged")
  }

  // MARK: - Two remotes

  enum Trouble: CaseIterable { case lost, damaged, unreachable, lostLater }

  @Test(
    "what the second of two remotes holds leaves the disk, and is read from there, whatever the first one does",
    arguments: Trouble.allCases)
  func twoRemotes(trouble: Trouble) throws {
    let memory = MemoryBucket("memory://backup")
    let backup = PackedRemote(memory)
    try backup.put(lazy.full.store, packByteCount: 90_000)
    func attach(_ bucket: any Bucket) {
      lazy.copy.attach([
        RemoteTier("backup", bucket, backup), RemoteTier("origin", lazy.bucket, lazy.remote),
      ])
    }
    func fail() {
      switch trouble {
      case .lost, .lostLater: memory.contents = [:]
      case .damaged: memory.contents = memory.contents.mapValues { $0.map { $0 ^ 1 } }
      case .unreachable: attach(FaultyBucket(memory, .call(0, isForever: true)))
      }
    }
    attach(memory)
    let before = try parts(lazy.copy)
    if trouble != .lostLater { fail() }
    let result = try lazy.copy.demote(commits)
    #expect(result.refusedCount == 0 && result.objectCount == before.count, "\(trouble)")
    fail()
    try expectReadable("\(trouble)")
    lazy.copy.close()
    try lazy.copy.demote(commits)
    let promoted = try? lazy.copy.promote(commits)
    #expect(promoted?.objectCount == before.count, "\(trouble)")
    #expect(try parts(lazy.copy) == before)
    // A remote that has nothing left holds nothing, though it was read back once.
    attach(memory)
    if trouble == .lostLater {
      lazy.memory.contents = [:]
      let refused = try lazy.copy.demote(commits)
      #expect(refused.objectCount == 0 && refused.refusedCount > 0)
    }
  }

  @Test("two remotes that are copies of each other are told apart")
  func copies() throws {
    let memory = MemoryBucket("memory://backup")
    let backup = PackedRemote(memory)
    try backup.put(lazy.full.store, packByteCount: 60_000)
    #expect(backup.packs.map(\.id) == lazy.remote.packs.map(\.id))
    lazy.copy.attach([RemoteTier("backup", memory, backup), RemoteTier("origin", lazy.bucket, lazy.remote)])
    var settings = TierSettings()
    settings.policy = try TierPolicy("everything to origin")
    try lazy.copy.setTiers(settings)
    lazy.memory.contents = [:]
    let before = try parts(lazy.copy)
    try lazy.copy.applyTiers(garbageShareMin: 0)
    #expect(try parts(lazy.copy) == before)
    settings.policy = try TierPolicy("everything to backup")
    try lazy.copy.setTiers(settings)
    try lazy.copy.applyTiers(garbageShareMin: 0)
    #expect(try parts(lazy.copy) == [])
    try expectReadable("copies")
  }
}
