import DSVFormat
import DSVStore
import Synchronization

/// What one remote holds, and nothing else: for an object whose bases are to be read where it came from. Each object is fetched
/// by itself, without waiting for anybody, and kept: for one object and its bases.
final class RemoteObjects: ObjectStore {
  let naming: ObjectNaming

  private let source: RemoteSource
  private let remote: Int
  private let known = Mutex<[AnyID: StoredObject]>([:])

  init(_ source: RemoteSource, _ remote: Int, _ naming: ObjectNaming) {
    (self.source, self.remote, self.naming) = (source, remote, naming)
  }

  private func place(of id: AnyID) throws(DSVError) -> RemotePlace? {
    try source.remotes[remote].places.place(of: id)
  }

  func contains(_ id: AnyID) throws(DSVError) -> Bool { try place(of: id) != nil }

  /// - Throws: `.corrupt` if it is not what its ID names.
  func read(_ id: AnyID) throws(DSVError) -> StoredObject {
    if let object = known.withLock({ $0[id] }) { return object }
    guard let place = try place(of: id), source.kinds.contains(place.kind) else {
      throw DSVError(.notFound, "object \(id): remote '\(source.remotes[remote].name)' does not have it")
    }
    let object = try source.fetchAlone(Flight(id, remote: remote, place))
    guard object.base?.depth ?? 0 == place.baseDepth, object.kind == place.kind else {
      throw DSVError(.corrupt, "object \(id): its record is not what the remote's list says of it")
    }
    if let base = object.base { try checkDepth(base) }
    try source.check(id, object, self)
    known.withLock { $0[id] = object }
    return object
  }

  /// Makes sure that bases come to an end before one is read.
  func checkDepth(_ base: ObjectBase) throws(DSVError) {
    guard try place(of: base.id)?.baseDepth ?? 0 < base.depth else {
      throw DSVError(.corrupt, "its base \(base.id) has too many bases of its own")
    }
  }
}
