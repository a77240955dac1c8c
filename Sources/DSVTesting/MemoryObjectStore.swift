package import DSVFormat
package import DSVStore
import Synchronization

/// Objects in memory, for tests.
package final class MemoryObjectStore: ObjectSink {
  private let objects = Mutex<[AnyID: StoredObject]>([:])

  package let naming: ObjectNaming

  package init(naming: ObjectNaming = .plain) { self.naming = naming }

  package var count: Int { objects.withLock { $0.count } }

  package func contains(_ id: AnyID) throws(DSVError) -> Bool { objects.withLock { $0[id] != nil } }

  package func read(_ id: AnyID) throws(DSVError) -> StoredObject {
    guard let object = objects.withLock({ $0[id] }) else {
      throw DSVError(.notFound, "object \(id): it is not here")
    }
    return object
  }

  package func put(_ id: AnyID, _ object: StoredObject) throws(DSVError) {
    guard object.bytes.count <= PackLayout.storedByteCountMax else {
      throw DSVError(.badInput, "object \(id): \(object.bytes.count) bytes are too many for one object")
    }
    objects.withLock { objects in
      if objects[id] == nil { objects[id] = object }
    }
  }
}
