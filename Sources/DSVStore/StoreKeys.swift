import DSVFormat
import DSVSystem
import Synchronization

/// The keys of an encrypted repository as this process has them: its keyring, read again when somebody has changed it.
///
/// Threads share one. What it has learnt stays: who may read what was written does not forget it when a key is revoked.
final class StoreKeys: Sendable {
  private struct State {
    var keyring: Keyring
    /// What the file was like when the keyring was read from it.
    var status: FileStatus?
    var sealers: [PackID: PackSealer] = [:]
    /// Those that keyrings had which were read before, as an index that was exchanged meanwhile is under them; and those that
    /// only remotes' keyrings have. They open, and seal nothing.
    var otherLogKeys: [UInt32: LogKey] = [:]
  }

  let naming: ObjectNaming
  private let file: KeyringFile
  /// Asked once more where the key was exchanged.
  private let provider: KeyProvider?
  private let state: Mutex<State>

  /// Opens the keyring at `path`.
  ///
  /// - Parameter subject: the repository, for messages.
  /// - Throws: `.wrongKey` if there is no key, or if it is not one that opens it.
  init(_ path: String, of subject: String, _ provider: KeyProvider?) throws(DSVError) {
    guard let key = try provider?() else {
      throw DSVError(
        .wrongKey,
        "\(subject): this repository is encrypted: give its key by DSV_KEY_FILE, DSV_KEY, --key-file, --key-command "
          + "or --passphrase")
    }
    file = KeyringFile(path)
    self.provider = provider
    let status = try file.status()
    if status == nil { throw DSVError(.corrupt, "\(path): it is gone, and with it the keys of all there is") }
    let keyring: Keyring
    do throws(DSVError) { keyring = try file.open(key) } catch {
      guard error.code == .wrongKey else { throw error }
      throw DSVError(
        .wrongKey,
        "\(error.message): give another by --key-file, --key-command, --passphrase, DSV_KEY_FILE or DSV_KEY; where somebody has "
          + "exchanged keys ('dsv key rotate'), the new one")
    }
    state = Mutex(State(keyring: keyring, status: status))
    naming = keyring.naming
  }

  /// Writes the first keyring, of a repository that is being made.
  init(_ path: String, making keyring: Keyring) throws(DSVError) {
    file = KeyringFile(path)
    provider = nil
    try file.create(keyring)
    state = Mutex(State(keyring: keyring, status: try file.status()))
    naming = keyring.naming
  }

  /// The keyring as it was last read.
  var keyring: Keyring { state.withLock { $0.keyring } }

  /// What a table's keys are hashed with.
  var keySecret: KeySecret { keyring.keySecret }

  /// Takes over what others have changed.
  ///
  /// - Throws: `.wrongKey` if the key that opened the keyring does not any more, and no other is given; `.corrupt` if an old
  ///   copy was put in its place.
  func refresh() throws(DSVError) {
    let status = try file.status()
    let (old, known) = state.withLock { ($0.keyring, $0.status) }
    if let status, status == known { return }
    let sealed = try file.read()
    let new: Keyring
    do throws(DSVError) { new = try old.reopened(sealed, of: file.path) } catch {
      guard error.code == .wrongKey, let key = try provider?() else { throw error }
      new = try Keyring(sealed, key, of: file.path)
    }
    state.withLock { state in
      // Another thread may have been faster.
      guard new.generation >= state.keyring.generation else { return }
      for key in state.keyring.logKeys { state.otherLogKeys[key.epoch] = key }
      (state.keyring, state.status) = (new, status)
    }
  }

  /// Lets this process open what is sealed under keys that the keyring does not have.
  func learn(_ logKeys: [LogKey]) {
    state.withLock { state in for key in logKeys { state.otherLogKeys[key.epoch] = key } }
  }

  /// The user key that is given now, if any.
  func givenKey() throws(DSVError) -> UserKey? { try provider?() }

  /// The user key that is given now, and its ID.
  func ownKey() throws(DSVError) -> (KeyID, UserKey) {
    guard let key = try provider?() else { throw DSVError(.wrongKey, "\(file.path): no key is given") }
    return (try file.open(key).keyID, key)
  }

