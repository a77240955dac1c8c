import DSVColumns
public import DSVFormat
import DSVRemote
package import DSVStore
import DSVSystem

/// A key that opens an encrypted repository: 32 random bytes, or a passphrase.
///
/// Is kept out of swap and core dumps where the system lets us, and wiped when nobody needs it any more.
public struct RepositoryKey: Sendable {
  package let value: UserKey
  /// Puts a new key where its user finds it again. Called when all else is checked, before anything is written that it opens: what is
  /// refused leaves no key behind, and a key that opens something is never lost.
  package var keep: @Sendable () throws(DSVError) -> Void = {}

  package init(_ value: UserKey) { self.value = value }

  /// Reads 44 characters as Python's `Fernet.generate_key()` makes them; `nil` for anything else.
  public init?(text: some StringProtocol) {
    var bytes = Array(text.utf8)
    defer { Wiping.wipe(&bytes) }
    guard let key = bytes.withUnsafeBytes({ FernetKey(text: $0) }) else { return nil }
    value = .key(key)
  }

  /// Reads a file that holds such a key and no more, as `dsv init --encrypt --key-file` makes it.
  public init(file path: String) throws(DSVError) {
    let (text, _) = try SecretInput.file(path, limit: 1024)
    let key = text.withBytes { bytes in
      FernetKey(text: UnsafeRawBufferPointer(rebasing: bytes.last == 10 ? bytes.dropLast() : bytes[...]))
    }
    guard let key else {
      throw DSVError(
        .badInput, "\(path): a key is one line of 44 characters, as Fernet.generate_key() makes it")
    }
    value = .key(key)
  }

  public init(passphrase: String) {
    var bytes = Array(passphrase.utf8)
    defer { Wiping.wipe(&bytes) }
    value = .passphrase(bytes.withUnsafeBytes { SecretBytes(copying: $0) })
  }

  /// A new random key.
  public static func random() -> RepositoryKey { RepositoryKey(.key(.random())) }

  /// The 44 characters that ``init(text:)`` reads; `nil` for a passphrase. Who sees them can read the repository.
  public var text: String? {
    guard case .key(let key) = value else { return nil }
    return key.text.withBytes { String(decoding: $0, as: UTF8.self) }
  }
}

/// A key of a repository, as people are told of it.
public struct KeyInfo: Sendable, Hashable {
  /// 16 hexadecimal digits, which follow from the key and say nothing of it.
  public let id: String
  public let isPassphrase: Bool
  /// Whether it is the one that opened the repository.
  public let isOwn: Bool
}

/// An object as Python's `cryptography.fernet` opens it.
public struct FernetObject: Sendable {
  /// The object's stored bytes, encrypted: base64 as Fernet has it.
  public let token: String
  /// The key of this token alone, in base64.
  public let key: String
}

extension Repository {
  public var isEncrypted: Bool { store.isEncrypted }

  /// The keys that open this repository, the oldest first; none if it is plain.
  public func keys() throws(DSVError) -> [KeyInfo] {
    try store.userKeys().map { KeyInfo(id: "\($0.id)", isPassphrase: $0.isPassphrase, isOwn: $0.isOwn) }
  }

  /// Lets another key open the repository; returns its ID, also where it does already.
  ///
  /// - Throws: `badInput` if the repository is plain.
  public func addKey(_ key: RepositoryKey) throws(DSVError) -> String {
    "\(try store.addKey(key.value, keep: key.keep))"
  }

  /// Puts `key` in the place of the one that opened the repository; returns its ID. Takes time by the number of packs only.
  ///
  /// What is written from then on the old key does not open; what a copy of the key file from before still opens with it, ends with
  /// ``reencrypt(progress:)``.
  /// - Parameters:
  ///   - kept: every other key that the repository has.
  ///   - reencrypts: whether ``reencrypt(progress:)`` is to follow. ``isReencrypting`` says so until that has ended, whatever happens to
  ///     this process.
  /// - Throws: `badInput` if a key of the repository is missing among `kept`.
  public func rotateKey(
    to key: RepositoryKey, keeping kept: [RepositoryKey] = [], reencrypts: Bool = false
  ) throws(DSVError) -> String {
    try adoptRemoteKeys()
    let id = try store.rotateKey(
      to: key.value, keeping: kept.map(\.value), reencrypts: reencrypts, keep: key.keep)
    return "\(id)"
  }

