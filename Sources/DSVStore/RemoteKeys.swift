package import DSVFormat
import DSVSystem

/// What an encrypted repository does to what it keeps on a remote, and to what its catalogues keep here.
///
/// Log entries and checkpoints are tokens that open under their own key of the bucket only. Each pack has a key of its own, which the log
/// carries. Normative text: `format-spec/transfer.md`.
package struct RemoteKeys: Sendable {
  let keys: StoreKeys

  /// What is kept under a key of the bucket.
  package func seal(_ plain: SecretBytes, key: String) -> [UInt8] {
    plain.withBytes { keys.seal($0, "dsv remote log", Array(key.utf8)) }
  }

  /// - Throws: `.corrupt` if it was not sealed to be kept there.
  package func open(_ sealed: [UInt8], key: String) throws(DSVError) -> SecretBytes {
    try sealed.withBytes { (sealed) throws(DSVError) in
      try keys.openSecret(sealed, "dsv remote log", Array(key.utf8), of: key)
    }
  }

  /// A pack's key as a catalogue keeps it on the disk.
  package func wrap(_ packKey: SecretBytes, of pack: PackID) -> [UInt8] {
    packKey.withBytes { keys.seal($0, "dsv remote pack", pack.bytes) }
  }

  package func unwrap(_ wrapped: [UInt8], of pack: PackID) throws(DSVError) -> SecretBytes {
    try wrapped.withBytes { (wrapped) throws(DSVError) in
      try keys.openSecret(wrapped, "dsv remote pack", pack.bytes, of: "the key of pack \(pack)")
    }
  }

  /// Seals and opens the records of a pack.
  ///
  /// - Parameter packKey: as the log carries it.
  package func codec(_ pack: PackID, packKey: SecretBytes) throws(DSVError) -> PackCodec {
    guard let key = PackKey(carried: packKey) else {
      throw DSVError(.corrupt, "pack \(pack): its key has \(packKey.count) bytes")
    }
    return PackCodec(packID: pack, sealer: PackSealer(packID: pack, key: key))
  }

  /// The key of a pack that is being made, as the log carries it.
  package func packKey(_ codec: PackCodec) -> SecretBytes? { codec.sealer?.key.secret }
}

// MARK: - The keyring of a remote

extension RemoteKeys {
  /// How a keyring of a remote stands to the repository's own.
  package enum Relation: Sendable, Equatable {
    case same
    /// There is something here that is not there: it is to be put there.
    case behind
    /// What was there is here now.
    case adopted
  }

  /// What of the keyring a remote is to have.
  package struct State: Sendable, Equatable {
    fileprivate let epoch: UInt32
    fileprivate let users: [KeyID]
  }

  package var state: State {
    let keyring = keys.keyring
    return State(epoch: keyring.currentLogKey.epoch, users: keyring.slots.map(\.id))
  }

  /// The ID of the user key that is used here.
  package var userKeyID: KeyID { keys.keyring.keyID }

  /// What a remote keeps: the keyring without the keys of packs, for the same user keys.
  package func keyringBytes() throws(DSVError) -> [UInt8] { try keys.keyring.withoutPacks().bytes() }

  /// Lets this process open what is sealed under newer log keys of a remote's keyring. The repository's own keyring stays as it is: for
  /// who only reads.
  ///
  /// - Throws: as ``Store/adopt(keyring:of:)``.
  package func learn(_ bytes: [UInt8], of subject: String) throws(DSVError) {
    try keys.refresh()
    var trial = keys.keyring
    let sealed = try SealedKeyring(bytes, of: subject)
    let key = sealed.slots.contains { $0.id == trial.keyID } ? nil : try keys.givenKey()
    if try trial.adopt(sealed, key, of: subject) == .adopted { keys.learn(trial.logKeys) }
  }

  /// How what is there stands to the repository's keyring, which it does not change.
  package func relation(to bytes: [UInt8], of subject: String) throws(DSVError) -> Relation {
    var keyring = keys.keyring
    return try keyring.adopt(try SealedKeyring(bytes, of: subject), nil, of: subject)
  }
}

extension Store {
  /// `nil` where the repository is plain.
  package var remoteKeys: RemoteKeys? { keys.map { RemoteKeys(keys: $0) } }

  /// Takes over what a remote's keyring has more than this repository's: user keys, and log keys that come after those here.
  ///
  /// - Throws: `.wrongKey` if the user key that is used here does not open it; `.conflict` if keys were exchanged both here and
  ///   there, or if it is another repository's.
  package func adopt(keyring bytes: [UInt8], of subject: String) throws(DSVError) -> RemoteKeys.Relation {
    guard let keys else { throw DSVError(.badInput, "\(root): this repository is not encrypted") }
    try keys.refresh()
    let sealed = try SealedKeyring(bytes, of: subject)
    var trial = keys.keyring
    // A passphrase has another ID in each keyring that it was added to by itself.
    let key = sealed.slots.contains { $0.id == trial.keyID } ? nil : try keys.givenKey()
    let relation = try trial.adopt(sealed, key, of: subject)
    guard relation == .adopted else { return relation }
    let lock = try beginWriting()
    defer { withExtendedLifetime(lock) {} }
    // What is written from now on goes to a pack whose key no older keyring has.
    try beginNewKeys()
    let before = keys.keyring.slots.map(\.id)
    let result = try keys.change { (keyring) throws(DSVError) in try keyring.adopt(sealed, key, of: subject) }
    let now = keys.keyring.slots.map(\.id)
    for id in before where !now.contains(id) && id != trial.keyID {
      note("key \(id) opens this repository no more: others have exchanged the keys at \(subject)")
    }
    return result
  }
}

extension Keyring {
  /// Takes over what another keyring of the same repository has more.
  ///
  /// - Parameter key: what the other one is opened with; `nil` for the user key that this one was opened with.
  mutating func adopt(
    _ sealed: SealedKeyring, _ key: UserKey?, of subject: String
  ) throws(DSVError) -> RemoteKeys.Relation {
    let other: Keyring
    if let key {
      other = try Keyring(sealed, key, of: subject)
    } else {
      other = try opened(sealed, of: subject)
    }
    guard refKey("HEAD") == other.refKey("HEAD") else {
      throw DSVError(
        .conflict, "\(subject): it is of another repository, which was encrypted under other keys")
    }
    let (own, theirs) = (logKeys, other.logKeys)
    guard let last = own.last, let otherLast = theirs.last else { return .same }
    if last == otherLast {
      // The ring key is the same, so a slot of either opens both.
      let missing = other.slots.filter { slot in !slots.contains { $0.id == slot.id } }
      let isBehind = slots.contains { slot in !other.slots.contains { $0.id == slot.id } }
      if missing.isEmpty { return isBehind ? .behind : .same }
      try add(slots: missing)
      return .adopted
    }
    if theirs.contains(last) {
      take(other)
      return .adopted
    }
    if own.contains(otherLast) { return .behind }
    throw DSVError(
      .conflict,
      "\(subject): keys were exchanged both here and there, and neither can be taken over; clone the remote with a key "
        + "that opens it, commit there what was not pushed from here ('dsv export' gives it), and go on with the clone"
    )
  }
}
