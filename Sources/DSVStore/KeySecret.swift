package import DSVFormat
import DSVSystem

/// What keys are hashed with, so that their hashes say nothing of them, and nobody can choose keys whose hashes meet.
///
/// That of an encrypted repository is in its keyring.
package struct KeySecret: Sendable {
  static let magic: UInt32 = 0x6b76_7364
  static let revision: UInt16 = 1
  static let byteCount = 32

  private let bytes: [UInt8]
  package let hash: SipHash

  init(_ bytes: [UInt8]) {
    precondition(bytes.count == Self.byteCount)
    self.bytes = bytes
    func word(_ start: Int) -> UInt64 {
      bytes[start..<start + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    hash = SipHash(key: word(0), word(8))
  }

  /// One for keys that are not kept.
  package static func random() -> KeySecret { KeySecret(Random.bytes(byteCount)) }

  /// A name for `content` that only who has the secret can tell.
  package func name(_ content: [UInt8]) -> AnyID {
    (bytes[16...] + content).withUnsafeBytes { SHA256.id(kind: nil, $0) }
  }

  /// As it stands in its file.
  var fileBytes: [UInt8] {
    var writer = ByteWriter()
    writer.write(Self.magic)
    writer.write(Self.revision)
    writer.write(UInt16(0))
    writer.write(bytes: bytes)
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
        let secret = Array(try reader.readBytes(Self.byteCount))
        let checksum = Hash64.of(UnsafeRawBufferPointer(rebasing: bytes[..<reader.offset]))
        guard try reader.read(UInt64.self) == checksum else { throw reader.corrupt("a wrong checksum") }
        try reader.finish()
        return secret
      })
  }
}
