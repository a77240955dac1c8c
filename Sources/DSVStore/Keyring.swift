package import DSVFormat
import DSVSystem

/// The secrets of an encrypted repository, opened: what names objects, where columns are cut, and the keys of packs and logs.
///
/// In its file they lie under a *ring key*, which each *user key* wraps: whoever has one of these has them all. A value is a
/// state of the file; what changes it makes the next one, which counts once ``KeyringFile/replace(_:)`` has written it.
/// Normative text: `format-spec/encryption.md`.
package struct Keyring: Sendable {
  /// Rises with each change.
  package private(set) var generation: UInt64
  package private(set) var slots: [KeySlot]
  /// The user key that it was opened with.
  private var holder: HolderKey
  private var ringKey: SecretBytes
  private var secrets: RingSecrets
  package let naming: ObjectNaming
  /// Names for the names of refs.
  private let refNaming: ObjectNaming

  /// That of a new repository.
  package init(new key: UserKey, cost: Scrypt.Cost = .standard) throws(DSVError) {
    try self.init(new: key, cost, .random(), ringKey: .random(KeyringLayout.Body.keyByteCount))
  }

  init(
    new key: UserKey, _ cost: Scrypt.Cost, _ secrets: RingSecrets, ringKey: SecretBytes
  ) throws(DSVError) {
    holder = try HolderKey(new: key, cost)
    (generation, self.ringKey, self.secrets) = (1, ringKey, secrets)
    slots = [holder.slot(ringKey)]
    (naming, refNaming) = Self.namings(secrets)
  }

  /// - Throws: `.wrongKey` if no slot is `key`'s, `.corrupt` if what it opens is not authentic.
  package init(_ sealed: SealedKeyring, _ key: UserKey, of subject: String) throws(DSVError) {
    guard let holder = try HolderKey(key, among: sealed.slots) else { throw Self.wrongKey(subject) }
    try self.init(sealed, holder, of: subject)
  }

  private init(_ sealed: SealedKeyring, _ holder: HolderKey, of subject: String) throws(DSVError) {
    guard let slot = sealed.slots.first(where: { $0.id == holder.id }) else { throw Self.wrongKey(subject) }
    (generation, slots, self.holder) = (sealed.generation, sealed.slots, holder)
    ringKey = try holder.ringKey(slot, of: subject)
    let body = try sealed.body.withBytes { [ringKey] (body) throws(DSVError) in
      try Fernet.openSecret(body, with: Self.bodyKey(ringKey, sealed.headDigest), of: subject)
    }
    secrets = try body.withBytes { (body) throws(DSVError) in try RingSecrets(body, of: subject) }
    (naming, refNaming) = Self.namings(secrets)
  }

  private static func namings(_ secrets: RingSecrets) -> (ObjectNaming, ObjectNaming) {
    let refKey = HKDF(secrets.idKey).key("dsv ref name")
    return (
      ObjectNaming(idKey: secrets.idKey, cutSeed: secrets.cutSeed), ObjectNaming(idKey: refKey, cutSeed: 0)
    )
  }

  private static func wrongKey(_ subject: String) -> DSVError {
    DSVError(.wrongKey, "\(subject): that key does not open it")
  }

  private static func bodyKey(_ ringKey: SecretBytes, _ headDigest: [UInt8]) -> FernetKey {
    FernetKey(HKDF(ringKey).key("dsv keyring", headDigest))
  }

  /// The ID of the user key that it was opened with.
  package var keyID: KeyID { holder.id }

  /// What another state of the same file holds.
  ///
  /// - Throws: `.wrongKey` if the user key that this one was opened with opens the other one no more; `.corrupt` if the other one
  ///   is older than this one.
  package func reopened(_ sealed: SealedKeyring, of subject: String) throws(DSVError) -> Keyring {
    guard sealed.generation >= generation else {
      throw DSVError(
        .corrupt,
        "\(subject): it is of generation \(sealed.generation), and was of \(generation): an old copy was put in its place"
      )
    }
    return try Keyring(sealed, holder, of: subject)
  }

  /// What another keyring holds, of any generation, that the same user key opens.
  func opened(_ sealed: SealedKeyring, of subject: String) throws(DSVError) -> Keyring {
    try Keyring(sealed, holder, of: subject)
  }

  var logKeys: [LogKey] { secrets.logKeys }

  /// Lets further user keys open it, whose slots wrap the same ring key.
  ///
  /// - Throws: `.full` if there would be more than a file may have.
  mutating func add(slots more: [KeySlot]) throws(DSVError) {
    guard slots.count + more.count <= KeyringLayout.slotCountMax else {
      throw DSVError(.full, "a repository has at most \(KeyringLayout.slotCountMax) keys")
    }
    slots += more
    generation += 1
  }

  /// Takes over all but the keys of packs.
  mutating func take(_ other: Keyring) {
    (slots, ringKey, holder) = (other.slots, other.ringKey, other.holder)
    let known = secrets.logKeys.filter { !other.secrets.logKeys.contains($0) }
    secrets.logKeys = (known + other.secrets.logKeys).sorted { $0.epoch < $1.epoch }
    generation += 1
  }

  /// The bytes of its file.
  ///
  /// - Throws: `.full` if it has more keys than a file may.
  package func bytes() throws(DSVError) -> [UInt8] { try bytes(iv: RandomSource.bytes(16)) }

  func bytes(iv: [UInt8]) throws(DSVError) -> [UInt8] {
    let byteCount = Fernet.tokenByteCount(secrets.byteCount)
    let layout = KeyringLayout.self
    guard
      layout.Header.byteCount + slots.count * layout.Slot.byteCount + byteCount + layout.checksumByteCount
        <= layout.byteCountMax
    else { throw DSVError(.full, "a keyring may not hold the keys of \(secrets.packKeys.count) packs") }
    return SealedKeyring.bytes(generation: generation, slots, bodyByteCount: byteCount) { headDigest in
      secrets.bytes.withBytes { Fernet.seal($0, with: Self.bodyKey(ringKey, headDigest), iv: iv) }
    }
  }
}