  /// Changes the keyring, durably. The caller holds the writer's lock.
  func change<Value>(
    _ body: (inout Keyring) throws(DSVError) -> Value
  ) throws(DSVError) -> Value {
    try refresh()
    var keyring = keyring
    let generation = keyring.generation
    let value = try body(&keyring)
    if keyring.generation == generation { return value }
    try file.replace(keyring)
    let status = try file.status()
    state.withLock { ($0.keyring, $0.status) = (keyring, status) }
    return value
  }
}

// MARK: - Packs

extension StoreKeys {
  /// What seals and opens the records of a pack.
  ///
  /// - Throws: `.corrupt` if the keyring does not have its key, `.wrongKey` if it may have it and cannot be opened any more.
  func sealer(of packID: PackID, _ subject: String) throws(DSVError) -> PackSealer {
    if let known = knownSealer(of: packID) { return known }
    try refresh()
    if let known = knownSealer(of: packID) { return known }
    throw DSVError(.corrupt, "\(subject): the keyring does not have its key")
  }

  /// As ``sealer(of:_:)``, for the pack that a file is.
  func sealer(of file: File) throws(DSVError) -> PackSealer {
    let bytes = try file.read(upTo: PackLayout.Header.byteCount, at: 0)
    return try sealer(of: PackID(try PackHeader(bytes, path: file.path).packID), file.path)
  }

  func hasKey(of packID: PackID) throws(DSVError) -> Bool {
    if knownSealer(of: packID) != nil { return true }
    try refresh()
    return knownSealer(of: packID) != nil
  }

  private func knownSealer(of packID: PackID) -> PackSealer? {
    state.withLock { state in
      if let sealer = state.sealers[packID] { return sealer }
      guard let key = state.keyring.packKey(packID) else { return nil }
      let sealer = PackSealer(packID: packID, key: key)
      state.sealers[packID] = sealer
      return sealer
    }
  }

  /// Looks among all packs for the one that a record was sealed in.
  func sealer(thatOpens record: ScannedRecord) -> PackSealer? {
    let keyring = keyring
    for packID in keyring.packs {
      guard let key = keyring.packKey(packID) else { continue }
      let sealer = PackSealer(packID: packID, key: key)
      do throws(DSVError) {
        _ = try record.object(sealer)
        return sealer
      } catch { continue }
    }
    return nil
  }

  /// Keeps the keys of new packs, durably. The caller holds the writer's lock.
  func add(_ sealers: [PackSealer]) throws(DSVError) {
    if sealers.isEmpty { return }
    try change { (keyring) throws(DSVError) in
      for sealer in sealers { keyring.addPack(sealer.packID, sealer.key) }
    }
  }

  /// Destroys the keys of all packs but these, durably, and what killed writers left of keyrings. The caller holds the
  /// writer's lock.
  func removeAll(but kept: Set<PackID>) throws(DSVError) {
    try change { (keyring) throws(DSVError) in
      let gone = keyring.packs.filter { !kept.contains($0) }
      if !gone.isEmpty { keyring.removePacks(gone) }
    }
    try file.removeLeftovers()
    state.withLock { state in state.sealers = state.sealers.filter { kept.contains($0.key) } }
  }
}

// MARK: - Refs and reflog

extension StoreKeys {
  private static let epochByteCount = 4

  /// A ref's name as the index has it.
  func refKey(_ name: String) -> [UInt8] { keyring.refKey(name) }

  /// A ref as the index has it: the epoch of the key, and a token of its name and where it points.
  func sealRef(_ name: String, _ target: RefTarget) -> [UInt8] {
    var plain = ByteWriter()
    plain.write(name)
    plain.write(target)
    return seal(plain.bytes, "dsv ref", refKey(name))
  }

