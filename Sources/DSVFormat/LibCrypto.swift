import CCrypto

// Algorithms are looked up once: by name it takes as long as hashing a small object.

/// Computes SHA-256, hardware-accelerated where libcrypto can.
package enum SHA256 {
  // Never freed, and libcrypto only reads it.
  nonisolated(unsafe) private static let algorithm = EVP_MD_fetch(nil, "SHA256", nil)

  /// The digest of `kind`, if there is one, followed by `content`.
  package static func id<Kind>(kind: ObjectKind?, _ content: UnsafeRawBufferPointer) -> ObjectID<Kind> {
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    var digest: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    var succeeded = EVP_DigestInit_ex(context, algorithm, nil)
    if var prefix = kind?.rawValue { succeeded &= EVP_DigestUpdate(context, &prefix, 1) }
    succeeded &= EVP_DigestUpdate(context, content.baseAddress, content.count)
    withUnsafeMutableBytes(of: &digest) { digest in
      succeeded &= EVP_DigestFinal_ex(
        context, digest.baseAddress?.assumingMemoryBound(to: UInt8.self), nil)
    }
    precondition(succeeded == 1, "libcrypto has no SHA-256")
    return ObjectID(
      UInt64(bigEndian: digest.0), UInt64(bigEndian: digest.1), UInt64(bigEndian: digest.2),
      UInt64(bigEndian: digest.3))
  }
}

/// Computes MD5, which servers answer with. Finds accidents and nothing else.
package enum MD5 {
  package static let digestByteCount = 16

  // Never freed, and libcrypto only reads it.
  nonisolated(unsafe) private static let algorithm = EVP_MD_fetch(nil, "MD5", nil)

  /// `nil` where libcrypto is set up to be without it.
  package static func digest(_ content: UnsafeRawBufferPointer) -> [UInt8]? {
    guard let algorithm else { return nil }
    var digest = [UInt8](repeating: 0, count: digestByteCount)
    let succeeded = EVP_Digest(content.baseAddress, content.count, &digest, nil, algorithm, nil)
    return succeeded == 1 ? digest : nil
  }
}

/// Computes HMAC-SHA256 (RFC 2104), one message after another. For one thread at a time: ``IdlePool`` lends it.
package final class HMACContext {
  package static let digestByteCount = 32

  // Never freed, and libcrypto only reads it.
  nonisolated(unsafe) private static let algorithm = EVP_MAC_fetch(nil, "HMAC", nil)

  private let context: OpaquePointer

  /// One whose key is all zeros.
  package init() {
    guard let context = EVP_MAC_CTX_new(Self.algorithm) else {
      preconditionFailure("libcrypto has no HMAC, or no memory for it")
    }
    self.context = context
    precondition(dsv_hmac_sha256_init(context, [0], 1) == 1, "libcrypto has no HMAC-SHA256")
  }

  deinit { EVP_MAC_CTX_free(context) }

  /// Begins a message under `key`. What is kept of the key before is overwritten.
  package func start(key: UnsafeRawBufferPointer) {
    precondition(!key.isEmpty)
    let bytes = key.baseAddress?.assumingMemoryBound(to: UInt8.self)
    precondition(EVP_MAC_init(context, bytes, key.count, nil) == 1, "libcrypto refuses an HMAC key")
  }

  /// Begins a message under the key that was last given.
  package func restart() {
    precondition(EVP_MAC_init(context, nil, 0, nil) == 1, "libcrypto does not begin an HMAC again")
  }

  package func update(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
    precondition(EVP_MAC_update(context, start, bytes.count) == 1, "libcrypto takes no bytes for an HMAC")
  }

  package func update(_ byte: UInt8) { withUnsafeBytes(of: byte) { update($0) } }

  /// Ends the message: writes 32 bytes.
  package func finish(into digest: UnsafeMutableRawBufferPointer) {
    precondition(digest.count == Self.digestByteCount)
    var count = 0
    let start = digest.baseAddress?.assumingMemoryBound(to: UInt8.self)
    let succeeded = EVP_MAC_final(context, start, &count, digest.count)
    precondition(succeeded == 1 && count == digest.count, "libcrypto does not end an HMAC")
  }
}

