package import DSVFormat

/// An object as it is stored: encoded, perhaps compressed, perhaps encrypted. The store never looks inside.
package struct StoredObject: Sendable, Equatable {
  package let kind: ObjectKind
  /// How many bytes `bytes` decodes to. The store only keeps the number.
  package let plainByteCount: Int
  package let bytes: [UInt8]

  package init(kind: ObjectKind, plainByteCount: Int, bytes: [UInt8]) {
    self.kind = kind
    self.plainByteCount = plainByteCount
    self.bytes = bytes
  }
}

/// Where objects can be read from. Objects are immutable and named by their content.
///
/// Conforming types pass `checkObjectStore` in DSVTesting.
package protocol ObjectStore: Sendable {
  func contains(_ id: AnyID) throws(DSVError) -> Bool

  /// The object named `id`, as it was put.
  ///
  /// Its stored bytes are checked against their checksum. They are not checked against the ID, which is
  /// computed over the plain content.
  /// - Throws: `.notFound` if nothing has that name, `.corrupt` if the bytes are not what was put.
  func read(_ id: AnyID) throws(DSVError) -> StoredObject
}

/// Where objects can be put too.
package protocol ObjectSink: ObjectStore {
  /// Takes an object in. Putting what is already there does nothing.
  ///
  /// - Throws: `.badInput` if `object` is larger than ``PackLayout/storedByteCountMax``.
  func put(_ id: AnyID, _ object: StoredObject) throws(DSVError)
}

extension ObjectSink {
  package func put(
    _ id: AnyID, kind: ObjectKind, plainByteCount: Int, bytes: [UInt8]
  ) throws(DSVError) {
    try put(id, StoredObject(kind: kind, plainByteCount: plainByteCount, bytes: bytes))
  }
}
