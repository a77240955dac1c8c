import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTables
import DSVTesting
import DSVVersions
import Synchronization
import Testing

@testable import DSV

/// Encrypted repositories on a remote.
@Suite struct EncryptedTests {
  let clones: Clones

  init() throws {
    clones = try Clones()
    clones.key = .random()
  }

  /// The values of the remote, by key.
  private func values() throws -> [String: [UInt8]] {
    var values: [String: [UInt8]] = [:]
    for entry in try clones.bucket.base.list(prefix: "", after: nil, limit: 1000) {
      values[entry.key] = try clones.bucket.base.get(entry.key, limit: 1 << 30)
    }
    return values
  }

  @Test("what is pushed is cloned with the key, and with no other")
  func pushAndClone() throws {
    let a = try clones.new()
    try a.commitTest(noise(0..<100, byteCount: 4000, seed: 1), .replace, key: ["id"])
    for number in 0..<10 { try a.commitTest([row(100 + number)]) }
    try a.makeTag("paper", at: try a.resolve("v2").commit)
    _ = try a.pushAll()
    let b = try clones.clone()
    #expect(b.isEncrypted)
    #expect(try b.check().problems == [])
    for number in 1...11 { #expect(try b.rowsTest("v\(number)") == a.rowsTest("v\(number)")) }
    #expect(try b.resolve("origin/paper").commit == a.resolve("v2").commit)
    // Both go on.
    try a.commitTest([row(300)])
    _ = try a.push()
    try b.commitTest([row(400)])
    _ = try b.pull(rebases: true)
    _ = try b.push()
    _ = try a.pull()
    #expect(try a.rowsTest() == b.rowsTest())
    #expect(try a.check().problems == [] && b.check().problems == [])

    let key = clones.key
    for other in [nil, RepositoryKey.random()] {
      clones.key = other
      let path = clones.newPath()
      let error = #expect(throws: DSVError.self) {
        try Repository.clone("s3://test/prefix", to: path, options: clones.options)
      }
      #expect(error?.code == .wrongKey)
      #expect(try !FileSystem.exists("\(path)/.dsv"))
    }
    clones.key = key
  }

  @Test(
    "keys that are exchanged go to the remote and to who fetches; a key that was revoked fetches nothing more"
  )
  func rotation() throws {
    let a = try clones.new()
    try a.commitTest((0..<20).map { row($0) }, .replace)
    _ = try a.push()
    let old = try #require(clones.key)
    let second = RepositoryKey.random()
    _ = try a.addKey(second)
    try a.commitTest([row(100)])
    _ = try a.push()
    // B has the second key.
    clones.key = second
    let b = try clones.clone()
    let stale = try clones.clone()
    #expect(try b.rowsTest() == a.rowsTest())
    let oldID = try #require(try b.keys().first { !$0.isOwn }?.id)
    // B takes the first away, with what both have pushed being there.
    try b.revokeKey(oldID)
    try b.commitTest([row(200)])
    _ = try b.push()
    #expect(try OpenKeyrings.numbers(clones.bucket.base).count == 1)
    // A has only the first.
    let error = #expect(throws: DSVError.self) { try a.fetch() }
    #expect(error?.code == .wrongKey)
    clones.key = old
    #expect(throws: DSVError.self) { try clones.clone() }
    // Who has the second goes on, with what was sealed before and after.
    clones.key = second
    _ = try stale.pull()
    #expect(try stale.rowsTest() == b.rowsTest())
    try stale.commitTest([row(300)])
    _ = try stale.push()
    _ = try b.pull()
    #expect(try b.rowsTest() == stale.rowsTest())
    #expect(try clones.clone().rowsTest() == b.rowsTest())
    // And after everything was written again here.
    try b.reencrypt()
    try b.commitTest([row(400)])
    _ = try b.push()
    _ = try stale.pull()
    #expect(try stale.rowsTest() == b.rowsTest())
    #expect(try clones.clone().check().problems == [])
    #expect(try b.check().problems == [])
  }

