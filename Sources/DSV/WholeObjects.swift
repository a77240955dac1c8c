import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVVersions
import Synchronization

/// What of a remote's objects is whole somewhere: here, or in any place of the remote.
final class WholeObjects: ObjectStore {
  private let sources: ObjectSources
  /// The same without what is here, not even to build on.
  private let there: ObjectSources
  private let thereCheck: ObjectCheck
  private let check: ObjectCheck
  private let reader: ObjectReader

  init(_ local: Store, _ remote: OpenRemote) {
    sources = ObjectSources(local, remote)
    there = ObjectSources(local, remote, isLocalRead: false)
    // A base that is not what it should be makes another object of what builds on it: so it is found out too.
    reader = ObjectReader(sources, cache: ObjectCache(byteCountMax: 32 << 20), pool: .onCaller)
    check = ObjectCheck(reader)
    thereCheck = ObjectCheck(
      ObjectReader(there, cache: ObjectCache(byteCountMax: 8 << 20), pool: .onCaller))
  }

  var naming: ObjectNaming { sources.naming }

  /// Makes further places of the remote count: those of packs whose index nobody can read.
  func add(_ places: [(AnyID, RemotePlace)]) {
    sources.add(places)
    there.add(places)
  }

  /// Whether one of the further places is the object's.
  func isKnownThere(_ id: AnyID) -> Bool { sources.hasFurtherPlace(id) }

  /// What is wrong with an object that was read; `nil` if nothing is. Its base may be had from anywhere.
  ///
  /// - Throws: what keeps a base from being read that is somewhere.
  func verdict(_ id: AnyID, _ object: StoredObject) throws(DSVError) -> String? {
    try check.verdict(id, object)
  }

  /// An object that is whole, in a form that may have a base; `nil` if it is nowhere.
  ///
  /// - Parameters:
  ///   - here: whether it may be this repository that has it, or what it builds on.
  ///   - readsOn: whether what lies behind it in a pack of the remote will be asked for next.
  func whole(_ id: AnyID, here: Bool = true, readsOn: Bool = false) throws(DSVError) -> StoredObject? {
    let (sources, check) = here ? (sources, check) : (there, thereCheck)
    if let object = try sources.readHere(id), try check.verdict(id, object) == nil { return object }
    func whole(among places: [RemotePlace]) throws(DSVError) -> StoredObject? {
      for place in places {
        if readsOn, let object = try sources.readOn(id, at: place), try check.verdict(id, object) == nil {
          return object
        }
        if let object = try sources.read(id, at: place), try check.verdict(id, object) == nil {
          return object
        }
      }
      return nil
    }
    if let object = try whole(among: try sources.places(of: id)) { return object }
    return try whole(among: try sources.placesGivenUp(of: id))
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
  /// Whether what is on this disk counts.
  private let isLocalRead: Bool
  /// Places that the catalogue does not know.
  private let others = Mutex<[AnyID: [RemotePlace]]>([:])
  /// What was read last by ``readOn(_:at:)``.
  private let stretch = Mutex<(pack: UInt32, range: Range<Int>, bytes: [UInt8])?>(nil)
  private static let stretchByteCount = 4 << 20
  /// Places in packs that were given up; `nil` until they are wanted.
  private let givenUp = Mutex<[AnyID: [RemotePlace]]?>(nil)

  init(_ local: Store, _ remote: OpenRemote, isLocalRead: Bool = true) {
    (self.local, self.remote, self.isLocalRead) = (local, remote, isLocalRead)
  }

  var naming: ObjectNaming { local.naming }

  func add(_ places: [(AnyID, RemotePlace)]) {
    others.withLock { others in for (id, place) in places { others[id, default: []].append(place) } }
  }

  func hasFurtherPlace(_ id: AnyID) -> Bool { others.withLock { $0[id] != nil } }

  func places(of id: AnyID) throws(DSVError) -> [RemotePlace] {
    var places = try remote.catalogue.spares(of: id)
    if let first = try remote.catalogue.place(of: id) { places.insert(first, at: 0) }
    return places + others.withLock { $0[id] ?? [] }
  }

  /// Where an object lies in packs that were given up and are not deleted yet.
  func placesGivenUp(of id: AnyID) throws(DSVError) -> [RemotePlace] {
    try givenUp.withLock { (known) throws(DSVError) in
      if let known { return known[id] ?? [] }
      var found: [AnyID: [RemotePlace]] = [:]
      let packs = try remote.catalogue.allPacks.filter { $0.condemnedTime != nil }
      let listed = packs.isEmpty ? [:] : try PackVerification.listed(remote.tier)
      for pack in packs {
        guard let byteCount = listed[pack.key] else { continue }
        for (id, place) in try objects(inGivenUp: pack, byteCount) { found[id, default: []].append(place) }
      }
      known = found
      return found[id] ?? []
    }
  }

  /// What a pack that was given up holds, as its index says, or else the pack itself.
  ///
  /// - Parameter byteCount: its length as it lies there. A checkpoint does not tell that, nor who gives up what no entry added.
  private func objects(
    inGivenUp pack: RemotePack, _ byteCount: Int
  ) throws(DSVError) -> [(AnyID, RemotePlace)] {
    let known = pack.byteCount == 0 ? nil : pack.byteCount
    do throws(DSVError) {
      let index = try PackIndex.read(of: pack.id, byteCount: known, from: remote.bucket)
      let pack = pack.withLength(index.packByteCount)
      return index.entries.map { ($0.id, RemotePlace(pack, $0.place(in: pack.slot))) }
    } catch {
      guard error.code == .corrupt || error.code == .notFound else { throw error }
    }
    guard (1...RemoteLayout.packByteCountMax).contains(byteCount) else { return [] }
    do throws(DSVError) {
      let codec = try remote.catalogue.codec(of: pack)
      let bytes = try remote.bucket.get(pack.key, range: 0..<byteCount)
      let pack = pack.withLength(byteCount)
      return PackScan(bytes, codec).entries.map { ($0.id, RemotePlace(pack, $0.place(in: pack.slot))) }
    } catch {
      // Whoever learnt of it from a checkpoint does not have its key either.
      guard error.code == .corrupt || error.code == .notFound else { throw error }
      return []
    }
  }

  func contains(_ id: AnyID) throws(DSVError) -> Bool {
    if isLocalRead, try local.contains(id) { return true }
    if try !places(of: id).isEmpty { return true }
    return try !placesGivenUp(of: id).isEmpty
  }

  func baseDepth(of id: AnyID) throws(DSVError) -> Int? { try contains(id) ? 0 : nil }
  func baseID(of id: AnyID) throws(DSVError) -> AnyID? { nil }

  /// What is on this disk and not damaged; `nil` if that is nothing.
  func readHere(_ id: AnyID) throws(DSVError) -> StoredObject? {
    try Self.unlessDamaged { () throws(DSVError) in
      guard isLocalRead, try local.contains(id) else { return nil }
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
    for place in try placesGivenUp(of: id) { if let object = try read(id, at: place) { return object } }
    throw DSVError(.notFound, "object \(id): neither this disk nor the remote gives it")
  }
}
