/// Keys from a key: HKDF with HMAC-SHA256 (RFC 5869), its first half done once.
package struct HKDF: Sendable {
  /// Longest key that can be had of it.
  package static let byteCountMax = 255 * HMACContext.digestByteCount

  static let contexts = IdlePool { HMACContext() }

  /// What RFC 5869 calls PRK.
  private let extracted: SecretBytes

  /// - Parameter salt: none stands for 32 zero bytes.
  package init(_ inputKey: UnsafeRawBufferPointer, salt: [UInt8] = []) {
    let salt = salt.isEmpty ? [UInt8](repeating: 0, count: HMACContext.digestByteCount) : salt
    extracted = SecretBytes(count: HMACContext.digestByteCount) { digest in
      Self.contexts.with { context in
        salt.withUnsafeBytes { context.start(key: $0) }
        context.update(inputKey)
        context.finish(into: digest)
        context.forget()
      }
    }
  }

  package init(_ inputKey: SecretBytes, salt: [UInt8] = []) {
    self = inputKey.withBytes { HKDF($0, salt: salt) }
  }

  /// A key of `byteCount` bytes, another one for each `info`.
  package func key(info: [UInt8], byteCount: Int = 32) -> SecretBytes {
    SecretBytes(count: byteCount) { fill($0, info: info) }
  }

  /// The key whose info is `label` followed by `context`.
  package func key(_ label: StaticString, _ context: [UInt8] = [], byteCount: Int = 32) -> SecretBytes {
    key(info: label.withUTF8Buffer { [UInt8]($0) } + context, byteCount: byteCount)
  }

  private func fill(_ key: UnsafeMutableRawBufferPointer, info: [UInt8]) {
    precondition(key.count <= Self.byteCountMax)
    Self.contexts.with { context in
      withUnsafeTemporaryAllocation(byteCount: HMACContext.digestByteCount, alignment: 8) { block in
        var (done, number) = (0, UInt8(1))
        while done < key.count {
          extracted.withBytes { context.start(key: $0) }
          if done > 0 { context.update(UnsafeRawBufferPointer(block)) }
          info.withUnsafeBytes { context.update($0) }
          context.update(number)
          context.finish(into: block)
          let count = min(block.count, key.count - done)
          key[done..<done + count].copyBytes(from: block[..<count])
          done += count
          number &+= 1
        }
        Wiping.wipe(block)
      }
      context.forget()
    }
  }
}

extension HMACContext {
  /// Overwrites what it has of a key and of a message, before it lies idle.
  package func forget() {
    withUnsafeBytes(of: UInt64(0)) { start(key: $0) }
  }
}
