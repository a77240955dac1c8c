/// Tokens as the Fernet specification has them, in raw bytes: what Python's `cryptography.fernet` makes and reads, before base64.
///
/// A token is `80 ‖ timestamp, 8 bytes, big-endian ‖ IV, 16 ‖ AES-128-CBC of the padded content ‖ HMAC-SHA256 of all that, 32`.
/// dsv writes 0 for the time, since a time of writing would say something of the content.
/// Normative text: `format-spec/encryption.md`.
package enum Fernet {
  static let version: UInt8 = 0x80
  static let headerByteCount = 25
  static let blockByteCount = CBCContext.blockByteCount
  static let macByteCount = HMACContext.digestByteCount
  /// How far in the future a token may seem to have been made, in seconds.
  static let clockSkewMax: UInt64 = 60
  /// What is encrypted before it is signed, so that it is still near when it is.
  private static let pieceByteCount = 16_384

  private final class Contexts {
    let cipher = CBCContext()
    let mac = HMACContext()

    func forget() {
      withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { zeros in
        zeros.initializeMemory(as: UInt8.self, repeating: 0)
        let zeros = UnsafeRawBufferPointer(zeros)
        cipher.start(key: zeros, iv: zeros, encrypts: true)
      }
      mac.forget()
    }
  }

  private static let contexts = IdlePool { Contexts() }

  /// How long the token of so many bytes is.
  package static func tokenByteCount(_ plainByteCount: Int) -> Int {
    headerByteCount + (plainByteCount / blockByteCount + 1) * blockByteCount + macByteCount
  }

  /// The most bytes that a token of this length can hold, which is at most 15 more than it does; 0 for what is no token's length.
  package static func plainByteCountMax(_ tokenByteCount: Int) -> Int {
    let count = tokenByteCount - headerByteCount - macByteCount
    return count > 0 && count % blockByteCount == 0 ? count - 1 : 0
  }
}

// MARK: - Sealing

extension Fernet {
  /// Writes the token of `plain`, with a random initialization vector.
  ///
  /// - Parameter token: has ``tokenByteCount(_:)`` bytes.
  package static func seal(
    _ plain: UnsafeRawBufferPointer, with key: FernetKey, into token: UnsafeMutableRawBufferPointer
  ) {
    withUnsafeTemporaryAllocation(byteCount: blockByteCount, alignment: 8) { iv in
      RandomSource.fill(iv)
      seal(plain, with: key, timestamp: 0, iv: UnsafeRawBufferPointer(iv), into: token)
    }
  }

