import DSV
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import DSVVersions
import Synchronization
import Testing

@Suite struct RemoteGarbageTests {
  let clones: Clones

  init() throws { clones = try Clones() }

  private func packKeys() throws -> [String] {
    try clones.bucket.base.list(prefix: RemoteLayout.packPrefix, after: nil, limit: 1000).map(\.key)
  }

  private func byteCount() throws -> Int {
    try clones.bucket.base.list(prefix: RemoteLayout.packPrefix, after: nil, limit: 1000)
      .reduce(0) { $0 + $1.byteCount }
  }

  private func delete(_ name: String, _ repository: Repository) throws {
    var options = PushOptions()
    (options.names, options.deletes) = ([name], true)
    #expect(try repository.push(to: nil, options).refs.first?.state == .deleted)
  }

  @Test(
    "what no branch leads to is given up, then deleted; what is live is copied, and all clones go on",
    arguments: [false, true])
  func collect(isEncrypted: Bool) throws {
    if isEncrypted { clones.key = .random() }
    let a = try clones.new()
    try a.commitTest(noise(0..<200, byteCount: 4000, seed: 1), .replace, key: ["id"])
    try a.makeBranch("side", at: try a.resolve("HEAD").commit)
    _ = try a.push()
    try a.checkout(try a.resolve("side"))
    try a.commitTest(noise(200..<400, byteCount: 4000, seed: 2))
    // Both branches in packs of one push: those hold what stays and what goes.
    try a.checkout(try a.resolve("main"))
    try a.commitTest(noise(500..<520, byteCount: 4000, seed: 3))
    for number in 0..<5 { try a.commitTest([row(1000 + number)]) }
    _ = try a.pushAll()
    let b = try clones.clone()
    let lazy = try clones.clone(
      {
        var options = CloneOptions()
        options.isLazy = true
        return options
      }())
    #expect(try a.collectRemoteGarbage(nil, before: 0).condemnedPackCount == 0)
    try delete("side", a)
    let (before, byteCountBefore) = (try packKeys(), try byteCount())
    let first = try b.collectRemoteGarbage(nil, before: 0)
    #expect(first.condemnedPackCount > 0 && first.rewrittenPackCount > 0 && first.deletedPackCount == 0)
    // A clone that has not heard of it reads what was given up.
    #expect(try Set(before).isSubset(of: packKeys()))
    let second = try b.collectRemoteGarbage(nil, before: .max)
    #expect(second.deletedPackCount == first.condemnedPackCount && second.condemnedPackCount == 0)
    #expect(try byteCount() < byteCountBefore - 300_000)
    let third = try b.collectRemoteGarbage(nil, before: .max)
    #expect(third.deletedPackCount == 0 && third.condemnedPackCount == 0)

    for repository in [a, b, try clones.clone(), lazy] {
      _ = try repository.fetch()
      #expect(try repository.resolve("origin/main").commit == a.resolve("main").commit)
    }
    let fresh = try clones.clone()
    #expect(try fresh.rowsTest() == a.rowsTest("main"))
    #expect(try fresh.check().problems == [])
    #expect(throws: DSVError.self) { try fresh.resolve("origin/side") }
    // The branch comes back: what was deleted is sent again.
    _ = try a.pushAll()
    _ = try fresh.fetch()
    #expect(try fresh.rowsTest("origin/side") == a.rowsTest("side"))
    #expect(try fresh.check().problems == [])
  }

