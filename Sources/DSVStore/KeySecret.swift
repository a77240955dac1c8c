package import DSVFormat
import DSVSystem

/// What keys are hashed with, so that their hashes say nothing of them, and nobody can choose keys whose hashes meet.
///
/// That of an encrypted repository is in its keyring.
package struct KeySecret: Sendable {
  static let magic: UInt32 = 0x6b76_7364
  static let revision: UInt16 = 1
  static let byteCount = 32

  private let secret: SecretBytes
  package let hash: SipHash

  init(_ secret: SecretBytes) {
    precondition(secret.count == Self.byteCount)
    self.secret = secret
    hash = secret.withBytes { bytes in
      func word(_ start: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self))
      }
      return SipHash(key: word(0), word(8))
    }
  }

  /// One for keys that are not kept.
  package static func random() -> KeySecret { KeySecret(.random(byteCount)) }

  /// A name for `content` that only who has the secret can tell.
  package func name(_ content: [UInt8]) -> AnyID {
    let input = SecretBytes(count: Self.byteCount - 16 + content.count) { input in
      secret.withBytes { input.copyBytes(from: $0[16...]) }
      UnsafeMutableRawBufferPointer(rebasing: input[(Self.byteCount - 16)...]).copyBytes(from: content)
    }
    return input.withBytes { SHA256.id(kind: nil, $0) }
  }

  /// As it stands in its file.
  var fileBytes: [UInt8] {
    var writer = ByteWriter()
    writer.write(Self.magic)
    writer.write(Self.revision)
    writer.write(UInt16(0))
    secret.withBytes { writer.write(bytes: $0) }
    writer.write(Hash64.of(writer.bytes))
    return writer.bytes
  }

  /// - Throws: `corrupt` or `unsupportedFormat`.
  init(file bytes: [UInt8], of subject: String) throws(DSVError) {
    self.init(
      try bytes.withBytes { (bytes) throws(DSVError) in
        var reader = ByteReader(bytes, of: subject)
        guard try reader.read(UInt32.self) == Self.magic else { throw reader.corrupt("no secret") }
        let revision = try reader.read(UInt16.self)
        guard revision == Self.revision, try reader.read(UInt16.self) == 0 else {
          throw reader.unsupported("revision \(revision)")
        }
        let secret = SecretBytes(copying: try reader.readBytes(Self.byteCount))
        let checksum = Hash64.of(UnsafeRawBufferPointer(rebasing: bytes[..<reader.offset]))
        guard try reader.read(UInt64.self) == checksum else { throw reader.corrupt("a wrong checksum") }
        try reader.finish()
        return secret
      })
  }
}