  package static func seal(_ plain: UnsafeRawBufferPointer, with key: FernetKey) -> [UInt8] {
    let count = tokenByteCount(plain.count)
    return [UInt8](unsafeUninitializedCapacity: count) { token, filledCount in
      seal(
        plain, with: key,
        into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(token)[..<count]))
      filledCount = count
    }
  }

  /// As ``seal(_:with:)``, with the initialization vector that is given: for who can say that it is used once.
  package static func seal(_ plain: UnsafeRawBufferPointer, with key: FernetKey, iv: [UInt8]) -> [UInt8] {
    var token = [UInt8](repeating: 0, count: tokenByteCount(plain.count))
    token.withUnsafeMutableBytes { token in
      iv.withUnsafeBytes { seal(plain, with: key, timestamp: 0, iv: $0, into: token) }
    }
    return token
  }

  /// As ``seal(_:with:into:)``, with the time and the initialization vector that are given: for vectors of tests.
  static func seal(
    _ plain: UnsafeRawBufferPointer, with key: FernetKey, timestamp: UInt64, iv: UnsafeRawBufferPointer,
    into token: UnsafeMutableRawBufferPointer
  ) {
    precondition(token.count == tokenByteCount(plain.count) && iv.count == blockByteCount)
    token[0] = version
    token.storeBytes(of: timestamp.bigEndian, toByteOffset: 1, as: UInt64.self)
    token[9..<headerByteCount].copyBytes(from: iv)
    contexts.with { contexts in
      key.secret.withBytes { key in
        contexts.mac.start(key: UnsafeRawBufferPointer(rebasing: key[..<16]))
        contexts.cipher.start(key: UnsafeRawBufferPointer(rebasing: key[16...]), iv: iv, encrypts: true)
      }
      contexts.mac.update(UnsafeRawBufferPointer(rebasing: token[..<headerByteCount]))
      encrypt(plain, into: token, contexts)
      contexts.mac.finish(
        into: UnsafeMutableRawBufferPointer(rebasing: token[(token.count - macByteCount)...]))
      contexts.forget()
    }
  }

  private static func encrypt(
    _ plain: UnsafeRawBufferPointer, into token: UnsafeMutableRawBufferPointer, _ contexts: Contexts
  ) {
    func step(_ input: UnsafeRawBufferPointer, at start: Int) {
      let output = UnsafeMutableRawBufferPointer(rebasing: token[start..<start + input.count])
      contexts.cipher.update(input, into: output)
      contexts.mac.update(UnsafeRawBufferPointer(output))
    }
    let wholeByteCount = plain.count / blockByteCount * blockByteCount
    for start in stride(from: 0, to: wholeByteCount, by: pieceByteCount) {
      let end = min(start + pieceByteCount, wholeByteCount)
      step(UnsafeRawBufferPointer(rebasing: plain[start..<end]), at: headerByteCount + start)
    }
    // PKCS #7: as many bytes as are missing to a whole block, at least one, each of which says how many.
    let rest = plain[wholeByteCount...]
    withUnsafeTemporaryAllocation(byteCount: blockByteCount, alignment: 8) { block in
      block.initializeMemory(as: UInt8.self, repeating: UInt8(blockByteCount - rest.count))
      block.copyBytes(from: rest)
      step(UnsafeRawBufferPointer(block), at: headerByteCount + wholeByteCount)
      Wiping.wipe(block)
    }
  }
}

// MARK: - Opening

extension Fernet {
  /// Writes what a token holds; nothing is decrypted before its signature was found right.
  ///
  /// - Parameters:
  ///   - plain: has room for ``plainByteCountMax(_:)`` bytes. May be the token's own from byte 25 on.
  ///   - ttl: how old the token may be, in seconds; needs `now`.
  ///   - now: seconds since 1970, to refuse a token from the future by.
  ///   - subject: what the token is of, for messages.
  /// - Returns: how many bytes were written.
  /// - Throws: `.corrupt`, whatever is wrong with it: a token does not tell another key from other bytes.
  package static func open(
    _ token: UnsafeRawBufferPointer, with key: FernetKey, into plain: UnsafeMutableRawBufferPointer,
    ttl: UInt64? = nil, now: UInt64? = nil, of subject: @autoclosure () -> String
  ) throws(DSVError) -> Int {
    if let problem = problem(token, ttl, now) { throw DSVError(.corrupt, "\(subject()): \(problem)") }
    precondition(plain.count >= plainByteCountMax(token.count))
    let count = contexts.with { contexts in
      defer { contexts.forget() }
      return key.secret.withBytes { key in
        isSigned(token, UnsafeRawBufferPointer(rebasing: key[..<16]), contexts.mac)
          ? decrypt(token, UnsafeRawBufferPointer(rebasing: key[16...]), into: plain, contexts.cipher) : nil
      }
    }
    guard let count else { throw DSVError(.corrupt, "\(subject()): its token's signature is not right") }
    guard count >= 0 else { throw DSVError(.corrupt, "\(subject()): its token's padding is not right") }
    return count
  }

