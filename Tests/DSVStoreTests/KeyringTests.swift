import DSVFormat
import DSVSystem
import Testing

@testable import DSVStore

extension UserKey {
  static func random() -> UserKey { .key(.random()) }

  static func passphrase(_ text: String) -> UserKey {
    .passphrase(Array(text.utf8).withBytes { SecretBytes(copying: $0) })
  }
}

extension Scrypt.Cost {
  /// For tests: a passphrase's key in no time.
  static let small = Scrypt.Cost(logN: 4, r: 1, p: 1) ?? .standard
}

extension Keyring {
  init(opening bytes: [UInt8], _ key: UserKey) throws(DSVError) {
    try self.init(try SealedKeyring(bytes, of: "keyring"), key, of: "keyring")
  }

  func isSame(as other: Keyring) -> Bool {
    naming.cutSeed == other.naming.cutSeed && refKey("heads/main") == other.refKey("heads/main")
      && keySecret.fileBytes == other.keySecret.fileBytes && id("abc") == other.id("abc")
  }

  private func id(_ text: String) -> AnyID { Array(text.utf8).withBytes { naming.id(kind: .chunk, $0) } }
}

/// What a test expects instead of success.
func code<Value>(_ body: () throws -> Value) -> DSVError.Code? {
  do {
    _ = try body()
    return nil
  } catch { return (error as? DSVError)?.code }
}

@Suite struct KeyringTests {
  static let packs = (1...3).map { PackID(high: 7, low: $0) }

  /// A keyring with two keys, a passphrase, some packs and two epochs.
  static func sample() throws -> (keyring: Keyring, keys: [UserKey]) {
    let keys: [UserKey] = [.random(), .random(), .passphrase("correct horse")]
    let first = UserKey.random()
    var keyring = try Keyring(new: first)
    for pack in packs { keyring.addPack(pack) }
    try keyring.rotate(to: keys[0])
    for key in keys[1...] { _ = try keyring.add(key, cost: .small) }
    return (keyring, keys)
  }

  @Test("each user key opens the same keyring, from its bytes too")
  func open() throws {
    let (keyring, keys) = try Self.sample()
    let bytes = try keyring.bytes()
    for key in keys {
      let opened = try Keyring(opening: bytes, key)
      #expect(opened.isSame(as: keyring) && opened.generation == keyring.generation)
      #expect(opened.packs == Self.packs)
      for pack in Self.packs { #expect(opened.packKey(pack) == keyring.packKey(pack)) }
      #expect(opened.currentLogKey == keyring.currentLogKey && opened.currentLogKey.epoch == 2)
      #expect(opened.logKey(1) == keyring.logKey(1) && opened.logKey(3) == nil)
      #expect(opened.packKey(.random()) == nil)
      let again = try Keyring(opening: try opened.bytes(), keys[0])
      #expect(again.isSame(as: keyring) && again.slots == keyring.slots)
    }
    #expect(Set(keyring.slots.map(\.id)).count == 3)
    #expect(keyring.keyID == keyring.slots[0].id)
  }

  @Test("another key, another passphrase, and a key given as a passphrase, open nothing and are told nothing")
  func wrongKey() throws {
    let (keyring, keys) = try Self.sample()
    let bytes = try keyring.bytes()
    var wrong: [UserKey] = [.random(), .passphrase("correct horse "), .passphrase("")]
    if case .key(let key) = keys[0] { wrong.append(.passphrase(key.secret)) }
    for key in wrong {
      let error = #expect(throws: DSVError.self) { try Keyring(opening: bytes, key) }
      #expect(error?.code == .wrongKey)
      #expect(error?.message == "keyring: that key does not open it")
    }
  }

  @Test("no two repositories have a secret in common")
  func independent() throws {
    let key = UserKey.random()
    let (a, b) = (try Keyring(new: key), try Keyring(new: key))
    #expect(!a.isSame(as: b) && a.currentLogKey != b.currentLogKey)
    #expect(a.keyID == b.keyID)
  }

  @Test("no secret stands in the bytes as it is")
  func hidden() throws {
    let (keyring, keys) = try Self.sample()
    let bytes = try keyring.bytes()
    var needles = Self.packs.map(\.bytes) + [Array("correct horse".utf8)]
    needles += Self.packs.compactMap { keyring.packKey($0)?.withBytes { Array($0[..<16]) } }
    for key in keys {
      if case .key(let key) = key { needles.append(key.secret.withBytes { Array($0[..<16]) }) }
    }
    for needle in needles {
      #expect(!(0..<bytes.count - needle.count).contains { Array(bytes[$0..<$0 + needle.count]) == needle })
    }
  }

  @Test("an object's key is its own, in its pack alone")
  func objectKeys() throws {
    var keyring = try Keyring(new: .random())
    for pack in Self.packs { keyring.addPack(pack) }
    let ids: [AnyID] = (0..<3).map { AnyIDBytes.counting(from: $0) }
    var texts: Set<[UInt8]> = []
    for pack in Self.packs {
      let key = try #require(keyring.packKey(pack))
      for id in ids { texts.insert(key.key(of: id).text.withBytes { Array($0) }) }
      #expect(key.key(of: ids[0]) == key.key(of: ids[0]))
    }
    let log = keyring.currentLogKey
    for (label, place) in [("dsv reflog", 1), ("dsv reflog", 2), ("dsv log", 1)] as [(StaticString, UInt8)] {
      texts.insert(log.key(label, [place]).text.withBytes { Array($0) })
    }
    #expect(texts.count == 12)
  }
}

// MARK: - Changing keys

extension KeyringTests {
  @Test("a key that was put in another's place opens what the other does no more")
  func rotate() throws {
    let (old, new) = (UserKey.random(), UserKey.random())
    var keyring = try Keyring(new: old)
    keyring.addPack(Self.packs[0])
    let before = try keyring.bytes()
    let (generation, logKey) = (keyring.generation, keyring.currentLogKey)
    try keyring.rotate(to: new)
    keyring.addPack(Self.packs[1])
    let after = try keyring.bytes()
    #expect(keyring.generation > generation && keyring.currentLogKey != logKey && keyring.slots.count == 1)
    #expect(code { try Keyring(opening: after, old) } == .wrongKey)
    let opened = try Keyring(opening: after, new)
    #expect(opened.packs == Array(Self.packs[..<2]) && opened.logKey(1) == logKey)
    // A copy of the file from before opens with the key from before, and knows nothing of what came after.
    let copy = try Keyring(opening: before, old)
    #expect(copy.isSame(as: keyring))
    #expect(copy.packs == [Self.packs[0]] && copy.logKey(2) == nil)
    #expect(code { try Keyring(opening: before, new) } == .wrongKey)
  }

