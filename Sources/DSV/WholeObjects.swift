import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVVersions
import Synchronization

/// What of a remote's objects is whole somewhere: here, or in any place of the remote.
final class WholeObjects: ObjectStore {
  private let sources: ObjectSources
  private let check: ObjectCheck
  private let reader: ObjectReader

  init(_ local: Store, _ remote: OpenRemote) {
    sources = ObjectSources(local, remote)
    // A base that is not what it should be makes another object of what builds on it: so it is found out too.
    reader = ObjectReader(sources, cache: ObjectCache(byteCountMax: 32 << 20), pool: .onCaller)
    check = ObjectCheck(reader)
  }

  var naming: ObjectNaming { sources.naming }

  /// Makes further places of the remote count: those of packs whose index nobody can read.
  func add(_ places: [(AnyID, RemotePlace)]) { sources.add(places) }

  /// Whether one of the further places is the object's.
  func isKnownThere(_ id: AnyID) -> Bool { sources.hasFurtherPlace(id) }

  /// What is wrong with an object that was read; `nil` if nothing is. Its base may be had from anywhere.
  func problem(_ id: AnyID, _ object: StoredObject) -> String? { check.problem(id, object) }

  /// An object that is whole, in a form that may have a base; `nil` if it is nowhere.
  ///
  /// - Parameter readsOn: whether what lies behind it in a pack of the remote will be asked for next.
  func whole(_ id: AnyID, readsOn: Bool = false) throws(DSVError) -> StoredObject? {
    if let object = try sources.readHere(id), check.problem(id, object) == nil { return object }
    for place in try sources.places(of: id) {
      if readsOn, let object = try sources.readOn(id, at: place), check.problem(id, object) == nil {
        return object
      }
      if let object = try sources.read(id, at: place), check.problem(id, object) == nil { return object }
    }
    return nil
  }

  /// The object without a base.
  func withoutBase(_ id: AnyID, _ object: StoredObject) throws(DSVError) -> StoredObject {
    try reader.whole(id, object)
  }

  func contains(_ id: AnyID) throws(DSVError) -> Bool { try sources.contains(id) }
  func baseDepth(of id: AnyID) throws(DSVError) -> Int? { try sources.baseDepth(of: id) }
  func baseID(of id: AnyID) throws(DSVError) -> AnyID? { nil }

  func read(_ id: AnyID) throws(DSVError) -> StoredObject {
    if let object = try whole(id) { return object }
    throw DSVError(.notFound, "object \(id): it is whole neither here nor on the remote")
  }
}

/// Objects as they are given, not held against their IDs: from here, or else from the first place of a remote that gives one. What
/// lies nowhere else is looked for in packs that were given up and are not deleted yet.
private final class ObjectSources: ObjectStore {
  private let local: Store
  private let remote: OpenRemote
  /// Places that the catalogue does not know.
  private let others = Mutex<[AnyID: [RemotePlace]]>([:])
  /// What was read last by ``readOn(_:at:)``.
  private let stretch = Mutex<(pack: UInt32, range: Range<Int>, bytes: [UInt8])?>(nil)
  private static let stretchByteCount = 4 << 20
  /// Places in packs that were given up; `nil` until they are wanted.
  private let givenUp = Mutex<[AnyID: RemotePlace]?>(nil)

  init(_ local: Store, _ remote: OpenRemote) { (self.local, self.remote) = (local, remote) }

  var naming: ObjectNaming { local.naming }

  func add(_ places: [(AnyID, RemotePlace)]) {
    others.withLock { others in for (id, place) in places { others[id, default: []].append(place) } }
  }

  func hasFurtherPlace(_ id: AnyID) -> Bool { others.withLock { $0[id] != nil } }

  func places(of id: AnyID) throws(DSVError) -> [RemotePlace] {
    var places = try remote.catalogue.spares(of: id)
    if let first = try remote.catalogue.place(of: id) { places.insert(first, at: 0) }
    places += others.withLock { $0[id] ?? [] }
    if places.isEmpty, let place = try placeGivenUp(id) { places = [place] }
    return places
  }

  private func placeGivenUp(_ id: AnyID) throws(DSVError) -> RemotePlace? {
    try givenUp.withLock { (known) throws(DSVError) in
      if let known { return known[id] }
      var found: [AnyID: RemotePlace] = [:]
      for pack in try remote.catalogue.allPacks where pack.condemnedTime != nil {
        do throws(DSVError) {
          for (id, place) in try remote.tier.places.objects(in: pack) { found[id] = place }
        } catch {
          guard error.code == .corrupt || error.code == .notFound else { throw error }
        }
      }
      known = found
      return found[id]
    }
  }

  func contains(_ id: AnyID) throws(DSVError) -> Bool {
    if try local.contains(id) { return true }
    return try !places(of: id).isEmpty
  }

  func baseDepth(of id: AnyID) throws(DSVError) -> Int? { try contains(id) ? 0 : nil }
  func baseID(of id: AnyID) throws(DSVError) -> AnyID? { nil }

  /// What is on this disk and not damaged; `nil` if that is nothing.
  func readHere(_ id: AnyID) throws(DSVError) -> StoredObject? {
    try Self.unlessDamaged { () throws(DSVError) in
      guard try local.contains(id) else { return nil }
      return try local.here.read(id)
    }
  }

  /// What lies at a place of the remote; `nil` if it is damaged or gone.
  func read(_ id: AnyID, at place: RemotePlace) throws(DSVError) -> StoredObject? {
    try Self.unlessDamaged { () throws(DSVError) in
      guard let run = RemoteReader.runs([(id, place)]).first else { return nil }
      return try remote.reader.read(run).first?.object
    }
  }

  /// The same, read with what lies behind it.
  func readOn(_ id: AnyID, at place: RemotePlace) throws(DSVError) -> StoredObject? {
    try Self.unlessDamaged { () throws(DSVError) in
      let known = stretch.withLock { stretch in
        stretch.flatMap {
          $0.pack == place.pack.slot && $0.range.lowerBound <= place.offset
            && place.range.upperBound <= $0.range.upperBound ? $0 : nil
        }
      }
      if let known {
        let given = try remote.reader.objects(
          of: [(id, place)], in: known.bytes, from: known.range.lowerBound)
        return given.first?.object
      }
      let end = min(max(place.range.upperBound, place.offset + Self.stretchByteCount), place.pack.byteCount)
      guard place.range.upperBound <= end else { return nil }
      let bytes = try remote.bucket.get(place.pack.key, range: place.offset..<end)
      stretch.withLock { $0 = (place.pack.slot, place.offset..<end, bytes) }
      return try remote.reader.objects(of: [(id, place)], in: bytes, from: place.offset).first?.object
    }
  }

  private static func unlessDamaged(
    _ body: () throws(DSVError) -> StoredObject?
  ) throws(DSVError) -> StoredObject? {
    do throws(DSVError) { return try body() } catch {
      guard error.code == .notFound || error.code == .corrupt else { throw error }
      return nil
    }
  }

  func read(_ id: AnyID) throws(DSVError) -> StoredObject {
    if let object = try readHere(id) { return object }
    for place in try places(of: id) { if let object = try read(id, at: place) { return object } }
    throw DSVError(.notFound, "object \(id): neither this disk nor the remote gives it")
  }
}