  package static func open(
    _ token: UnsafeRawBufferPointer, with key: FernetKey, ttl: UInt64? = nil, now: UInt64? = nil,
    of subject: @autoclosure () -> String
  ) throws(DSVError) -> [UInt8] {
    let room = plainByteCountMax(token.count)
    var failure: DSVError?
    let plain = [UInt8](unsafeUninitializedCapacity: room) { plain, filledCount in
      do throws(DSVError) {
        filledCount = try open(
          token, with: key,
          into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(plain)[..<room]),
          ttl: ttl, now: now, of: subject())
      } catch { failure = error }
    }
    if let failure { throw failure }
    return plain
  }

  /// As ``open(_:with:into:ttl:now:of:)``, for what is a secret itself.
  package static func openSecret(
    _ token: UnsafeRawBufferPointer, with key: FernetKey, of subject: @autoclosure () -> String
  ) throws(DSVError) -> SecretBytes {
    var count = 0
    let secret = try SecretBytes(count: plainByteCountMax(token.count)) { (room) throws(DSVError) in
      count = try open(token, with: key, into: room, of: subject())
    }
    guard count < secret.count else { return secret }
    return secret.withBytes { SecretBytes(copying: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
  }

  /// What can be told to be wrong without the key.
  private static func problem(_ token: UnsafeRawBufferPointer, _ ttl: UInt64?, _ now: UInt64?) -> String? {
    guard token.count > headerByteCount + macByteCount else {
      return "\(token.count) bytes are too short for a token"
    }
    guard token[0] == version else { return "its token is of another version" }
    guard (token.count - headerByteCount - macByteCount) % blockByteCount == 0 else {
      return "its token does not hold whole blocks"
    }
    guard let now else {
      precondition(ttl == nil)
      return nil
    }
    let timestamp = UInt64(bigEndian: token.loadUnaligned(fromByteOffset: 1, as: UInt64.self))
    if let ttl, timestamp < now, now - timestamp > ttl { return "its token has expired" }
    return timestamp > now && timestamp - now > clockSkewMax ? "its token is from the future" : nil
  }

  private static func isSigned(
    _ token: UnsafeRawBufferPointer, _ key: UnsafeRawBufferPointer, _ mac: HMACContext
  ) -> Bool {
    withUnsafeTemporaryAllocation(byteCount: macByteCount, alignment: 8) { digest in
      let end = token.count - macByteCount
      mac.start(key: key)
      mac.update(UnsafeRawBufferPointer(rebasing: token[..<end]))
      mac.finish(into: digest)
      return Wiping.areEqual(UnsafeRawBufferPointer(digest), UnsafeRawBufferPointer(rebasing: token[end...]))
    }
  }

  /// - Returns: how many bytes were written, or -1 if the padding is not right.
  private static func decrypt(
    _ token: UnsafeRawBufferPointer, _ key: UnsafeRawBufferPointer,
    into plain: UnsafeMutableRawBufferPointer, _ cipher: CBCContext
  ) -> Int {
    let last = token.count - macByteCount - blockByteCount
    let wholeByteCount = last - headerByteCount
    cipher.start(key: key, iv: UnsafeRawBufferPointer(rebasing: token[9..<headerByteCount]), encrypts: false)
    // The last block is not all content: `plain` need not have room for it. It is copied before `plain`
    // is written to, which may be where it lies.
    return withUnsafeTemporaryAllocation(byteCount: blockByteCount, alignment: 8) { block in
      defer { Wiping.wipe(block) }
      block.copyBytes(from: token[last..<last + blockByteCount])
      cipher.update(
        UnsafeRawBufferPointer(rebasing: token[headerByteCount..<last]),
        into: UnsafeMutableRawBufferPointer(rebasing: plain[..<wholeByteCount]))
      cipher.update(UnsafeRawBufferPointer(block), into: block)
      let padding = Int(block[blockByteCount - 1])
      guard (1...blockByteCount).contains(padding),
        block[(blockByteCount - padding)...].allSatisfy({ $0 == UInt8(padding) })
      else { return -1 }
      let count = blockByteCount - padding
      UnsafeMutableRawBufferPointer(rebasing: plain[wholeByteCount..<wholeByteCount + count])
        .copyBytes(from: block[..<count])
      return wholeByteCount + count
    }
  }
}