  @Test("a revoked key opens nothing, the others open everything, and those that are kept must be there")
  func revoke() throws {
    var (keyring, keys) = try Self.sample()
    let before = try keyring.bytes()
    let revoked = keyring.slots[1].id
    let passphraseID = keyring.slots[2].id
    let error = #expect(throws: DSVError.self) { try keyring.revoke(revoked) }
    #expect(error?.code == .badInput && error?.message.contains("\(passphraseID)") == true)
    #expect(try keyring.bytes().count == before.count)
    #expect(code { try keyring.revoke(keyring.keyID, keeping: keys) } == .badInput)
    #expect(code { try keyring.revoke(KeyID(number: 1)) } == .notFound)
    #expect(
      code { try keyring.revoke(revoked, keeping: [keys[2], .random()]) } == .badInput)
    try keyring.revoke(revoked, keeping: [keys[2]])
    let after = try keyring.bytes()
    #expect(code { try Keyring(opening: after, keys[1]) } == .wrongKey)
    for key in [keys[0], keys[2]] { #expect(try Keyring(opening: after, key).isSame(as: keyring)) }
    #expect(keyring.slots.map(\.id) == [keyring.keyID, passphraseID] && keyring.currentLogKey.epoch == 3)
    #expect(try Keyring(opening: before, keys[1]).logKey(3) == nil)
  }

  @Test("rotating one of several keys needs the others")
  func rotateOfSeveral() throws {
    var (keyring, keys) = try Self.sample()
    let (old, others, new) = (keys.removeFirst(), keys, UserKey.passphrase("battery staple"))
    #expect(
      code { try keyring.rotate(to: new, keeping: [others[0]], cost: .small) }
        == .badInput)
    #expect(
      code { try keyring.rotate(to: others[0], keeping: others) } == .conflict)
    try keyring.rotate(to: new, keeping: others, cost: .small)
    let bytes = try keyring.bytes()
    for key in others + [new] { #expect(try Keyring(opening: bytes, key).isSame(as: keyring)) }
    #expect(code { try Keyring(opening: bytes, old) } == .wrongKey)
    #expect(keyring.keyID == keyring.slots[0].id)
  }

  @Test("no key is added twice, and no more than may be")
  func add() throws {
    let key = UserKey.random()
    var keyring = try Keyring(new: key)
    #expect(code { try keyring.add(key) } == .conflict)
    while keyring.slots.count < KeyringLayout.slotCountMax { _ = try keyring.add(.random()) }
    #expect(code { try keyring.add(.random()) } == .full)
    #expect(try Keyring(opening: try keyring.bytes(), key).slots == keyring.slots)
  }

  @Test("keys that are destroyed are gone from what is written, and a remote's keyring has none of packs")
  func destroyed() throws {
    var (keyring, keys) = try Self.sample()
    keyring.removePacks([Self.packs[1]])
    let opened = try Keyring(opening: try keyring.bytes(), keys[1])
    #expect(opened.packs == [Self.packs[0], Self.packs[2]])
    #expect(opened.logKey(1) != nil && opened.currentLogKey.epoch == 2)
    let remote = try Keyring(opening: try keyring.withoutPacks().bytes(), keys[1])
    #expect(remote.packs == [] && remote.isSame(as: keyring) && remote.currentLogKey == keyring.currentLogKey)
  }

  @Test("whoever has it open follows its changes, and notices an old copy and that the key was revoked")
  func reopen() throws {
    var (keyring, keys) = try Self.sample()
    let old = try SealedKeyring(try keyring.bytes(), of: "keyring")
    let (writer, reader) = (
      try Keyring(old, keys[1], of: "keyring"), try Keyring(old, keys[2], of: "keyring")
    )
    keyring.addPack(PackID(high: 8, low: 8))
    try keyring.revoke(writer.keyID, keeping: [keys[2]])
    let new = try SealedKeyring(try keyring.bytes(), of: "keyring")
    let followed = try reader.reopened(new, of: "keyring")
    #expect(followed.packs == keyring.packs && followed.keyID == reader.keyID)
    #expect(code { try writer.reopened(new, of: "keyring") } == .wrongKey)
    #expect(code { try followed.reopened(old, of: "keyring") } == .corrupt)
  }
}