  @Test(
    "a key that was rotated here is rotated there with the next push, and what is set of tiers is read on")
  func ownRotation() throws {
    let a = try clones.new()
    try a.commitTest((0..<20).map { row($0) }, .replace)
    var tiers = TierSettings()
    tiers.policy = try TierPolicy("keep main on disk")
    try a.setTiers(tiers)
    _ = try a.push()
    let new = RepositoryKey.random()
    _ = try a.rotateKey(to: new)
    try a.reencrypt()
    try a.commitTest([row(100)])
    _ = try a.push()
    #expect(try a.tierSettings() == tiers)
    #expect(throws: DSVError.self) { try clones.clone() }
    clones.key = new
    let b = try clones.clone()
    #expect(try b.rowsTest() == a.rowsTest())
    try b.commitTest([row(200)])
    _ = try b.push()
    _ = try a.pull()
    #expect(try a.rowsTest() == b.rowsTest())
  }

  @Test("a key that another process takes away in the middle of a push or a clean-up adds nothing to the log")
  func revokedMeanwhile() throws {
    let a = try clones.new()
    try a.commitTest((0..<20).map { row($0) }, .replace)
    let (first, second) = (try #require(clones.key), RepositoryKey.random())
    _ = try a.addKey(second)
    _ = try a.push()
    let firstID = try #require(try a.keys().first { $0.isOwn }?.id)
    clones.key = second
    let other = try Repository.open(at: a.path, options: clones.options)
    clones.refused.other.withLock { $0 = { try other.revokeKey(firstID) } }
    try a.commitTest([row(100)])
    func named() throws -> Set<String> { Set(try values().keys.filter { !$0.hasPrefix("packs/") }) }
    let before = try named()
    let error = #expect(throws: DSVError.self) { try a.push() }
    #expect(error?.code == .wrongKey)
    #expect(try named() == before)
    #expect(throws: DSVError.self) { try a.collectRemoteGarbage(nil, before: .max) }
    _ = try other.push()
    #expect(try clones.clone().rowsTest() == other.rowsTest())
    clones.key = first
    #expect(throws: DSVError.self) { try clones.clone() }
  }

  @Test(
    "where others' keys change in the middle of a push, its entry is under the new ones, which the remote has"
  )
  func exchangedMeanwhile() throws {
    let a = try clones.new()
    try a.commitTest((0..<20).map { row($0) }, .replace)
    let (first, second) = (try #require(clones.key), RepositoryKey.random())
    _ = try a.addKey(second)
    _ = try a.push()
    let b = try clones.clone()
    let secondID = try #require(try a.keys().first { !$0.isOwn }?.id)
    let other = try Repository.open(at: a.path, options: clones.options)
    try a.commitTest([row(100)])
    clones.refused.other.withLock { $0 = { try other.revokeKey(secondID) } }
    _ = try a.push()
    // Before anything else is pushed.
    clones.key = second
    #expect(throws: DSVError.self) { try clones.clone() }
    clones.key = first
    #expect(try clones.clone().rowsTest() == a.rowsTest())
    _ = try b.pull()
    #expect(try b.rowsTest() == a.rowsTest())
  }

  /// A repository that others' keys do not open any more, or not yet, and what it is told.
  private func expectWrongKey(_ repository: Repository, opens id: String) {
    let error = #expect(throws: DSVError.self) { try repository.push() }
    #expect(error?.code == .wrongKey)
    #expect(error?.message.contains("dsv key add") == true && error?.message.contains(id) == true)
  }

  @Test(
    "keys that one rotates while another adds some: who is left out is told what to do, and that helps",
    arguments: [false, true])
  func rotatedWhileAdded(isPassphrase: Bool) throws {
    let a = try clones.new()
    try a.commitTest((0..<20).map { row($0) }, .replace)
    _ = try a.push()
    let old = try #require(clones.key)
    let b = try clones.clone()
    let new = isPassphrase ? RepositoryKey(passphrase: "a new one") : .random()
    let newID = try a.rotateKey(to: new)
    // B's is on the remote first, and A's new key does not open it.
    _ = try b.addKey(.random())
    try b.commitTest([row(100)])
    _ = try b.push()
    try a.commitTest([row(200)])
    clones.key = new
    let aNew = try Repository.open(at: a.path, options: clones.options)
    let oldID = try #require(try b.keys().first { $0.isOwn }?.id)
    expectWrongKey(aNew, opens: oldID)
    // What the message says.
    _ = try aNew.addKey(old)
    clones.key = old
    let aOld = try Repository.open(at: a.path, options: clones.options)
    _ = try aOld.pull(rebases: true)
    _ = try aOld.push()
    clones.key = new
    try Repository.open(at: a.path, options: clones.options).revokeKey(oldID)
    _ = try aNew.push()
    #expect(try clones.clone().rowsTest() == aNew.rowsTest())
    // Now B is left out, until it has A's.
    try b.commitTest([row(300)])
    expectWrongKey(b, opens: newID)
    _ = try b.addKey(new)
    let bNew = try Repository.open(at: b.path, options: clones.options)
    _ = try bNew.pull(rebases: true)
    _ = try bNew.push()
    #expect(try bNew.keys().count == 1)
    _ = try aNew.pull()
    #expect(try aNew.rowsTest() == bNew.rowsTest())
    #expect(try clones.clone().rowsTest() == aNew.rowsTest())
    for repository in [aNew, bNew] { #expect(try repository.check().problems == []) }
  }

  @Test("keys that both sides have exchanged are told as such, with what to do, and nothing is changed")
  func rotatedOnBothSides() throws {
    let a = try clones.new()
    try a.commitTest((0..<20).map { row($0) }, .replace)
    _ = try a.push()
    let b = try clones.clone()
    let (keyOfA, keyOfB) = (RepositoryKey.random(), RepositoryKey.random())
    let idOfA = try a.rotateKey(to: keyOfA)
    _ = try b.rotateKey(to: keyOfB)
    try a.commitTest([row(100)])
    clones.key = keyOfA
    _ = try Repository.open(at: a.path, options: clones.options).push()
    try b.commitTest([row(200)])
    clones.key = keyOfB
    let bNew = try Repository.open(at: b.path, options: clones.options)
    expectWrongKey(bNew, opens: idOfA)
    _ = try bNew.addKey(keyOfA)
    clones.key = keyOfA
    let before = try values()
    let error = #expect(throws: DSVError.self) {
      try Repository.open(at: b.path, options: clones.options).push()
    }
    #expect(error?.code == .conflict)
    #expect(error?.message.contains("clone the remote") == true)
    #expect(try values() == before)
    // That works, and what is here stays readable.
    let clone = try clones.clone()
    #expect(try clone.rowsTest().count == 21 && bNew.rowsTest().count == 21)
    #expect(try bNew.check().problems == [])
  }

  @Test("an exchange of keys does not lock out those whom others have let in meanwhile")
  func addedElsewhere() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    _ = try a.push()
    let (b, theirs) = (try clones.clone(), RepositoryKey.random())
    let id = try b.addKey(theirs)
    try b.commitTest([row(2)])
    _ = try b.push()
    let error = try #require(throws: DSVError.self) { try a.rotateKey(to: .random()) }
    #expect(error.code == .badInput && error.message.contains(id))
    #expect(try a.keys().map(\.id).contains(id))
    let new = RepositoryKey.random()
    _ = try a.rotateKey(to: new, keeping: [theirs])
    clones.key = new
    let aNew = try Repository.open(at: a.path, options: clones.options)
    _ = try aNew.pull()
    try aNew.commitTest([row(3)])
    _ = try aNew.push()
    clones.key = theirs
    #expect(try clones.clone().rowsTest() == aNew.rowsTest())
  }

  @Test("a remote that was taken away before everything was encrypted anew comes back")
  func takenAway() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    _ = try a.push()
    try a.removeRemote("origin")
    try a.reencrypt()
    try a.commitTest([row(2)])
    _ = try a.addRemote("origin", url: "s3://test/prefix")
    _ = try a.push()
    #expect(try clones.clone().rowsTest() == [row(1), row(2)])
  }

