import DSVFormat

/// Where each field of a keyring lies. All numbers are little-endian. `format-spec/encryption.md` says what they mean.
enum KeyringLayout {
  /// More keys than this no repository has.
  static let slotCountMax = 64
  /// Longest keyring that is read or written: enough for a million packs.
  static let byteCountMax = 64 << 20
  static let checksumByteCount = 8

  enum Header {
    static let magic = 0
    static let revision = magic + 4
    static let reserved = revision + 2
    static let generation = reserved + 2
    static let slotCount = generation + 8
    static let bodyByteCount = slotCount + 4
    static let byteCount = bodyByteCount + 4

    /// "dsvY"
    static let magicValue: UInt32 = 0x5976_7364
    static let revisionValue: UInt16 = 1
  }

  /// A user key, and the ring key that it wraps.
  enum Slot {
    static let keyID = 0
    static let derivation = keyID + 8
    static let logN = derivation + 1
    static let reserved = logN + 1
    static let r = reserved + 2
    static let p = r + 4
    static let salt = p + 4
    static let token = salt + saltByteCount
    static let byteCount = token + tokenByteCount

    static let saltByteCount = 16
    static let tokenByteCount = Fernet.tokenByteCount(Body.keyByteCount)
    static let derivationRaw: UInt8 = 0
    static let derivationScrypt: UInt8 = 1
  }

  /// What the body's token holds.
  enum Body {
    static let keyByteCount = 32

    static let idKey = 0
    static let keyIndexSecret = idKey + keyByteCount
    static let cutSeed = keyIndexSecret + keyByteCount
    static let logKeyCount = cutSeed + 8
    static let packKeyCount = logKeyCount + 4
    static let byteCount = packKeyCount + 4

    static let logKeyByteCount = 4 + keyByteCount
    static let packKeyByteCount = PackID.byteCount + keyByteCount
  }
}
