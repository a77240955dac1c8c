package import DSVFormat

/// The object that another one's stored bytes build on: without it they mean nothing.
package struct ObjectBase: Sendable, Hashable {
  package let id: AnyID
  /// How many bases must be read, one through the other, for the object that names this one: 1 if the base has none.
  ///
  /// Falls from an object to its base, so bases form no cycle.
  package let depth: Int

  /// So that reading one object reads at most so many others.
  package static let depthMax = 8

  package init(_ id: AnyID, depth: Int) {
    precondition((1...Self.depthMax).contains(depth))
    (self.id, self.depth) = (id, depth)
  }
}

/// An object as it is stored: encoded, perhaps compressed, perhaps encrypted. The store never looks inside.
package struct StoredObject: Sendable, Equatable {
  package let kind: ObjectKind
  /// How many bytes `bytes` decodes to. The store only keeps the number.
  package let plainByteCount: Int
  /// What `bytes` builds on; `nil` for an object that is whole by itself. Of the same kind.
  package let base: ObjectBase?
  package let bytes: [UInt8]

  package init(kind: ObjectKind, plainByteCount: Int, base: ObjectBase? = nil, bytes: [UInt8]) {
    self.kind = kind
    self.plainByteCount = plainByteCount
    self.base = base
    self.bytes = bytes
  }
}

/// Where objects can be read from. Objects are immutable and named by their content.
///
/// Conforming types pass `checkObjectStore` in DSVTesting.
package protocol ObjectStore: Sendable {
  /// How the names of its objects, and where its columns are cut, follow from content.
  var naming: ObjectNaming { get }

  func contains(_ id: AnyID) throws(DSVError) -> Bool

  /// The object named `id`, as it was put.
  ///
  /// Its stored bytes are checked against their checksum. They are not checked against the ID, which is
  /// computed over the plain content.
  /// - Throws: `.notFound` if nothing has that name, `.corrupt` if the bytes are not what was put.
  func read(_ id: AnyID) throws(DSVError) -> StoredObject

  /// How many bases lie below an object; 0 for one that is whole by itself, `nil` for one that is not there.
  func baseDepth(of id: AnyID) throws(DSVError) -> Int?

  /// What an object builds on; `nil` for one that is whole by itself, or not there.
  func baseID(of id: AnyID) throws(DSVError) -> AnyID?

  /// Whether ``prefetch(_:)`` does anything: whether it is worth finding out what will be read.
  var prefetches: Bool { get }

  /// Says what will soon be read, in this order. Returns at once; what fails here fails again when it is read.
  ///
  /// - Parameter first: whether it is wanted before what was told earlier.
  func prefetch(_ ids: [AnyID], first: Bool)
}

extension ObjectStore {
  package var prefetches: Bool { false }
  package func prefetch(_ ids: [AnyID], first: Bool) {}
  package func prefetch(_ ids: [AnyID]) { prefetch(ids, first: false) }
}

extension ObjectStore {
  package func baseID(of id: AnyID) throws(DSVError) -> AnyID? {
    try contains(id) ? try read(id).base?.id : nil
  }

  package func baseDepth(of id: AnyID) throws(DSVError) -> Int? {
    try contains(id) ? try read(id).base?.depth ?? 0 : nil
  }
}

/// Where objects can be put too.
package protocol ObjectSink: ObjectStore {
  /// Takes an object in. Putting what is already there does nothing.
  ///
  /// A base must have been there before, published (``baseForNew(_:)``), or be put in the same publication with fewer bases
  /// of its own: so no two objects can each be the other's base.
  /// - Throws: `.badInput` if `object` is larger than ``PackLayout/storedByteCountMax``.
  func put(_ id: AnyID, _ object: StoredObject) throws(DSVError)

  /// As ``put(_:_:)``, for whoever has just asked whether it is there and need not ask again.
  func putMissing(_ id: AnyID, _ object: StoredObject) throws(DSVError)
}

extension ObjectSink {
  package func putMissing(_ id: AnyID, _ object: StoredObject) throws(DSVError) { try put(id, object) }
}

extension ObjectSink {
  /// The base that a new object may name; `nil` if `id` is not published, or has as many bases below it as may be.
  package func baseForNew(_ id: AnyID) throws(DSVError) -> ObjectBase? {
    guard let depth = try baseDepth(of: id), depth < ObjectBase.depthMax else { return nil }
    return ObjectBase(id, depth: depth + 1)
  }

  package func put(
    _ id: AnyID, kind: ObjectKind, plainByteCount: Int, base: ObjectBase? = nil, bytes: [UInt8]
  ) throws(DSVError) {
    try put(id, StoredObject(kind: kind, plainByteCount: plainByteCount, base: base, bytes: bytes))
  }

  package func putMissing(
    _ id: AnyID, kind: ObjectKind, plainByteCount: Int, base: ObjectBase? = nil, bytes: [UInt8]
  ) throws(DSVError) {
    try putMissing(id, StoredObject(kind: kind, plainByteCount: plainByteCount, base: base, bytes: bytes))
  }
}