// MARK: - What it keeps

extension Keyring {
  /// What a repository's key index hashes with.
  package var keySecret: KeySecret { KeySecret(secrets.keyIndexSecret) }

  /// A name for a ref's name that only who has the keyring can tell. Stays the same when keys change.
  package func refKey(_ name: String) -> [UInt8] {
    let id: AnyID = Array(name.utf8).withBytes { refNaming.id(kind: nil, $0) }
    return id.bytes
  }

  /// The key of a pack; `nil` for a pack that is not this repository's, or was given up.
  package func packKey(_ pack: PackID) -> PackKey? { secrets.packKeys[pack] }

  package var packs: [PackID] { secrets.packKeys.keys.sorted() }

  /// Makes the key of a new pack.
  @discardableResult
  package mutating func addPack(_ pack: PackID, _ key: PackKey = .random()) -> PackKey {
    secrets.packKeys[pack] = key
    generation += 1
    return key
  }

  /// Destroys keys: no copy of these packs can be read with what is written from now on.
  package mutating func removePacks(_ packs: some Sequence<PackID>) {
    for pack in packs { secrets.packKeys[pack] = nil }
    generation += 1
  }

  /// What new log records and refs are encrypted under.
  package var currentLogKey: LogKey { secrets.logKeys[secrets.logKeys.count - 1] }

  /// That of an epoch; `nil` if there is none.
  package func logKey(_ epoch: UInt32) -> LogKey? { secrets.logKeys.first { $0.epoch == epoch } }

  /// Makes a new log key: what is logged from now on no copy of an older keyring opens.
  package mutating func beginEpoch() {
    secrets.logKeys.append(.random(currentLogKey.epoch + 1))
    generation += 1
  }

  /// What a remote keeps as its keyring: all but the keys of packs, which stand in its log.
  package func withoutPacks() -> Keyring {
    var other = self
    other.secrets.packKeys = [:]
    return other
  }
}

// MARK: - User keys

extension Keyring {
  /// Lets another user key open it.
  ///
  /// - Throws: `.conflict` if it does already, `.full` if there are too many.
  package mutating func add(_ key: UserKey, cost: Scrypt.Cost = .standard) throws(DSVError) -> KeyID {
    try refuseKnown(key)
    guard slots.count < KeyringLayout.slotCountMax else {
      throw DSVError(.full, "a repository may have \(slots.count) keys and no more; revoke one")
    }
    let added = try HolderKey(new: key, cost)
    slots.append(added.slot(ringKey))
    generation += 1
    return added.id
  }

  /// Puts `key` in the place of the one that it was opened with, under a new ring key and with a new log key.
  ///
  /// - Parameter kept: each other user key, since a new ring key can be wrapped by none that is not there.
  /// - Throws: `.badInput` that names the user keys which are missing; `.conflict` if `key` is one of those there are.
  package mutating func rotate(
    to key: UserKey, keeping kept: [UserKey] = [], cost: Scrypt.Cost = .standard
  ) throws(DSVError) {
    try refuseKnown(key)
    let others = try holders(of: slots.filter { $0.id != holder.id }, kept)
    let new = try HolderKey(new: key, cost)
    let all = slots.map { slot in others[slot.id] ?? new }
    holder = new
    renewRing(all)
  }

  /// Takes a user key away: it opens nothing of what is written from now on. Needs a new ring key, and so all that are kept.
  ///
  /// - Throws: `.notFound` if there is no such key; `.badInput` if it is the one that it was opened with, or that
  ///   names the user keys which are missing.
  package mutating func revoke(_ id: KeyID, keeping kept: [UserKey] = []) throws(DSVError) {
    guard slots.contains(where: { $0.id == id }) else { throw DSVError(.notFound, "there is no key \(id)") }
    guard id != holder.id else {
      throw DSVError(.badInput, "key \(id) is the one that is used: a key is revoked by means of another one")
    }
    let others = try holders(of: slots.filter { $0.id != id && $0.id != holder.id }, kept)
    renewRing(slots.filter { $0.id != id }.map { others[$0.id] ?? holder })
  }

  private mutating func renewRing(_ holders: [HolderKey]) {
    ringKey = .random(KeyringLayout.Body.keyByteCount)
    slots = holders.map { $0.slot(ringKey) }
    beginEpoch()
  }

  /// A user key's ID, if it is one of the repository's.
  func known(_ key: UserKey) throws(DSVError) -> KeyID? { try HolderKey(key, among: slots)?.id }

  private func refuseKnown(_ key: UserKey) throws(DSVError) {
    guard let known = try known(key) else { return }
    throw DSVError(.conflict, "key \(known) is one of the repository's already")
  }

  /// What follows from those of `keys` that are among `slots`, all of which must be.
  private func holders(of slots: [KeySlot], _ keys: [UserKey]) throws(DSVError) -> [KeyID: HolderKey] {
    var holders: [KeyID: HolderKey] = [:]
    for key in keys {
      guard let holder = try HolderKey(key, among: slots) else {
        throw DSVError(.badInput, "a key that is to be kept is none of the repository's other keys")
      }
      holders[holder.id] = holder
    }
    let missing = slots.map(\.id).filter { holders[$0] == nil }
    guard missing.isEmpty else {
      throw DSVError(
        .badInput,
        "every key that is to be kept must be given, and of \(missing.map(\.description).joined(separator: ", ")) none was"
      )
    }
    return holders
  }
}