  /// - Throws: `.corrupt` if it was not sealed to stand under that key of the index.
  func openRef(_ key: [UInt8], _ value: [UInt8]) throws(DSVError) -> (name: String, target: RefTarget) {
    let plain = try value.withBytes { (value) throws(DSVError) in
      try open(value, "dsv ref", key, of: "a ref of the index")
    }
    let (name, target) = try Index.field(plain, "a ref of the index") { (reader) throws(DSVError) in
      (try reader.readString(), try reader.readRefTarget())
    }
    guard let target, refKey(name) == key else {
      throw DSVError(.corrupt, "a ref of the index: it stands under another ref's name")
    }
    return (name, target)
  }

  /// The body of a record of the reflog that begins at byte `offset`: the epoch of the key, and a token.
  func sealLog(_ body: [UInt8], at offset: Int) -> [UInt8] {
    seal(body, "dsv reflog", Self.place(offset))
  }

  /// - Throws: `.corrupt` if it was not sealed to stand there.
  func openLog(
    _ body: UnsafeRawBufferPointer, at offset: Int, of subject: String
  ) throws(DSVError) -> [UInt8] {
    try open(body, "dsv reflog", Self.place(offset), of: subject)
  }

  /// A small file, as a repository keeps it beside its packs: the epoch of the key, and a token.
  func sealFile(_ bytes: [UInt8], _ name: String) -> [UInt8] { seal(bytes, "dsv file", Array(name.utf8)) }

  /// - Throws: `.corrupt` if it was not sealed as the file of that name.
  func openFile(_ bytes: [UInt8], _ name: String, of subject: String) throws(DSVError) -> [UInt8] {
    try bytes.withBytes { (bytes) throws(DSVError) in
      try open(bytes, "dsv file", Array(name.utf8), of: subject)
    }
  }

  private static func place(_ offset: Int) -> [UInt8] {
    withUnsafeBytes(of: UInt64(offset).littleEndian) { Array($0) }
  }

  func seal(_ plain: [UInt8], _ label: StaticString, _ place: [UInt8]) -> [UInt8] {
    plain.withUnsafeBytes { seal($0, label, place) }
  }

  func seal(_ plain: UnsafeRawBufferPointer, _ label: StaticString, _ place: [UInt8]) -> [UInt8] {
    let key = keyring.currentLogKey
    let token = Fernet.seal(plain, with: key.key(label, place))
    return withUnsafeBytes(of: key.epoch.littleEndian) { Array($0) } + token
  }

  func open(
    _ sealed: UnsafeRawBufferPointer, _ label: StaticString, _ place: [UInt8], of subject: String
  ) throws(DSVError) -> [UInt8] {
    let (token, key) = try parts(sealed, label, place, subject)
    return try Fernet.open(token, with: key, of: subject)
  }

  /// The same, of what holds keys.
  func openSecret(
    _ sealed: UnsafeRawBufferPointer, _ label: StaticString, _ place: [UInt8], of subject: String
  ) throws(DSVError) -> SecretBytes {
    let (token, key) = try parts(sealed, label, place, subject)
    return try Fernet.openSecret(token, with: key, of: subject)
  }

  /// The token in what was sealed, and what it opens with.
  private func parts(
    _ sealed: UnsafeRawBufferPointer, _ label: StaticString, _ place: [UInt8], _ subject: String
  ) throws(DSVError) -> (token: UnsafeRawBufferPointer, key: FernetKey) {
    guard sealed.count > Self.epochByteCount else { throw DSVError(.corrupt, "\(subject): it is too short") }
    let epoch = UInt32(littleEndian: sealed.loadUnaligned(as: UInt32.self))
    let token = UnsafeRawBufferPointer(rebasing: sealed[Self.epochByteCount...])
    return (token, try logKey(epoch, subject).key(label, place))
  }

  private func logKey(_ epoch: UInt32, _ subject: String) throws(DSVError) -> LogKey {
    if let key = keyring.logKey(epoch) { return key }
    // Nobody gives an epoch that is no key's yet: other bytes do.
    if epoch > keyring.currentLogKey.epoch { try refresh() }
    if let key = keyring.logKey(epoch) ?? state.withLock({ $0.otherLogKeys[epoch] }) { return key }
    throw DSVError(.corrupt, "\(subject): there is no key of epoch \(epoch)")
  }
}
