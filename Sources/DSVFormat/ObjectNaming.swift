/// How a repository names objects and where it cuts columns: for everyone alike, or so that only who has its keys can tell.
///
/// Plain names are SHA-256 over kind and content, so equal content has equal names everywhere. Keyed ones are HMAC-SHA256 of
/// the same bytes: without the key nobody can confirm a guess of what an object holds.
package struct ObjectNaming: Sendable {
  package static let plain = ObjectNaming(keyed: nil, cutSeed: 0)

  /// What the hash that cuts columns begins with.
  package let cutSeed: UInt64
  /// Contexts that have the key; `nil` for plain names.
  private let keyed: IdlePool<HMACContext>?

  private init(keyed: IdlePool<HMACContext>?, cutSeed: UInt64) {
    (self.keyed, self.cutSeed) = (keyed, cutSeed)
  }

  package init(idKey: SecretBytes, cutSeed: UInt64) {
    let contexts = IdlePool {
      let context = HMACContext()
      idKey.withBytes { context.start(key: $0) }
      return context
    }
    self.init(keyed: contexts, cutSeed: cutSeed)
  }

  package var isKeyed: Bool { keyed != nil }

  /// The name of `content`, preceded by its kind if there is one.
  package func id<Kind>(kind: ObjectKind?, _ content: UnsafeRawBufferPointer) -> ObjectID<Kind> {
    guard let keyed else { return SHA256.id(kind: kind, content) }
    return keyed.with { context in
      context.restart()
      if let kind { context.update(kind.rawValue) }
      context.update(content)
      var digest: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
      withUnsafeMutableBytes(of: &digest) { context.finish(into: $0) }
      return ObjectID(
        UInt64(bigEndian: digest.0), UInt64(bigEndian: digest.1), UInt64(bigEndian: digest.2),
        UInt64(bigEndian: digest.3))
    }
  }
}
