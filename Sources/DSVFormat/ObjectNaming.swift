/// How objects are named after what they hold, and what the hashes begin with that decide where columns are cut.
///
/// Of a plain repository everybody can tell: SHA-256, and 0.
package struct ObjectNaming: Sendable {
  package static let plain = ObjectNaming()

  /// What a repository's hashes of values and children begin with; 0 in a plain one.
  package let cutSeed: UInt64 = 0

  /// The name of an object of a kind that holds `content`.
  package func id<Kind>(kind: ObjectKind, _ content: UnsafeRawBufferPointer) -> ObjectID<Kind> {
    SHA256.id(kind: kind, content)
  }
}
