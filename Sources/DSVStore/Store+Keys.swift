package import DSVFormat
import DSVSystem

/// A user key of a repository, as people are told of it.
package struct StoreKey: Sendable, Equatable {
  package let id: KeyID
  package let isPassphrase: Bool
  /// Whether it is the one that opened the repository.
  package let isOwn: Bool
}

extension Store {
  /// The keys that open this repository; none if it is plain.
  package func userKeys() throws(DSVError) -> [StoreKey] {
    guard let keys else { return [] }
    try keys.refresh()
    let keyring = keys.keyring
    return keyring.slots.map { slot in
      StoreKey(id: slot.id, isPassphrase: slot.derivation != .raw, isOwn: slot.id == keyring.keyID)
    }
  }

  /// Takes in what other processes have changed of the keys.
  ///
  /// - Throws: `.wrongKey` if the key that opened the repository was taken away, and no other is given.
  package func refreshKeys() throws(DSVError) { try keys?.refresh() }

  /// Lets another key open the repository. One that does already stays what it is.
  ///
  /// - Parameter keep: puts `key` where its user finds it again. Called when all is checked, before the keyring is written.
  package func addKey(
    _ key: UserKey, cost: Scrypt.Cost = .standard, keep: () throws(DSVError) -> Void = {}
  ) throws(DSVError) -> KeyID {
    try changingKeys { (keys) throws(DSVError) in
      try keys.change { (keyring) throws(DSVError) in
        if let known = try keyring.known(key) { return known }
        let id = try keyring.add(key, cost: cost)
        try keep()
        return id
      }
    }
  }

  /// Puts `key` in the place of the one that opened the repository. What is written from then on the old one does not open.
  ///
  /// - Parameters:
  ///   - kept: every other key of the repository.
  ///   - reencrypts: whether ``reencrypt(waitSeconds:progress:)`` follows: that is remembered, whatever happens to this process.
  ///   - keep: see ``addKey(_:cost:keep:)``.
  package func rotateKey(
    to key: UserKey, keeping kept: [UserKey] = [], reencrypts: Bool = false, cost: Scrypt.Cost = .standard,
    keep: () throws(DSVError) -> Void = {}
  ) throws(DSVError) -> KeyID {
    try changingKeys { (keys) throws(DSVError) in
      try beginNewKeys()
      return try keys.change { (keyring) throws(DSVError) in
        try keyring.rotate(to: key, keeping: kept, cost: cost)
        try keep()
        if reencrypts { try meanReencryption() }
        return keyring.keyID
      }
    }
  }

  /// Takes a key away: it opens nothing of what is written from then on.
  ///
  /// - Parameters:
  ///   - kept: every key that stays, but for the one that opened the repository.
  ///   - reencrypts: see ``rotateKey(to:keeping:reencrypts:cost:keep:)``.
  package func revokeKey(
    _ id: KeyID, keeping kept: [UserKey] = [], reencrypts: Bool = false
  ) throws(DSVError) {
    try changingKeys { (keys) throws(DSVError) in
      try beginNewKeys()
      try keys.change { (keyring) throws(DSVError) in
        try keyring.revoke(id, keeping: kept)
        if reencrypts { try meanReencryption() }
      }
    }
  }

  /// The user key with this ID, if it is the one that is given for this repository.
  package func exportKey(_ id: KeyID) throws(DSVError) -> FernetKey {
    guard let keys else {
      throw DSVError(.badInput, "\(root): this repository is not encrypted, and has no keys")
    }
    let (own, key) = try keys.ownKey()
    guard own == id else {
      throw DSVError(
        .badInput,
        "key \(own) was given, and not \(id): a repository does not hold its keys, and can export no other")
    }
    guard case .key(let key) = key else { throw DSVError(.badInput, "key \(id) is a passphrase") }
    return key
  }

  private func changingKeys<Value>(
    _ body: (StoreKeys) throws(DSVError) -> Value
  ) throws(DSVError) -> Value {
    try format.checkWritable(folder.format)
    guard let keys else {
      throw DSVError(
        .badInput, "\(root): this repository is not encrypted, and has no keys; see 'dsv encrypt'")
    }
    let lock = try beginWriting()
    defer { withExtendedLifetime(lock) {} }
    return try body(keys)
  }

  /// Comes before an exchange of keys: what is written afterwards is under keys that no keyring from before has, and a
  /// re-encryption that was broken off is to write again all that was written until then.
  func beginNewKeys() throws(DSVError) {
    try endOpenPack()
    try extendReencryption()
  }

  /// Sees to it that the next publication begins a new pack, under a new key. The caller holds the writer's lock.
  ///
  /// Comes before the keys change: a crash in between leaves a pack that ended early.
  func endOpenPack() throws(DSVError) {
    var change = IndexChange()
    change.state = try index.state
    guard change.state.openPack != 0 else { return }
    try forgetBrokenOff(change.state)
    change.state.openPack = 0
    change.state.openPackByteCount = 0
    try commit(change)
  }
}

