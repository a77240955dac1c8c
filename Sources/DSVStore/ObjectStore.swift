package import DSVFormat

/// An object's bytes as they lie in a pack: encoded and compressed, not what its ID is computed over.
package struct StoredObject: Sendable {
  package let kind: ObjectKind
  package let plainByteCount: Int
  package let bytes: [UInt8]
  package init(kind: ObjectKind, plainByteCount: Int, bytes: [UInt8]) {
    self.kind = kind
    self.plainByteCount = plainByteCount
    self.bytes = bytes
  }
}

/// Where objects are read from.
package protocol ObjectStore: Sendable {
  func contains(_ id: AnyID) throws(DSVError) -> Bool
  func read(_ id: AnyID) throws(DSVError) -> StoredObject
}
