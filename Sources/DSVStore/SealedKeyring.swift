package import DSVFormat
import DSVSystem

/// A keyring as it lies in its file: what can be read of it without a key.
package struct SealedKeyring: Sendable {
  /// None is longer.
  package static let byteCountMax = KeyringLayout.byteCountMax
  /// Rises with each change.
  package let generation: UInt64
  package let slots: [KeySlot]
  /// The secrets, under the ring key.
  let body: [UInt8]
  /// The SHA-256 of all that stands before the body, which the body's key follows from.
  let headDigest: [UInt8]

  private typealias Layout = KeyringLayout

  /// Reads a file's bytes.
  ///
  /// - Throws: `.corrupt`, or `.unsupportedFormat` for a later revision.
  package init(_ bytes: [UInt8], of subject: String) throws(DSVError) {
    self = try bytes.withBytes { (bytes) throws(DSVError) in try SealedKeyring(bytes, of: subject) }
  }

  package init(_ bytes: UnsafeRawBufferPointer, of subject: String) throws(DSVError) {
    // Every revision ends with the checksum: so damage is not taken for a later one.
    guard bytes.count >= Layout.Header.byteCount + Layout.checksumByteCount,
      bytes.count <= Layout.byteCountMax
    else { throw DSVError(.corrupt, "\(subject): \(bytes.count) bytes are no keyring") }
    let end = bytes.count - Layout.checksumByteCount
    let checksum = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt64.self))
    guard checksum == Hash64.of(UnsafeRawBufferPointer(rebasing: bytes[..<end])) else {
      throw DSVError(.corrupt, "\(subject): a wrong checksum")
    }
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[..<end]), of: subject)
    guard try reader.read(UInt32.self) == Layout.Header.magicValue else { throw reader.corrupt("no keyring") }
    let revision = try reader.read(UInt16.self)
    guard revision == Layout.Header.revisionValue, try reader.read(UInt16.self) == 0 else {
      throw reader.unsupported("revision \(revision)")
    }
    generation = try reader.read(UInt64.self)
    let slotCount = Int(try reader.read(UInt32.self))
    let bodyByteCount = Int(try reader.read(UInt32.self))
    guard (1...Layout.slotCountMax).contains(slotCount),
      reader.remaining == slotCount * Layout.Slot.byteCount + bodyByteCount
    else { throw reader.corrupt("\(slotCount) keys and \(bodyByteCount) bytes do not fill it") }
    var slots: [KeySlot] = []
    for _ in 0..<slotCount {
      let slot = try reader.readKeySlot()
      guard !slots.contains(where: { $0.id == slot.id }) else { throw reader.corrupt("a key stands twice") }
      slots.append(slot)
    }
    self.slots = slots
    headDigest = Self.digest(UnsafeRawBufferPointer(rebasing: bytes[..<reader.offset]))
    body = Array(try reader.readBytes(bodyByteCount))
    try reader.finish()
  }

  /// The bytes of a file, in which `seal` makes the body's token from the digest of what stands before it.
  static func bytes(
    generation: UInt64, _ slots: [KeySlot], bodyByteCount: Int, seal: (_ headDigest: [UInt8]) -> [UInt8]
  ) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(Layout.Header.magicValue)
    writer.write(Layout.Header.revisionValue)
    writer.write(UInt16(0))
    writer.write(generation)
    writer.write(UInt32(slots.count))
    writer.write(UInt32(bodyByteCount))
    for slot in slots { writer.write(slot) }
    let token = seal(writer.bytes.withBytes { digest($0) })
    precondition(token.count == bodyByteCount)
    writer.write(bytes: token)
    writer.write(Hash64.of(writer.bytes))
    return writer.bytes
  }

  private static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    let digest: AnyID = SHA256.id(kind: nil, bytes)
    return digest.bytes
  }
}

extension ByteReader {
  fileprivate mutating func readKeySlot() throws(DSVError) -> KeySlot {
    typealias Slot = KeyringLayout.Slot
    let id = KeyID(number: try read(UInt64.self).byteSwapped)
    let derivation = try read(UInt8.self)
    let logN = try read(UInt8.self)
    guard derivation <= Slot.derivationScrypt, try read(UInt16.self) == 0 else {
      throw unsupported("a key derived in way \(derivation)")
    }
    let (r, p) = (try read(UInt32.self), try read(UInt32.self))
    let salt = Array(try readBytes(Slot.saltByteCount))
    let token = Array(try readBytes(Slot.tokenByteCount))
    if derivation == Slot.derivationRaw {
      guard logN == 0, r == 0, p == 0, salt.allSatisfy({ $0 == 0 }) else {
        throw corrupt("a key that is used as it is has a cost")
      }
      return KeySlot(id: id, derivation: .raw, token: token)
    }
    guard let cost = Scrypt.Cost(logN: logN, r: r, p: p) else {
      throw corrupt("a passphrase that costs 2^\(logN), \(r), \(p)")
    }
    return KeySlot(id: id, derivation: .scrypt(salt: salt, cost), token: token)
  }
}

extension ByteWriter {
  fileprivate mutating func write(_ slot: KeySlot) {
    typealias Slot = KeyringLayout.Slot
    write(bytes: slot.id.bytes)
    let salt: [UInt8]
    switch slot.derivation {
    case .raw:
      write(Slot.derivationRaw)
      for _ in 1..<Slot.salt - Slot.derivation { write(UInt8(0)) }
      salt = [UInt8](repeating: 0, count: Slot.saltByteCount)
    case .scrypt(let ownSalt, let cost):
      write(Slot.derivationScrypt)
      write(cost.logN)
      write(UInt16(0))
      write(cost.r)
      write(cost.p)
      salt = ownSalt
    }
    write(bytes: salt)
    write(bytes: slot.token)
  }
}
