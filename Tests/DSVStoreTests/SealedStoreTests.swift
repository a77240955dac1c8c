import DSVFormat
import DSVSystem
import DSVTesting
import Testing

@testable import DSVStore

/// What an encrypted store refuses, and what changes of its keys do.
@Suite struct SealedStoreTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  static func key(_ first: UInt8) -> UserKey {
    .key(FernetKey(SecretBytes(copying: (0..<32).map { first &+ $0 })))
  }

  private func create() throws -> Store {
    try Store.create(at: scratch.root, refs: [("HEAD", .symbolic("heads/main"))], key: Self.key(1))
  }

  private func open(_ first: UInt8? = 1) throws(DSVError) -> Store {
    try Store.open(
      at: scratch.root,
      keys: { () throws(DSVError) in first.map(Self.key) }, note: { [scratch] in scratch.hear($0) })
  }

  /// The error's code, if that throws one.
  private func code(_ body: () throws -> Void) -> DSVError.Code? {
    do {
      try body()
      return nil
    } catch { return (error as? DSVError)?.code }
  }

  private func bytes(_ name: String) throws -> [UInt8] {
    try FileSystem.read("\(scratch.root)/\(name)", limit: 1 << 30)
  }

  private func write(_ name: String, _ bytes: [UInt8]) throws {
    try FileSystem.replace("\(scratch.root)/\(name)", with: bytes)
  }

  // MARK: - Opening

  @Test("a wrong or missing key is told at once, and nothing else is")
  func wrongKey() throws {
    _ = try create().publishTest(1)
    for first in [nil, 2 as UInt8?] {
      let error = try #require(throws: DSVError.self) { try open(first) }
      #expect(error.code == .wrongKey)
      #expect(!error.message.contains("main"))
    }
    #expect(try open().ref("heads/main") == .commit(testID(1)))
  }

  @Test("an encrypted repository that does not say so any more is refused")
  func downgrade() throws {
    _ = try create()
    try write("format", Array("dsv 1\n".utf8))
    #expect(code { _ = try open() } == .corrupt)
  }

  // MARK: - Records

  private static let header = PackLayout.Record.byteCount

  /// Where the records of pack 1 begin.
  private func records(_ store: Store) throws -> [AnyID: Place] {
    var places: [AnyID: Place] = [:]
    try store.forEachObject { (id, place) throws(DSVError) in places[id] = place }
    return places
  }

  /// The bytes of a record whose body, or other fields, are these, with a checksum that fits.
  private func record(_ bytes: [UInt8], body: [UInt8], change: (inout [UInt8]) -> Void = { _ in }) -> [UInt8]
  {
    var head = Array(bytes[..<Self.header])
    withUnsafeBytes(of: UInt32(body.count).littleEndian) {
      head.replaceSubrange(PackLayout.Record.storedByteCount..<PackLayout.Record.plainByteCount, with: $0)
    }
    change(&head)
    let seed = Hash64.of(Array(head[..<PackLayout.Record.checksum]))
    withUnsafeBytes(of: Hash64.of(body, seed: seed).littleEndian) {
      head.replaceSubrange(PackLayout.Record.checksum..<Self.header, with: $0)
    }
    return head + body
  }

  @Test(
    "a token that was swapped, replayed, cut or flipped is refused by the object's name, whatever the checksum says"
  )
  func tamperedRecords() throws {
    let store = try create()
    try store.publishTest(1)
    let early = try bytes("packs/00000001.pack")
    try store.publishTest(2)
    let base = ObjectBase(testID(1), depth: 1)
    let based = StoredObject(kind: .chunk, plainByteCount: 100, base: base, bytes: [1, 2, 3])
    let session = try store.session()
    try session.put(testID(3), based)
    try session.publish { (_) throws(DSVError) in }
    let places = try records(store)
    let pack = try bytes("packs/00000001.pack")
    func stored(_ number: UInt64) throws -> [UInt8] {
      let place = try #require(places[testID(number)])
      return Array(pack[place.offset..<place.offset + place.byteCount])
    }
    func refuses(_ number: UInt64, _ record: [UInt8], _ context: String) throws {
      let place = try #require(places[testID(number)])
      var changed = pack
      changed.replaceSubrange(place.offset..<place.offset + place.byteCount, with: record)
      try write("packs/00000001.pack", changed)
      let store = try open()
      let error = try #require(throws: DSVError.self, "\(context)") { try store.read(testID(number)) }
      #expect(error.code == .corrupt && error.message.contains("\(testID(number) as AnyID)"), "\(context)")
      #expect(try store.checkPacks().problems.contains { $0.id == testID(number) }, "\(context)")
    }
    let (one, two, three) = (try stored(1), try stored(2), try stored(3))
    let (oneBody, twoBody) = (Array(one[Self.header...]), Array(two[Self.header...]))
    try refuses(1, record(one, body: twoBody), "swapped")
    for offset in [0, 5, 20, 60, oneBody.count - 1] {
      var body = oneBody
      body[offset] ^= 1
      try refuses(1, record(one, body: body), "flipped at \(offset)")
    }
    try refuses(1, record(one, body: oneBody) { $0[PackLayout.Record.kind] = 2 }, "another kind")
    try refuses(1, record(one, body: oneBody) { $0[PackLayout.Record.plainByteCount] ^= 1 }, "another length")
    try refuses(
      1, record(one, body: oneBody) { $0[PackLayout.Record.reserved] = 0 }, "said to be no token")
    try refuses(
      3, record(three, body: (testID(2) as AnyID).bytes + three[(Self.header + 32)...]), "another base")
    try refuses(
      3, record(three, body: Array(three[Self.header...])) { $0[PackLayout.Record.baseDepth] = 2 },
      "another depth")
    // Plain bytes where tokens belong.
    let plain = testObject(1, byteCount: oneBody.count).1.bytes
    try refuses(1, record(one, body: plain) { $0[PackLayout.Record.reserved] = 0 }, "plain")
    // The same pack in an earlier state lacks what came since, and a record of another pack is none of this one.
    try write("packs/00000001.pack", early)
    #expect(code { _ = try open().read(testID(2)) } == .corrupt)
    let other = try Scratch()
    let otherStore = try Store.create(at: other.root, key: Self.key(1))
    try otherStore.publishTest(1)
    let foreign = try FileSystem.read("\(other.root)/packs/00000001.pack", limit: 1 << 20)
    try refuses(1, Array(foreign[PackLayout.Header.byteCount...]), "of another repository")
  }

  @Test("a damaged header of a pack costs nothing, though the pack's name stands there")
  func damagedHeader() throws {
    let store = try create()
    for number: UInt64 in 1...3 { try store.publishTest(number) }
    var pack = try bytes("packs/00000001.pack")
    pack[10] ^= 255
    try write("packs/00000001.pack", pack)
    let reopened = try open()
    for number: UInt64 in 1...3 { #expect(try reopened.read(testID(number)) == testObject(number).1) }
    try reopened.publishTest(4)
    #expect(try reopened.read(testID(4)) == testObject(4).1)
    // gc does not know whose the keys are, and keeps them.
    try reopened.collectGarbage(garbageShareMin: 0) { () throws(DSVError) in { _ in true } }
    #expect(try open().read(testID(1)) == testObject(1).1)
  }

  // MARK: - Refs and reflog

  @Test("refs that were swapped, and records of the reflog, are refused")
  func tamperedRefs() throws {
    let store = try create()
    try store.publishTest(1, ref: "heads/a")
    try store.publishTest(2, ref: "heads/b")
    let keys = try #require(store.keys)
    let (a, b) = (keys.refKey("heads/a"), keys.refKey("heads/b"))
    let value = keys.sealRef("heads/a", .commit(testID(1)))
    #expect(try keys.openRef(a, value).name == "heads/a")
    #expect(code { _ = try keys.openRef(b, value) } == .corrupt)
    var flipped = value
    flipped[value.count - 1] ^= 1
    #expect(code { _ = try keys.openRef(a, flipped) } == .corrupt)
    #expect(code { _ = try keys.openRef(a, Array(value.dropLast(16))) } == .corrupt)
    // Two records of one length change places, and so stand where they were not sealed.
    let reflog = try bytes("reflog")
    let located = try store.reflogFile.read().located
    let (first, second) = (located[1].range, located[2].range)
    #expect(first.count == second.count)
    let swapped =
      Array(reflog[..<first.lowerBound]) + Array(reflog[second]) + Array(reflog[first])
      + Array(reflog[second.upperBound...])
    try write("reflog", swapped)
    #expect(try open().checkPacks().problems.contains { $0.path.hasSuffix("reflog") })
    #expect(try store.reflogFile.read().located.count == 1)
  }

  @Test("nothing of a ref's name or target stands in the index or the reflog")
  func hiddenRefs() throws {
    let store = try create()
    let name = "heads/needle-in-a-name"
    for number: UInt64 in 1...3 { try store.publishTest(number, ref: name) }
    try store.session().publish { (publication) throws(DSVError) in
      try publication.move(RefMove(name, expected: .anything, new: nil, action: "needle-in-an-action"))
    }
    for file in ["index/data.mdb", "reflog"] {
      let text = String(decoding: try bytes(file), as: UTF8.self)
      #expect(!text.contains("needle") && !text.contains("heads") && !text.contains("HEAD"), "\(file)")
    }
    try store.publishTest(4, ref: "heads/z")
    try store.publishTest(5, ref: "heads/b")
    #expect(try open().refs(prefix: "heads/").map(\.0) == ["heads/b", "heads/z"])
  }

  @Test("an index that is made anew has the refs again, and leaves out packs without a key")
  func rebuild() throws {
    let store = try create()
    for number: UInt64 in 1...3 { try store.publishTest(number) }
    let session = try store.session()
    for number: UInt64 in 100..<130 {
      let (id, object) = testObject(number, byteCount: 50_000)
      try session.put(id, object)
    }
    // What a crash would leave: a pack whose key nobody has.
    let orphan = try FileSystem.list("\(scratch.root)/packs").sorted().last ?? ""
    let copy = try bytes("packs/\(orphan)")
    try write("packs/000000ff.pack", copy)
    try FileSystem.removeTree("\(scratch.root)/index")
    let reopened = try open()
    #expect(try reopened.ref("heads/main") == .commit(testID(3)))
    #expect(try reopened.objectCount == 3)
    #expect(try !reopened.contains(testID(100)))
    #expect(try reopened.checkPacks().problems == [])
  }

  // MARK: - Keys

  @Test(
    "after a rotation the old key opens nothing, who runs with it reads on and writes no more, and the next pack is new"
  )
  func rotation() throws {
    let store = try create()
    try store.publishTest(1)
    let running = try open()
    #expect(try running.read(testID(1)) == testObject(1).1)
    let id = try store.rotateKey(to: Self.key(2))
    #expect(try store.userKeys() == [StoreKey(id: id, isPassphrase: false, isOwn: true)])
    try store.publishTest(2)
    #expect(try FileSystem.list("\(scratch.root)/packs").count == 2)
    #expect(code { _ = try open(1) } == .wrongKey)
    #expect(try running.read(testID(1)) == testObject(1).1)
    #expect(code { _ = try running.read(testID(2)) } == .wrongKey)
    #expect(code { _ = try running.publishTest(3) } == .wrongKey)
    let new = try open(2)
    for number: UInt64 in 1...2 { #expect(try new.read(testID(number)) == testObject(number).1) }
    #expect(try new.ref("heads/main") == .commit(testID(2)))
    #expect(try new.checkPacks().problems == [])
  }

  @Test("who is given the new key when the old one was rotated away goes on")
  func providerIsAskedAgain() throws {
    let store = try create()
    let current = Numbers(1)
    let running = try Store.open(
      at: scratch.root, keys: { () throws(DSVError) in Self.key(current.value) })
    let session = try running.session()
    for number: UInt64 in 100..<130 {
      let (id, object) = testObject(number, byteCount: 50_000)
      try session.put(id, object)
    }
    _ = try store.rotateKey(to: Self.key(2))
    current.value = 2
    try session.publish { (_) throws(DSVError) in }
    try running.publishTest(5)
    for number: UInt64 in 100..<130 {
      #expect(try store.read(testID(number)) == testObject(number, byteCount: 50_000).1)
    }
  }

  @Test("a revoked key with a copy of the old keyring opens what was there, and nothing that came since")
  func revocation() throws {
    let store = try create()
    try store.publishTest(1)
    let second = try store.addKey(Self.key(2))
    #expect(try open(2).read(testID(1)) == testObject(1).1)
    let old = try bytes("keyring")
    try store.revokeKey(second)
    try store.publishTest(2)
    #expect(code { _ = try open(2) } == .wrongKey)
    let new = try bytes("keyring")
    try write("keyring", old)
    // Who has seen the newer one refuses the copy.
    #expect(code { _ = try store.publishTest(3) } == .corrupt)
    let thief = try open(2)
    #expect(try thief.read(testID(1)) == testObject(1).1)
    #expect(code { _ = try thief.read(testID(2)) } == .corrupt)
    #expect(code { _ = try thief.ref("heads/main") } == .corrupt)
    try write("keyring", new)
    try store.reencrypt()
    try write("keyring", old)
    #expect(code { _ = try open(2).read(testID(1)) } == .corrupt)
    #expect(try open(2).reflog().isEmpty)
  }

  @Test("encrypting again changes every pack, ref and record of the reflog, and loses nothing")
  func reencryption() throws {
    let store = try create()
    for number: UInt64 in 1...4 { try store.publishTest(number) }
    try publishMany(store)
    let reflog = try store.reflog()
    let (oldPacks, oldReflog) = (store.keys?.keyring.packs, try bytes("reflog"))
    try store.reencrypt()
    #expect(Set(try #require(store.keys?.keyring.packs)).isDisjoint(with: try #require(oldPacks)))
    #expect(try bytes("reflog").count == oldReflog.count)
    #expect(try bytes("reflog") != oldReflog)
    let reopened = try open()
    #expect(try reopened.reflog() == reflog)
    #expect(try reopened.ref("heads/main") == .commit(testID(4)))
    #expect(try reopened.versionCount == 4 && reopened.commit(number: 2) == testID(2))
    for number in [1, 4, 100, 129] as [UInt64] {
      let object = testObject(number, byteCount: number < 100 ? 100 : 50_000).1
      #expect(try reopened.read(testID(number)) == object)
    }
    #expect(try reopened.checkPacks().problems == [])
    #expect(try !reopened.isReencrypting)
    try reopened.publishTest(5)
    #expect(
      try FileSystem.list(scratch.root).filter { $0.hasPrefix("index.") }.sorted() == [
        "index.open", "index.stamp",
      ])
  }

  @Test("encrypting again that was broken off writes again what came until a key was revoked")
  func brokenOffReencryption() throws {
    let store = try create()
    let second = try store.addKey(Self.key(2))
    try publishMany(store)
    Faults.arm(under: scratch.root, first: 12, isForever: true)
    #expect(throws: DSVError.self) { try store.reencrypt() }
    Faults.disarm(under: scratch.root)
    let again = try open()
    #expect(try again.isReencrypting)
    try again.publishTest(1)
    let known = try #require(again.keys?.keyring.packs)
    try again.revokeKey(second)
    try again.publishTest(2)
    try again.reencrypt()
    let packs = try #require(again.keys?.keyring.packs)
    #expect(Set(packs).isDisjoint(with: known))
    #expect(try again.checkPacks().problems == [] && !again.isReencrypting)
    for number: UInt64 in 1...2 { #expect(try open().read(testID(number)) == testObject(number).1) }
    #expect(try open().read(testID(110)) == testObject(110, byteCount: 50_000).1)
  }

  /// Publishes more than goes to the open pack.
  private func publishMany(_ store: Store) throws {
    let session = try store.session()
    for number: UInt64 in 100..<130 {
      let (id, object) = testObject(number, byteCount: 50_000)
      try session.put(id, object)
    }
    try session.publish { (_) throws(DSVError) in }
  }

  @Test("gc takes away the keys of packs that it deletes")
  func shredding() throws {
    let store = try create()
    try publishMany(store)
    try store.publishTest(1)
    #expect(store.keys?.keyring.packs.count == 2)
    try store.collectGarbage { () throws(DSVError) in { $0 == testID(1) } }
    #expect(store.keys?.keyring.packs.count == 1)
    #expect(try open().read(testID(1)) == testObject(1).1)
  }

  @Test("passphrases open what they encrypt")
  func passphrase() throws {
    @Sendable func key(_ text: String) -> UserKey { .passphrase(SecretBytes(copying: Array(text.utf8))) }
    let cost = try #require(Scrypt.Cost(logN: 10, r: 8, p: 1))
    _ = try Store.create(at: scratch.root, key: key("correct horse"), cost: cost)
    #expect(throws: Never.self) {
      try Store.open(at: scratch.root, keys: { () throws(DSVError) in key("correct horse") })
    }
    #expect(
      code { _ = try Store.open(at: scratch.root, keys: { () throws(DSVError) in key("wrong") }) }
        == .wrongKey)
  }
}

/// A number that may be changed.
final class Numbers: @unchecked Sendable {
  var value: UInt8
  init(_ value: UInt8) { self.value = value }
}
