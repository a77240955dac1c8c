import DSV
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import Testing

/// What a repository has left to its remotes, and what may be done to those.
@Suite struct LeftToRemotesTests {
  let clones: Clones

  init() throws { clones = try Clones() }

  private func packs() throws -> [String] {
    try clones.bucket.base.list(prefix: RemoteLayout.packPrefix, after: nil, limit: 1000).map(\.key)
      .filter { $0.hasSuffix(".pack") }
  }

  @Test("nothing leaves the disk for a pack that a read found damaged, though it was read back before")
  func damagedSince() throws {
    let a = try clones.new()
    try a.commitTest(noise(0..<40, byteCount: 4000, seed: 1), .replace)
    try a.commitTest(noise(40..<80, byteCount: 4000, seed: 2), .replace)
    _ = try a.push()
    let rows = try a.rowsTest("v2")
    #expect(try a.demote([try a.resolve("v1").commit]).objectCount > 0)
    for key in try packs() {
      var bytes = try #require(try clones.bucket.base.get(key, limit: 1 << 30))
      for place in stride(from: 500, to: bytes.count, by: 400) { bytes[place] ^= 1 }
      try clones.bucket.base.put(key, bytes)
    }
    let fresh = try Repository.open(at: a.path, options: clones.options)
    #expect(throws: DSVError.self) { try fresh.rowsTest("v1") }
    let result = try fresh.demote([try fresh.resolve("v2").commit])
    #expect(result.objectCount == 0 && result.refusedCount > 0)
    #expect(try fresh.rowsTest("v2") == rows)
  }

  @Test("what a rule keeps on the disk stays, whatever the budget")
  func keptOverBudget() throws {
    let a = try clones.new()
    try a.commitTest(noise(0..<40, byteCount: 4000, seed: 1), .replace)
    _ = try a.push()
    var settings = TierSettings()
    settings.policy = try TierPolicy("keep everything on disk")
    settings.diskByteCount = 10_000
    try a.setTiers(settings)
    let kept = try a.applyTiers(garbageShareMin: 0)
    #expect(kept.objectCount == 0 && kept.overBudgetByteCount > 0)
    settings.policy = try TierPolicy("")
    try a.setTiers(settings)
    #expect(try a.applyTiers(garbageShareMin: 0).objectCount > 0)
  }

  @Test("a remote that holds what is nowhere else stays; one that holds nothing more than is here goes")
  func removal() throws {
    let a = try clones.new()
    try a.commitTest(noise(0..<40, byteCount: 4000, seed: 1), .replace)
    try a.commitTest([row(100)])
    _ = try a.push()
    let b = try clones.lazyClone()
    let error = try #require(throws: DSVError.self) { try b.removeRemote("origin") }
    #expect(error.code == .conflict && error.message.contains("tier promote"))
    #expect(try b.rowsTest("v1") == a.rowsTest("v1"))
    _ = try b.promote([try b.resolve("v1").commit, try b.resolve("v2").commit])
    try b.removeRemote("origin")
    let alone = try Repository.open(at: b.path, options: clones.options)
    #expect(try alone.rowsTest() == a.rowsTest())
    #expect(try alone.check().problems == [])
  }

  @Test("a copy of a remote that lacks a pack is no place for it")
  func lackingCopy() throws {
    let a = try clones.new()
    try a.commitTest(noise(0..<40, byteCount: 4000, seed: 1), .replace)
    _ = try a.push()
    let key = try packs()[0]
    let bytes = try #require(try clones.bucket.base.get(key, limit: 1 << 30))
    try clones.bucket.base.delete([key])
    let error = try #require(throws: DSVError.self) { try a.setRemoteURL("origin", url: "s3://test/other") }
    #expect(error.code == .conflict && error.message.contains(key))
    #expect(try a.remotes().map(\.url) == ["s3://test/prefix"])
    try clones.bucket.base.put(key, bytes)
    #expect(try a.setRemoteURL("origin", url: "s3://test/other").url == "s3://test/other")
  }

  @Test("a clone that is refused takes nothing away that was fetched before")
  func refusedClone() throws {
    let a = try clones.new()
    try a.commitTest([row(1)])
    _ = try a.push()
    let path = clones.newPath()
    #expect(throws: DSVError.self) {
      _ = try Repository.clone("s3://test/prefix", to: path, options: clones.options) {
        progress throws(DSVError) in
        if progress.phase.hasPrefix("asking") { throw DSVError(.interrupted, "enough") }
      }
    }
    var options = CloneOptions()
    options.branch = "none"
    #expect(throws: DSVError.self) {
      _ = try Repository.clone("s3://test/prefix", to: path, options, options: clones.options)
    }
    #expect(try FileSystem.exists("\(path)/.dsv"))
    let b = try Repository.clone("s3://test/prefix", to: path, options: clones.options).repository
    #expect(try b.rowsTest() == [row(1)])
  }

  @Test("everything is encrypted again under the keys that others have exchanged meanwhile, and read on")
  func reencryptedAfterOthers() throws {
    let (first, second, third) = (RepositoryKey.random(), RepositoryKey.random(), RepositoryKey.random())
    clones.key = first
    let a = try clones.new()
    try a.commitTest(noise(0..<40, byteCount: 4000, seed: 1), .replace)
    _ = try a.addKey(second)
    _ = try a.push()
    let rows = try a.rowsTest()
    let b = try clones.lazyClone()
    clones.key = second
    let c = try clones.clone()
    _ = try c.rotateKey(to: third, keeping: [first])
    clones.key = third
    _ = try Repository.open(at: c.path, options: clones.options).push()
    clones.key = first
    try b.reencrypt()
    #expect(try b.rowsTest() == rows)
    try b.commitTest([row(1)])
    _ = try b.push()
    #expect(try clones.clone().rowsTest() == b.rowsTest())
  }
}
