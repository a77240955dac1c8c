import DSV
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import DSVVersions
import Glibc
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
    let lazy = try clones.lazyClone()
    #expect(try a.collectRemoteGarbage(nil, before: 0).condemnedPackCount == 0)
    try a.deleteThere("side")
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
    try a.branchOff("side")
    try a.commitTest(noise(0..<20, byteCount: 4000, seed: 1), .replace, table: "own")
    try a.commitTest(noise(20..<40, byteCount: 4000, seed: 2), .replace, table: "own")
    _ = try a.push()
    // The same snapshot without the one between.
    try a.checkout(try a.resolve("main"))
    try a.commitTest(noise(20..<40, byteCount: 4000, seed: 2), .replace, table: "own")
    #expect(try a.resolve("main").commit != a.resolve("side").commit)
    _ = try a.push()
    try a.deleteThere("side")
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

  @Test("with versions never pushed, a lazy clone and one that demoted clean up a remote and lose nothing")
  func unpushed() throws {
    let a = try clones.new()
    for start in [0, 20] { try a.commitTest(noise(start..<start + 20, byteCount: 4000, seed: 1)) }
    try a.makeBranch("side", at: try a.resolve("v1").commit)
    _ = try a.pushAll()
    let lazy = try clones.lazyClone()
    try lazy.commitTest([row(7)])
    let rows = try a.rowsTest()
    #expect(try a.demote([try a.resolve("v2").commit]).objectCount > 0)
    try a.commitTest([row(8)])
    try a.deleteThere("side")
    for repository in [lazy, a] {
      _ = try repository.fetch()
      _ = try repository.collectRemoteGarbage(nil, before: 0)
      _ = try repository.collectRemoteGarbage(nil, before: .max)
    }
    #expect(try lazy.rowsTest() == rows + [row(7)])
    #expect(try a.rowsTest() == rows + [row(8)])
    for repository in [lazy, a] { #expect(try repository.check().problems == []) }
  }

  @Test("a demoted version that no branch names any more is kept on the remote for as long as it is here")
  func demotedAndDeleted() throws {
    let a = try clones.new()
    try a.commitTest([row(1)])
    try a.branchOff("side")
    try a.commitTest(noise(20..<40, byteCount: 4000, seed: 2))
    let rows = try a.rowsTest()
    _ = try a.pushAll()
    #expect(try a.demote([try a.resolve("side").commit]).objectCount > 0)
    try a.checkout(try a.resolve("main"))
    try a.deleteBranch("side")
    try a.deleteThere("side")
    for time in [0, Int.max] { _ = try a.collectRemoteGarbage(nil, before: time) }
    try a.makeBranch("again", at: try a.resolve("v2").commit)
    #expect(try a.rowsTest("again") == rows)
    #expect(try a.check().problems == [])
    // Once gc lets go of it here, it goes there as well.
    try a.deleteBranch("again")
    _ = try a.collectGarbage(since: .max, garbageShareMin: 0)
    #expect(try a.collectRemoteGarbage(nil, before: 0).condemnedPackCount > 0)
  }

  @Test("what a clean-up or a push from here has put in vain goes with the next clean-ups from here")
  func putInVain() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    try a.makeBranch("side", at: try a.resolve("HEAD").commit)
    try a.commitTest(noise(0..<50, byteCount: 4000, seed: 1))
    try a.checkout(try a.resolve("side"))
    try a.commitTest(noise(50..<100, byteCount: 4000, seed: 2))
    _ = try a.pushAll()
    try a.deleteThere("side")
    try a.commitTest(noise(100..<150, byteCount: 4000, seed: 3))
    clones.refused.prefix.withLock { $0 = "log/" }
    let before = try packKeys().count
    #expect(throws: DSVError.self) { try a.collectRemoteGarbage(nil, before: 0) }
    #expect(throws: DSVError.self) { try a.push() }
    clones.refused.prefix.withLock { $0 = nil }
    #expect(try packKeys().count >= before + 4)
    // What the push has put may be of use yet.
    _ = try a.collectRemoteGarbage(nil, before: 0)
    let journal = "\(a.store.root)/remotes/origin/push"
    #expect(try FileSystem.list(journal).count == 1)
    for _ in 0..<2 { _ = try a.collectRemoteGarbage(nil, before: .max) }
    #expect(try FileSystem.list(journal).isEmpty)
    let catalogue = try Catalogue("\(a.store.root)/remotes/origin")
    #expect(try packKeys().count == catalogue.allPacks.count * 2)
    #expect(try clones.clone().rowsTest() == a.rowsTest("main"))
    _ = try a.push()
    #expect(try clones.clone().check().problems == [])
  }

  @Test("what the remote needs only as others build on it is not left to the remote")
  func basesNotDemoted() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    try a.branchOff("side")
    try a.commitTest(noise(0..<100, byteCount: 4000, seed: 1))
    for number in 0..<3 { try a.commitTest([row(2000 + number)]) }
    _ = try a.push()
    // The same rows at once.
    try a.checkout(try a.resolve("main"))
    try a.commitTest(noise(0..<100, byteCount: 4000, seed: 1) + (0..<3).map { row(2000 + $0) })
    _ = try a.push()
    let b = try clones.clone()
    try a.deleteThere("side")
    let between = try ["side~1", "side~2", "side~3"].map { try a.resolve($0).commit }
    let rows = try between.map { try a.rowsTest($0.description) }
    _ = try a.demote(between + [try a.resolve("side").commit, try a.resolve("main").commit])
    _ = try b.collectRemoteGarbage(nil, before: 0)
    _ = try b.collectRemoteGarbage(nil, before: .max)
    // One that has nothing in memory.
    let again = try Repository.open(at: a.path, options: clones.options)
    _ = try again.fetch()
    #expect(try between.map { try again.rowsTest($0.description) } == rows)
    #expect(try again.check().problems == [])
    #expect(try clones.clone().check().problems == [])
  }

  @Test("a push that a gc came before sends what was given up")
  func raced() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    _ = try a.push()
    try a.branchOff("side")
    try a.commitTest(noise(0..<100, byteCount: 4000, seed: 2))
    _ = try a.push()
    let b = try clones.clone()
    try a.deleteThere("side")
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
    let byteCountBefore = try byteCount()
    let condemned = try b.collectRemoteGarbage(nil, before: 0)
    let deleted = try b.collectRemoteGarbage(nil, before: .max)
    #expect(condemned.condemnedPackCount == 1 && deleted.deletedPackCount == 1)
    // The log never said how long it is.
    let byteCount = try byteCountBefore - byteCount()
    #expect(byteCount > 0 && condemned.condemnedByteCount == byteCount)
    #expect(deleted.deletedByteCount == byteCount)
    _ = try a.push()
    _ = try b.pull()
    #expect(try b.rowsTest() == a.rowsTest())
    #expect(try clones.clone().rowsTest() == a.rowsTest())
  }

  @Test("what killed writers have left in a folder goes with a clean-up, once it is a day old")
  func leftovers() throws {
    let url = "\(clones.folder.path)/remote"
    let a = try Repository.initialize(at: clones.newPath(), options: .init(threadCount: 0))
    try a.commitTest([row(1)])
    _ = try a.addRemote("origin", url: "file://\(url)")
    _ = try a.push()
    let (old, new) = (String(repeating: "01", count: 16), String(repeating: "02", count: 16))
    for name in [old, new] { try FileSystem.replace("\(url)/.tmp/\(name)", with: [1], isDurable: false) }
    let time = timespec(tv_sec: Clock.secondsSince1970() - 90_000, tv_nsec: 0)
    #expect(utimensat(AT_FDCWD, "\(url)/.tmp/\(old)", [time, time], 0) == 0)
    _ = try a.collectRemoteGarbage(nil, before: 0)
    #expect(try FileSystem.list("\(url)/.tmp") == [new])
  }

  @Test("what a branch needs that is not the remote's any more stays on the disk")
  func demotedAfterDeletion() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    try a.branchOff("side")
    try a.commitTest(noise(0..<100, byteCount: 4000, seed: 2))
    let side = try a.resolve("side").commit
    try a.checkout(try a.resolve("main"))
    _ = try a.pushAll()
    let b = try clones.clone()
    // a does not know of it.
    try b.deleteThere("side")
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
    try a.branchOff("side")
    try a.commitTest(noise(0..<100, byteCount: 4000, seed: 2))
    let side = try a.resolve("side").commit
    try a.checkout(try a.resolve("main"))
    _ = try a.pushAll()
    #expect(try a.demote([side]).objectCount > 0)
    try a.deleteThere("side")
    // What was not pushed may need what was left to the remote.
    try a.makeBranch("next", at: side)
    try a.checkout(try a.resolve("next"))
    try a.commitTest([row(1000)])
    _ = try a.collectRemoteGarbage(nil, before: 0)
    _ = try a.collectRemoteGarbage(nil, before: .max)
    #expect(try a.rowsTest("side").count == 101)
    #expect(try a.rowsTest("next").count == 102)
  }

  @Test("a clone that begins with a checkpoint does without packs that were deleted since")
  func clonedAfterDeletion() throws {
    let a = try clones.new()
    try a.commitTest([row(0)], .replace)
    try a.branchOff("side")
    try a.commitTest(noise(0..<50, byteCount: 4000, seed: 2))
    _ = try a.pushAll()
    try a.checkout(try a.resolve("main"))
    for number in 1..<65 {
      try a.commitTest([row(number)])
      _ = try a.push()
    }
    try a.deleteThere("side")
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
        if try repository.store.ref("remotes/origin/heads/\(name)") != nil {
          try repository.deleteThere(name)
        }
      case 2: _ = try b.collectRemoteGarbage(nil, before: random.oneIn(2) ? 0 : .max)
      default:
        let new = "branch\(round % 3)"
        if try !repository.branches().contains(where: { $0.name == new }) {
          try repository.makeBranch(new, at: try repository.resolve("HEAD").commit)
          try repository.checkout(try repository.resolve(new))
        }
        try repository.commitTest(noise(round * 10..<round * 10 + 10, byteCount: 3000, seed: seed))
        // Another may have made a branch of that name.
        do throws(DSVError) { _ = try repository.push() } catch {
          guard error.code == .conflict || error.code == .busy else { throw error }
        }
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
