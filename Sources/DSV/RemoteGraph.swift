import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVVersions

/// What a remote holds, as a store: read from here where it is here, and held against its ID where it is not.
final class RemoteGraph: ObjectStore {
  private let source: GivenObjects
  /// What objects on the remote build on.
  private let bases: [AnyID: AnyID]
  private let check: ObjectCheck

  init(_ local: Store, _ remote: OpenRemote, bases: [AnyID: AnyID]) {
    source = GivenObjects(local: local, remote: remote)
    self.bases = bases
    // A base that is not what it should be makes another object of what builds on it: so it is found out too.
    check = ObjectCheck(ObjectReader(source, cache: ObjectCache(byteCountMax: 8 << 20), pool: .onCaller))
  }

  /// The same with what is here beside it.
  var withLocal: any ObjectStore { HereOrRemote(local: source.local, graph: self) }

  var naming: ObjectNaming { source.naming }

  func contains(_ id: AnyID) throws(DSVError) -> Bool { try source.remote.catalogue.contains(id) }
  func baseDepth(of id: AnyID) throws(DSVError) -> Int? { try source.remote.catalogue.baseDepth(of: id) }
  func baseID(of id: AnyID) throws(DSVError) -> AnyID? { bases[id] }

  func read(_ id: AnyID) throws(DSVError) -> StoredObject {
    if try source.local.contains(id) { return try source.local.here.read(id) }
    let object = try source.read(id)
    try verify(id, object)
    return object
  }

  /// - Throws: `corrupt` if what the remote gave is not what its ID names; what kept its base from being read.
  func verify(_ id: AnyID, _ object: StoredObject) throws(DSVError) {
    guard let problem = try check.verdict(id, object) else { return }
    throw DSVError(.corrupt, "object \(id) of remote '\(source.remote.name)': \(problem)")
  }
}

/// Objects as a remote gives them, not held against their IDs.
private struct GivenObjects: ObjectStore {
  let local: Store
  let remote: OpenRemote

  var naming: ObjectNaming { local.naming }

  func contains(_ id: AnyID) throws(DSVError) -> Bool { try remote.catalogue.contains(id) }
  func baseDepth(of id: AnyID) throws(DSVError) -> Int? { try remote.catalogue.baseDepth(of: id) }
  func baseID(of id: AnyID) throws(DSVError) -> AnyID? { try read(id).base?.id }

  func read(_ id: AnyID) throws(DSVError) -> StoredObject {
    if let object = try remote.reader.read(id) { return object }
    throw DSVError(.notFound, "object \(id): remote '\(remote.name)' does not hold it")
  }
}

/// What is here or on a remote. What it builds on is not asked for.
private struct HereOrRemote: ObjectStore {
  let local: Store
  let graph: RemoteGraph

  var naming: ObjectNaming { local.naming }

  func contains(_ id: AnyID) throws(DSVError) -> Bool {
    if try local.contains(id) { return true }
    return try graph.contains(id)
  }

  func baseDepth(of id: AnyID) throws(DSVError) -> Int? { try contains(id) ? 0 : nil }
  func baseID(of id: AnyID) throws(DSVError) -> AnyID? { nil }
  func read(_ id: AnyID) throws(DSVError) -> StoredObject { try graph.read(id) }
}