// MARK: - Small files

extension Store {
  private static let tierSettingsName = "tiers/settings"

  /// What is set of tiers, as it was written; `nil` if nothing was.
  package func tierSettings(limit: Int) throws(DSVError) -> [UInt8]? {
    let path = folder.tierSettings
    guard try FileSystem.exists(path) else { return nil }
    // A token is longer than what it holds.
    let bytes = try FileSystem.read(path, limit: limit + 128)
    guard let keys else { return bytes }
    return try keys.openFile(bytes, Self.tierSettingsName, of: path)
  }

  /// Keeps what is set of tiers, durably; sealed in an encrypted repository. The caller holds `tiers/lock`.
  package func writeTierSettings(_ bytes: [UInt8]) throws(DSVError) {
    try FileSystem.replace(
      folder.tierSettings, with: keys.map { $0.sealFile(bytes, Self.tierSettingsName) } ?? bytes)
  }

  private func scopePath(_ remote: String) -> String { "\(root)/remotes/\(remote)/fetch" }

  /// What of a remote is fetched, which names columns or a table, and is sealed for that.
  package func remoteScope(_ remote: String, limit: Int) throws(DSVError) -> [UInt8] {
    let path = scopePath(remote)
    guard let keys else {
      throw DSVError(.corrupt, "\(path): it is sealed, in a repository that is not encrypted")
    }
    return try keys.openFile(
      try FileSystem.read(path, limit: 2 * limit), "remotes/\(remote)/fetch", of: path)
  }

  /// Keeps, durably and sealed, what of a remote is fetched. The repository is encrypted.
  package func writeRemoteScope(_ bytes: [UInt8], of remote: String) throws(DSVError) {
    guard let keys else { throw DSVError(.badInput, "\(root): this repository is not encrypted") }
    try FileSystem.replace(scopePath(remote), with: keys.sealFile(bytes, "remotes/\(remote)/fetch"))
  }

  /// Seals those again, under the key of the last epoch.
  func resealRemoteScopes() throws(DSVError) {
    for folder in try RemoteFolders.all(in: root) where try FileSystem.exists("\(folder)/fetch") {
      let remote = String(folder.dropFirst(root.count + "/remotes/".count))
      try writeRemoteScope(try remoteScope(remote, limit: 1 << 20), of: remote)
    }
  }

  /// A name for a text that only who has the keyring can tell; `nil` in a plain repository. Stays the same when keys change.
  package func sealedName(_ text: String) -> [UInt8]? { keys?.refKey(text) }

  /// Seals it again, under the key of the last epoch.
  func resealTierSettings() throws(DSVError) {
    guard try FileSystem.exists(folder.tierSettings) else { return }
    let lock = try File(FileSystem.parent(of: folder.tierSettings) + "/lock", .updateOrCreate)
    try lock.lock(.exclusive, waitingUpTo: 10, for: "changing \(folder.tierSettings)")
    defer { withExtendedLifetime(lock) {} }
    if let bytes = try tierSettings(limit: 1 << 20) { try writeTierSettings(bytes) }
  }
}

extension Store {
  /// An object's token as it lies in its pack, and the token's own key.
  ///
  /// - Throws: `.badInput` if the repository is plain, `.notFound` if the object is not in this repository.
  package func token(of id: AnyID) throws(DSVError) -> (token: [UInt8], key: FernetKey) {
    guard keys != nil else {
      throw DSVError(.badInput, "\(root): this repository is not encrypted, and has no tokens")
    }
    // It is what it says: else no key is given away.
    _ = try read(id)
    guard let place = try place(of: id), let record = try packs.record(at: place), record.head.id == id,
      let sealer = try packs.sealer(of: place.pack, for: record)
    else { throw DSVError(.notFound, "object \(id): it is not in this repository") }
    let base = record.base
    let key = sealer.recordKey(
      id, kind: record.head.kind, plainByteCount: record.head.plainByteCount, base: base)
    return (Array(record.body[(base == nil ? 0 : AnyID.byteCount)...]), key)
  }

  /// Destroys the keys of packs that are not there any more: no copy of them can be read from then on. The caller holds the
  /// writer's lock, and nobody has a pack that is not published.
  func sweepKeys() throws(DSVError) {
    guard let keys else { return }
    var kept: Set<PackID> = []
    for number in try folder.packNumbers() {
      let path = folder.pack(number)
      let bytes = try File(path, .read).read(upTo: PackLayout.Header.byteCount, at: 0)
      do throws(DSVError) { kept.insert(PackID(try PackHeader(bytes, path: path).packID)) } catch {
        guard error.code == .corrupt else { throw error }
        // Nothing says which key is this pack's: so none is destroyed.
        return note("\(path): its header is damaged, and so no pack's key is taken away")
      }
    }
    try keys.removeAll(but: kept)
  }
}
