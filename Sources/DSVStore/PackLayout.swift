import DSVFormat

/// Where each field of a pack lies. All numbers are little-endian. `format-spec/store.md` says what they mean.
package enum PackLayout {
  /// Largest body of a record. Checked before anything is allocated for one.
  package static let storedByteCountMax = 64 << 20
  /// A pack that has reached this length takes no more records.
  package static let sealedByteCount = 64 << 20

  /// How long the record of an object is.
  package static func recordByteCount(_ object: StoredObject, isSealed: Bool) -> Int {
    Record.byteCount + bodyByteCount(object, isSealed: isSealed)
  }

  /// How long the body of that record is.
  static func bodyByteCount(_ object: StoredObject, isSealed: Bool) -> Int {
    let byteCount = isSealed ? PackSealer.tokenByteCount(object.bytes.count) : object.bytes.count
    return (object.base == nil ? 0 : AnyID.byteCount) + byteCount
  }

  /// The beginning of a pack file.
  enum Header {
    static let magic = 0
    static let revision = magic + 4
    static let reserved = revision + 2
    static let packID = reserved + 2
    static let checksum = packID + 16
    static let byteCount = checksum + 8

    /// "dsvP"
    static let magicValue: UInt32 = 0x5076_7364
    static let revisionValue: UInt16 = 1
  }

  /// The beginning of a record; its body follows.
  enum Record {
    static let magic = 0
    static let kind = magic + 4
    static let baseDepth = kind + 1
    static let reserved = baseDepth + 1
    static let storedByteCount = reserved + 2
    static let plainByteCount = storedByteCount + 4
    static let id = plainByteCount + 4
    static let checksum = id + 32
    static let byteCount = checksum + 8

    /// "dsvR"
    static let magicValue: UInt32 = 0x5276_7364
    /// In `reserved`: the body is a token under the pack's key.
    static let sealedFlag: UInt16 = 1
  }
}