/// AES-128 in CBC mode, without padding. For one thread at a time: ``IdlePool`` lends it.
package final class CBCContext {
  package static let blockByteCount = 16
  package static let keyByteCount = 16

  // Never freed, and libcrypto only reads it.
  nonisolated(unsafe) private static let algorithm = EVP_CIPHER_fetch(nil, "AES-128-CBC", nil)

  private let context: OpaquePointer

  package init() {
    guard let context = EVP_CIPHER_CTX_new() else { preconditionFailure("no memory for a cipher") }
    self.context = context
    let zeros = [UInt8](repeating: 0, count: Self.blockByteCount)
    precondition(
      EVP_CipherInit_ex2(context, Self.algorithm, zeros, zeros, 1, nil) == 1, "libcrypto has no AES-128-CBC")
    EVP_CIPHER_CTX_set_padding(context, 0)
  }

  deinit { EVP_CIPHER_CTX_free(context) }

  /// Begins a message. What is kept of the key before is overwritten.
  package func start(key: UnsafeRawBufferPointer, iv: UnsafeRawBufferPointer, encrypts: Bool) {
    precondition(key.count == Self.keyByteCount && iv.count == Self.blockByteCount)
    let (key, iv) = (
      key.baseAddress?.assumingMemoryBound(to: UInt8.self),
      iv.baseAddress?.assumingMemoryBound(to: UInt8.self)
    )
    let succeeded = EVP_CipherInit_ex2(context, nil, key, iv, encrypts ? 1 : 0, nil)
    precondition(succeeded == 1, "libcrypto refuses an AES key")
    EVP_CIPHER_CTX_set_padding(context, 0)
  }

  /// The next whole blocks. `output` has as many bytes, and may be the same ones.
  package func update(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) {
    precondition(input.count % Self.blockByteCount == 0 && output.count == input.count)
    var done = 0
    while done < input.count {
      // libcrypto counts with 32 bits.
      let count = min(input.count - done, 1 << 30)
      var written: Int32 = 0
      let succeeded = EVP_CipherUpdate(
        context, output.baseAddress?.advanced(by: done).assumingMemoryBound(to: UInt8.self), &written,
        input.baseAddress?.advanced(by: done).assumingMemoryBound(to: UInt8.self), Int32(count))
      precondition(succeeded == 1 && written == count, "libcrypto does not encrypt whole blocks")
      done += count
    }
  }
}

/// What must not say by the time it takes, or leave behind, what it worked on.
package enum Wiping {
  /// Overwrites what a compiler may not leave as it is.
  package static func wipe(_ bytes: UnsafeMutableRawBufferPointer) {
    OPENSSL_cleanse(bytes.baseAddress, bytes.count)
  }

  package static func wipe(_ bytes: inout [UInt8]) { bytes.withUnsafeMutableBytes { wipe($0) } }

  /// Takes as long whether and wherever the bytes differ.
  package static func areEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    a.count == b.count && CRYPTO_memcmp(a.baseAddress, b.baseAddress, a.count) == 0
  }
}

extension Scrypt {
  /// As libcrypto computes it; the cost was checked.
  ///
  /// - Returns: whether there was memory for it.
  static func fill(
    _ key: UnsafeMutableRawBufferPointer, passphrase: UnsafeRawBufferPointer,
    salt: UnsafeRawBufferPointer, _ cost: Scrypt.Cost
  ) -> Bool {
    // libcrypto takes a length only beside a pointer.
    let empty = [CChar](repeating: 0, count: 1)
    return empty.withUnsafeBufferPointer { empty in
      EVP_PBE_scrypt(
        passphrase.baseAddress?.assumingMemoryBound(to: CChar.self) ?? empty.baseAddress, passphrase.count,
        salt.baseAddress?.assumingMemoryBound(to: UInt8.self), salt.count, 1 << UInt64(cost.logN),
        UInt64(cost.r), UInt64(cost.p), UInt64(2 * cost.memoryByteCount + (1 << 20)),
        key.baseAddress?.assumingMemoryBound(to: UInt8.self), key.count) == 1
    }
  }
}