  @Test("a keyring with a number that nobody has given changes nothing")
  func numberOfKeyring() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    _ = try a.push()
    let first = try #require(try clones.bucket.base.get(RemoteLayout.keyring(1), limit: 1 << 20))
    for digits in ["7fffffffffffffff", "ffffffffffffffff", "1000000000000000"] {
      try clones.bucket.base.put(RemoteLayout.keyringPrefix + digits, first)
    }
    _ = try a.addKey(.random())
    try a.commitTest([row(2)])
    _ = try a.push()
    #expect(try clones.clone().rowsTest() == [row(1), row(2)])
  }

  @Test("a plain repository and an encrypted one do not share a remote")
  func mixed() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    _ = try a.push()
    clones.key = nil
    let plain = try Repository.initialize(at: clones.newPath(), options: clones.options)
    let error = #expect(throws: DSVError.self) { try plain.addRemote("origin", url: "s3://test/prefix") }
    #expect(error?.code == .conflict)
    clones.key = .random()
    let other = try clones.new()
    try other.commitTest([row(1)], .replace)
    #expect(throws: DSVError.self) { try other.push() }
  }

  @Test("swapped, replayed and changed values of the remote are refused")
  func damage() throws {
    let a = try clones.new()
    try a.commitTest(noise(0..<50, byteCount: 1000, seed: 1), .replace)
    _ = try a.push()
    try a.commitTest(noise(50..<100, byteCount: 1000, seed: 2))
    _ = try a.push()
    let good = try values()
    var random = SeededGenerator(seed: 3)
    /// - Parameter names: of the values that are changed, or of the objects that lie in them.
    func expectRefused(_ context: String, _ names: [String], _ change: () throws -> Void) throws {
      try change()
      let error = #expect(throws: DSVError.self, "\(context)") { try clones.clone() }
      #expect(error?.code == .corrupt, "\(context): \(error as Any)")
      #expect(names.contains { error?.message.contains($0) == true }, "\(context): \(error as Any)")
      for (key, bytes) in good { try clones.bucket.base.put(key, bytes) }
    }
    let (one, two) = (RemoteLayout.entry(1), RemoteLayout.entry(2))
    try expectRefused("entries swapped", [one, two]) {
      try clones.bucket.base.put(one, good[two] ?? [])
      try clones.bucket.base.put(two, good[one] ?? [])
    }
    try expectRefused("an entry replayed", [two]) { try clones.bucket.base.put(two, good[one] ?? []) }
    let packs = good.keys.filter { $0.hasSuffix(".pack") }.sorted()
    var objects: [String: [String]] = [:]
    try a.catalogue("origin").forEachObject { id, place in
      objects[place.pack.key, default: []].append("\(id)")
    }
    try #require(packs.allSatisfy { objects[$0]?.isEmpty == false })
    try expectRefused("a pack in another's place", packs[..<2].flatMap { [$0] + (objects[$0] ?? []) }) {
      try clones.bucket.base.put(packs[0], good[packs[1]] ?? [])
      try clones.bucket.base.put(packs[1], good[packs[0]] ?? [])
    }
    let indexes = good.keys.filter { $0.hasSuffix(".idx") }.sorted()
    try expectRefused("an index in another's place", Array(indexes[..<2])) {
      try clones.bucket.base.put(indexes[0], good[indexes[1]] ?? [])
      try clones.bucket.base.put(indexes[1], good[indexes[0]] ?? [])
    }
    for round in 0..<60 {
      let keys = good.keys.filter { $0 != "format" }.sorted()
      let key = keys[random.below(keys.count)]
      var bytes = good[key] ?? []
      bytes[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
      // What a pack's header says beside its name nobody needs.
      if key.hasSuffix(".pack") { bytes[32 + random.below(bytes.count - 32)] ^= 1 }
      try expectRefused("round \(round): \(key)", [key] + (objects[key] ?? [])) {
        try clones.bucket.base.put(key, bytes)
      }
    }
    #expect(try clones.clone().rowsTest() == a.rowsTest())
  }
}

private enum OpenKeyrings {
  static func numbers(_ bucket: any Bucket) throws -> [String] {
    try bucket.list(prefix: RemoteLayout.keyringPrefix, after: nil, limit: 100).map(\.key)
  }
}
