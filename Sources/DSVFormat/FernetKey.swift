/// The key of Fernet tokens: 16 bytes that sign and 16 that encrypt.
package struct FernetKey: Sendable, Equatable {
  package static let byteCount = 32
  /// How long a key is in base64.
  package static let textByteCount = 44

  /// The signing key, then the encryption key.
  package let secret: SecretBytes

  package init(_ secret: SecretBytes) {
    precondition(secret.count == Self.byteCount)
    self.secret = secret
  }

  package static func random() -> FernetKey { FernetKey(.random(byteCount)) }

  /// Reads what Python's `Fernet.generate_key()` makes: 44 characters, and no other ones around them.
  package init?(text: UnsafeRawBufferPointer) {
    guard text.count == Self.textByteCount, Base64URL.byteCount(text) == Self.byteCount else { return nil }
    var isText = false
    let secret = SecretBytes(count: Self.byteCount) { isText = Base64URL.decode(text, into: $0) }
    guard isText else { return nil }
    self.secret = secret
  }

  /// The 44 characters.
  package var text: SecretBytes {
    SecretBytes(count: Self.textByteCount) { text in secret.withBytes { Base64URL.encode($0, into: text) } }
  }
}