  /// Takes a key away: it opens nothing of what is written from then on.
  ///
  /// - Parameters:
  ///   - id: of a key that is not the one that opened the repository.
  ///   - kept: every key that stays, but for that one.
  ///   - reencrypts: see ``rotateKey(to:keeping:reencrypts:)``.
  public func revokeKey(
    _ id: String, keeping kept: [RepositoryKey] = [], reencrypts: Bool = false
  ) throws(DSVError) {
    guard let keyID = KeyID(hex: id) else {
      throw DSVError(.badInput, "a key's ID has 16 hexadecimal digits; see 'dsv key list'")
    }
    try adoptRemoteKeys()
    try store.revokeKey(keyID, keeping: kept.map(\.value), reencrypts: reencrypts)
  }

  /// Takes over the keys that others have put on the remotes: an exchange that knows nothing of them would lock their owners out. A remote
  /// that cannot be asked now keeps nobody from exchanging a key.
  ///
  /// - Throws: `wrongKey` if the key that is used here was taken away there; whatever keeps a remote from being asked that holds what is not here: under
  ///   keys of one's own that could not be read any more.
  private func adoptRemoteKeys() throws(DSVError) {
    let hasDemoted = try TierFolder(store).hasDemoted
    for remote in try remotes() {
      do throws(DSVError) { try openRemote(remote.name).syncKeyring(isPushing: false) } catch {
        if error.code == .wrongKey || error.code == .interrupted { throw error }
        let isPartial = try remoteConfig(remote.name).scope.isPartial
        if hasDemoted || isPartial, error.code != .conflict { throw error }
        options.note(
          "remote '\(remote.name)' could not be asked for keys that others have added: \(error.message); the next push takes "
            + "those away that are not here, see 'dsv key list'")
      }
    }
  }

  /// The key that opened the repository, for a copy of it in a safe place.
  ///
  /// - Throws: `badInput` if it is not the one with that ID, or is a passphrase: a repository does not hold its keys.
  package func exportKey(_ id: String) throws(DSVError) -> FernetKey {
    guard let keyID = KeyID(hex: id) else {
      throw DSVError(.badInput, "a key's ID has 16 hexadecimal digits; see 'dsv key list'")
    }
    return try store.exportKey(keyID)
  }

  /// Whether a re-encryption was broken off, and is to be gone on with.
  public var isReencrypting: Bool { get throws(DSVError) { try store.isReencrypting } }

  /// Writes everything again under new keys: what copies of older key files open is then no more in this repository.
  ///
  /// What was broken off goes on where it was.
  /// - Throws: `busy` if somebody keeps reading or writing for a minute.
  public func reencrypt(progress: @escaping ProgressHandler = { _ in }) throws(DSVError) {
    if try !store.hasBegunReencryption { try adoptRemoteKeys() }
    var stop: DSVError?
    try store.reencrypt { done, total in
      do throws(DSVError) {
        try progress(Progress(phase: "encrypting again", done: done, total: total, unit: .objects))
      } catch { stop = error }
    }
    if let stop { throw stop }
  }

  /// What an object holds: the bytes that its ID is computed over.
  public func object(_ id: AnyID) throws(DSVError) -> [UInt8] {
    let stored = try store.read(id)
    guard stored.kind == .chunk else { return try reader.plain(id, stored) }
    let chunk = try reader.decodedChunk(ColumnID(id), stored)
    return withExtendedLifetime(chunk) { Array(chunk.plainBytes) }
  }

  /// An object's stored bytes as a token that Python's `cryptography.fernet` opens, with the token's own key.
  ///
  /// - Throws: `badInput` if the repository is plain.
  public func fernetObject(_ id: AnyID) throws(DSVError) -> FernetObject {
    let (token, key) = try store.token(of: id)
    return FernetObject(
      token: token.withUnsafeBytes { Base64URL.text($0) },
      key: key.text.withBytes { String(decoding: $0, as: UTF8.self) })
  }
}