  @Test("what others only build on goes too, so that a branch that comes back comes back whole")
  func basesOnly() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    try a.makeBranch("side", at: try a.resolve("HEAD").commit)
    try a.checkout(try a.resolve("side"))
    try a.commitTest(noise(0..<20, byteCount: 4000, seed: 1), .replace, table: "own")
    try a.commitTest(noise(20..<40, byteCount: 4000, seed: 2), .replace, table: "own")
    _ = try a.push()
    // The same snapshot without the one between.
    try a.checkout(try a.resolve("main"))
    try a.commitTest(noise(20..<40, byteCount: 4000, seed: 2), .replace, table: "own")
    #expect(try a.resolve("main").commit != a.resolve("side").commit)
    _ = try a.push()
    try delete("side", a)
    _ = try a.collectRemoteGarbage(nil, before: 0)
    _ = try a.collectRemoteGarbage(nil, before: .max)
    let b = try clones.clone()
    #expect(try b.check().problems == [])
    _ = try a.pushAll()
    let fresh = try clones.clone()
    #expect(try fresh.check().problems == [])
    #expect(try fresh.rowsTest("origin/side~1", table: "own") == a.rowsTest("side~1", table: "own"))
    #expect(try a.collectRemoteGarbage(nil, before: 0).condemnedPackCount == 0)
  }

  @Test("a push that a gc came before sends what was given up")
  func raced() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    _ = try a.push()
    try a.makeBranch("side", at: try a.resolve("HEAD").commit)
    try a.checkout(try a.resolve("side"))
    try a.commitTest(noise(0..<100, byteCount: 4000, seed: 2))
    _ = try a.push()
    let b = try clones.clone()
    try delete("side", a)
    // A new version that needs most of what nothing leads to now.
    try a.commitTest([row(2)])
    clones.refused.prefix.withLock { $0 = "log/" }
    #expect(throws: DSVError.self) { try a.push() }
    clones.refused.prefix.withLock { $0 = nil }
    #expect(try b.collectRemoteGarbage(nil, before: 0).condemnedPackCount >= 2)
    _ = try b.collectRemoteGarbage(nil, before: .max)
    _ = try a.push()
    _ = try b.fetch()
    #expect(try b.rowsTest("origin/side") == a.rowsTest("side"))
    for repository in [a, b, try clones.clone()] { #expect(try repository.check().problems == []) }
  }

  @Test("packs of a push that was broken off, and that another's clean-up has deleted, are put again")
  func deletedBeforePushed() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    _ = try a.push()
    let b = try clones.clone()
    try a.commitTest(noise(0..<100, byteCount: 4000, seed: 2))
    clones.refused.prefix.withLock { $0 = "log/" }
    #expect(throws: DSVError.self) { try a.push() }
    clones.refused.prefix.withLock { $0 = nil }
    #expect(try b.collectRemoteGarbage(nil, before: 0).condemnedPackCount == 1)
    #expect(try b.collectRemoteGarbage(nil, before: .max).deletedPackCount == 1)
    _ = try a.push()
    _ = try b.pull()
    #expect(try b.rowsTest() == a.rowsTest())
    #expect(try clones.clone().rowsTest() == a.rowsTest())
  }

  @Test("what a branch needs that is not the remote's any more stays on the disk")
  func demotedAfterDeletion() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    try a.makeBranch("side", at: try a.resolve("HEAD").commit)
    try a.checkout(try a.resolve("side"))
    try a.commitTest(noise(0..<100, byteCount: 4000, seed: 2))
    let side = try a.resolve("side").commit
    try a.checkout(try a.resolve("main"))
    _ = try a.pushAll()
    let b = try clones.clone()
    // a does not know of it.
    try delete("side", b)
    _ = try b.collectRemoteGarbage(nil, before: 0)
    #expect(try a.demote([side]).refusedCount > 0)
    _ = try b.collectRemoteGarbage(nil, before: .max)
    #expect(try a.rowsTest("side").count == 101)
    #expect(try a.check().problems == [])
  }

  @Test("a clean-up of the remote keeps what this repository has left to it")
  func cleanUpAfterDemotion() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    try a.makeBranch("side", at: try a.resolve("HEAD").commit)
    try a.checkout(try a.resolve("side"))
    try a.commitTest(noise(0..<100, byteCount: 4000, seed: 2))
    let side = try a.resolve("side").commit
    try a.checkout(try a.resolve("main"))
    _ = try a.pushAll()
    #expect(try a.demote([side]).objectCount > 0)
    try delete("side", a)
    _ = try a.collectRemoteGarbage(nil, before: 0)
    _ = try a.collectRemoteGarbage(nil, before: .max)
    #expect(try a.rowsTest("side").count == 101)
  }

  @Test("a clone that begins with a checkpoint does without packs that were deleted since")
  func clonedAfterDeletion() throws {
    let a = try clones.new()
    try a.commitTest([row(0)], .replace)
    try a.makeBranch("side", at: try a.resolve("HEAD").commit)
    try a.checkout(try a.resolve("side"))
    try a.commitTest(noise(0..<50, byteCount: 4000, seed: 2))
    _ = try a.pushAll()
    try a.checkout(try a.resolve("main"))
    for number in 1..<65 {
      try a.commitTest([row(number)])
      _ = try a.push()
    }
    try delete("side", a)
    #expect(try a.collectRemoteGarbage(nil, before: 0).condemnedPackCount > 0)
    #expect(try a.collectRemoteGarbage(nil, before: .max).deletedPackCount > 0)
    #expect(try clones.clone().rowsTest() == a.rowsTest())
  }

  @Test("pushes and collections that take turns at random lose nothing", arguments: [1, 2, 3] as [UInt64])
  func random(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let a = try clones.new()
    try a.commitTest([row(0)], .replace)
    _ = try a.push()
    let b = try clones.clone()
    for round in 0..<12 {
      let repository = random.oneIn(2) ? a : b
      let name = "branch\(random.below(3))"
      switch random.below(4) {
      case 0:
        if try repository.branches().contains(where: { $0.name == name }) {
          try repository.checkout(try repository.resolve(name))
        }
      case 1:
        if try repository.store.ref("remotes/origin/heads/\(name)") != nil { try delete(name, repository) }
      case 2: _ = try b.collectRemoteGarbage(nil, before: random.oneIn(2) ? 0 : .max)
      default:
        let new = "branch\(round % 3)"
        if try !repository.branches().contains(where: { $0.name == new }) {
          try repository.makeBranch(new, at: try repository.resolve("HEAD").commit)
          try repository.checkout(try repository.resolve(new))
        }
        try repository.commitTest(noise(round * 10..<round * 10 + 10, byteCount: 3000, seed: seed))
        // Another may have made a branch of that name.
        _ = Result { try repository.push() }
      }
    }
    _ = try b.collectRemoteGarbage(nil, before: .max)
    _ = try b.collectRemoteGarbage(nil, before: .max)
    let fresh = try clones.clone()
    #expect(try fresh.check().problems == [], "seed \(seed)")
    for branch in try fresh.remoteBranches() {
      let owner = try a.store.contains(AnyID(branch.commit)) ? a : b
      #expect(try fresh.rowsTest(branch.name) == owner.rowsTest(branch.commit.description), "seed \(seed)")
    }
  }
}
