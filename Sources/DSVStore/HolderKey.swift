import DSVFormat
import DSVSystem

/// What follows from a user key: its ID, and what wraps the ring key.
struct HolderKey: Sendable {
  let id: KeyID
  let derivation: KeyDerivation
  private let wrapping: FernetKey

  /// That of a key which becomes one of a repository's.
  init(new key: UserKey, _ cost: Scrypt.Cost) throws(DSVError) {
    switch key {
    case .key(let key): self.init(key.secret, .raw)
    case .passphrase(let passphrase):
      let salt = RandomSource.bytes(KeyringLayout.Slot.saltByteCount)
      self.init(try Scrypt.key(passphrase: passphrase, salt: salt, cost), .scrypt(salt: salt, cost))
    }
  }

  /// That of a key whose slot is among `slots`; `nil` if none of them is.
  init?(_ key: UserKey, among slots: [KeySlot]) throws(DSVError) {
    for slot in slots {
      let holder: HolderKey
      switch (key, slot.derivation) {
      case (.key(let key), .raw): holder = HolderKey(key.secret, .raw)
      case (.passphrase(let passphrase), .scrypt(let salt, let cost)):
        holder = HolderKey(try Scrypt.key(passphrase: passphrase, salt: salt, cost), slot.derivation)
      default: continue
      }
      if holder.id == slot.id {
        self = holder
        return
      }
      // A key's ID is the same beside every slot.
      if case .key = key, !slots.contains(where: { $0.id == holder.id }) { return nil }
    }
    return nil
  }

  private init(_ secret: SecretBytes, _ derivation: KeyDerivation) {
    let keys = HKDF(secret)
    let id = keys.key("dsv key ID", byteCount: KeyID.byteCount).withBytes { bytes in
      KeyID(number: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)))
    }
    self.id = id
    self.derivation = derivation
    wrapping = FernetKey(keys.key("dsv ring key", id.bytes))
  }

  func slot(_ ringKey: SecretBytes) -> KeySlot {
    KeySlot(id: id, derivation: derivation, token: ringKey.withBytes { Fernet.seal($0, with: wrapping) })
  }

  /// - Throws: `.corrupt` if this key did not make the slot.
  func ringKey(_ slot: KeySlot, of subject: String) throws(DSVError) -> SecretBytes {
    let key = try slot.token.withBytes { (token) throws(DSVError) in
      try Fernet.openSecret(token, with: wrapping, of: "\(subject), key \(id)")
    }
    guard key.count == KeyringLayout.Body.keyByteCount else {
      throw DSVError(.corrupt, "\(subject), key \(id): it wraps \(key.count) bytes")
    }
    return key
  }
}
