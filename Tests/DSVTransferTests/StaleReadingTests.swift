import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import DSVVersions
import Synchronization
import Testing

@testable import DSV

/// What others have done to a remote since it was last looked at, and what reads and verifications make of it.
@Suite struct StaleReadingTests {
  let clones: Clones

  init() throws { clones = try Clones() }

  /// Gives the remote a pack of which some goes when the branch `side` does.
  private func filled() throws -> Repository {
    let a = try clones.new()
    try a.commitTest(noise(0..<40, byteCount: 4000, seed: 1), .replace)
    try a.branchOff("side")
    try a.commitTest(noise(100..<140, byteCount: 4000, seed: 2))
    _ = try a.pushAll()
    try a.checkout(try a.resolve("main"))
    return a
  }

  private func cleanUp(_ a: Repository) throws {
    try a.deleteThere("side")
    #expect(try a.collectRemoteGarbage(nil, before: 0).rewrittenPackCount > 0)
    #expect(try a.collectRemoteGarbage(nil, before: .max).deletedPackCount > 0)
  }

  @Test(
    "a lazy clone reads on after keys were exchanged and packs written anew; whose key was revoked is told what to do"
  )
  func keysExchanged() throws {
    let (first, second, third) = (RepositoryKey.random(), RepositoryKey.random(), RepositoryKey.random())
    clones.key = first
    let a = try filled()
    _ = try a.addKey(second)
    try a.commitTest([row(500)])
    _ = try a.push()
    let revoked = try clones.lazyClone()
    clones.key = second
    let b = try clones.lazyClone()
    clones.key = first
    let keysBefore = Set(try b.keys().map(\.id))
    _ = try a.rotateKey(to: third, keeping: [second])
    clones.key = third
    let again = try Repository.open(at: a.path, options: clones.options)
    try again.commitTest([row(501)])
    _ = try again.push()
    try cleanUp(again)

    #expect(try b.rowsTest() == again.rowsTest("HEAD~1"))
    // Nothing was taken over by reading; fetching does.
    #expect(try Set(b.keys().map(\.id)) == keysBefore)
    _ = try b.pull()
    #expect(try b.rowsTest() == again.rowsTest())
    #expect(try Set(b.keys().map(\.id)) != keysBefore)

    let error = try #require(throws: DSVError.self) { try revoked.rowsTest() }
    #expect(error.code == .wrongKey && error.message.contains("dsv key add"))
    // The other key is this clone's too.
    clones.key = second
    let helped = try Repository.open(at: revoked.path, options: clones.options)
    #expect(try helped.rowsTest() == again.rowsTest("HEAD~1"))
  }

  @Test("a lazy clone reads what another has repaired, without being told", arguments: [false, true])
  func repaired(isEncrypted: Bool) throws {
    if isEncrypted { clones.key = .random() }
    let a = try filled()
    let lazy = try clones.lazyClone()
    for pack in try a.catalogue("origin").allPacks {
      var bytes = try #require(try clones.bucket.base.get(pack.key, limit: 1 << 26))
      for offset in stride(from: 200, to: bytes.count, by: 100) { bytes[offset] ^= 1 }
      try clones.bucket.base.put(pack.key, bytes)
    }
    #expect(try #require(throws: DSVError.self) { try lazy.rowsTest() }.code == .corrupt)
    #expect(try a.checkRemote(repairs: true).lost == [])
    #expect(try reopened(lazy).rowsTest() == a.rowsTest())
  }

  @Test("a lazy clone that has found something lost reads it once another has put it")
  func lostAndPut() throws {
    let a = try filled()
    let lazy = try clones.lazyClone()
    let packs = try a.catalogue("origin").allPacks
    try clones.bucket.base.delete(packs.map(\.key))
    #expect(try !lazy.checkRemote(repairs: true).lost.isEmpty)
    #expect(try #require(throws: DSVError.self) { try lazy.rowsTest() }.code == .notFound)
    #expect(try a.checkRemote(repairs: true).lost == [])
    #expect(try reopened(lazy).rowsTest() == a.rowsTest())
  }

  /// As another process has it: one that has just looked at a remote does not look again at once.
  private func reopened(_ repository: Repository) throws -> Repository {
    repository.close()
    return try Repository.open(at: repository.path, options: clones.options)
  }

  @Test("packs that were read back where the remote was count for nothing where it is")
  func movedMeanwhile() throws {
    let (old, new) = (MemoryBucket("memory://old"), MemoryBucket("memory://new"))
    let other = Mutex<(@Sendable () throws -> Void)?>(nil)
    let watched = FaultyBucket(old) { (call, key) throws(DSVError) in
      guard call == .getRange, key.hasPrefix(RemoteLayout.packPrefix) else { return }
      let first = other.withLock { other in
        defer { other = nil }
        return other
      }
      if let first { #expect(throws: Never.self) { try first() } }
    }
    var options = Repository.Options(threadCount: 0)
    options.openBucket = { (address, _) throws(DSVError) -> any Bucket in
      if address.url.hasSuffix("new") { return new }
      return watched
    }
    let a = try Repository.initialize(at: clones.newPath(), options: options)
    try a.commitTest(noise(0..<40, byteCount: 4000, seed: 1), .replace)
    _ = try a.addRemote("origin", url: "s3://test/old")
    _ = try a.push()
    new.contents = old.contents
    let mover = try Repository.open(at: a.path, options: options)
    other.withLock { $0 = { _ = try mover.setRemoteURL("origin", url: "s3://test/new") } }
    let result = try a.demote([try a.resolve("HEAD").commit])
    #expect(other.withLock { $0 == nil } && result.objectCount == 0 && result.refusedCount > 0)
    #expect(try a.remotes().map(\.url) == ["s3://test/new"])
    #expect(try a.catalogue("origin").allPacks.allSatisfy { $0.verifiedOver == nil })
    // Read back there, they count.
    let again = try Repository.open(at: a.path, options: options)
    #expect(try again.demote([try again.resolve("HEAD").commit]).objectCount > 0)
    #expect(try a.catalogue("origin").allPacks.contains { $0.verifiedOver != nil })
  }
}
