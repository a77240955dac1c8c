package import DSVFormat
import DSVStore
import DSVSystem
import Synchronization

/// Finds out whether a remote really holds what it is said to hold, by reading it back and computing the ID of each object.
///
/// What an object builds on is read where the remote has it. Memory: some 64 MB.
package struct PackVerification {
  /// What came of it.
  package struct Outcome: Sendable, Equatable {
    /// What is wrong with the pack; `nil` if every object that it is said to hold lies where it is said to be, and can be
    /// read from this remote alone.
    package let problem: String?
    /// The other packs that what it holds builds on, by slot.
    package let bases: Set<UInt32>

    package init(problem: String?, bases: Set<UInt32> = []) { (self.problem, self.bases) = (problem, bases) }
  }

  private static let pieceByteCount = 8 << 20
  /// How many objects with bases are looked at together, and how much those bases may take.
  private static let groupCount = 256
  private static let groupByteCount = 4 << 20

  private let remote: RemoteTier
  private let naming: ObjectNaming
  private let check: RemoteSource.Check

  /// - Parameter check: must use nothing of an object's base but what it reads of the store that it is given.
  package init(_ remote: RemoteTier, _ naming: ObjectNaming, check: @escaping RemoteSource.Check) {
    (self.remote, self.naming, self.check) = (remote, naming, check)
  }

  /// How many packs and indexes one request tells of.
  package static let listedCountMax = 1000

  /// The packs that lie in a remote's bucket now, by key, with their lengths. One request for a thousand of them.
  package static func listed(_ remote: RemoteTier) throws(DSVError) -> [String: Int] {
    try listed(remote, callCountMax: .max) ?? [:]
  }

  /// The packs that lie in a remote's bucket now; `nil` if so many requests do not tell them all.
  package static func listed(_ remote: RemoteTier, callCountMax: Int) throws(DSVError) -> [String: Int]? {
    var result: [String: Int] = [:]
    var last: String?
    for _ in 0..<callCountMax {
      let entries = try remote.bucket.list(
        prefix: RemoteLayout.packPrefix, after: last, limit: listedCountMax)
      for entry in entries { result[entry.key] = entry.byteCount }
      guard entries.count == listedCountMax, let next = entries.last?.key else { return result }
      last = next
    }
    return nil
  }

  /// Reads all of a pack, a few megabytes at a time, and what it builds on.
  ///
  /// - Throws: what keeps the remote from being read; what is wrong with what it gives is no error.
  package func verify(_ pack: RemotePack) throws(DSVError) -> Outcome {
    let bases = BaseRecords(naming)
    do throws(DSVError) {
      let wanted = try remote.places.objects(in: pack).sorted { $0.1.offset < $1.1.offset }
      var index = 0
      var group: [(AnyID, StoredObject)] = []
      while index < wanted.count {
        let piece = try Self.piece(of: wanted, from: index, in: pack)
        try verify(piece, of: pack, &group, bases)
        index += piece.count
      }
      try verify(group[...], bases)
    } catch {
      guard error.code == .notFound || error.code == .corrupt else { throw error }
      return Outcome(problem: error.message)
    }
    return Outcome(problem: nil, bases: bases.slots.subtracting([pack.slot]))
  }

  /// The next objects that are read with one request.
  private static func piece(
    of wanted: [(AnyID, RemotePlace)], from first: Int, in pack: RemotePack
  ) throws(DSVError) -> ArraySlice<(AnyID, RemotePlace)> {
    let start = wanted[first].1.offset
    var index = first
    while index < wanted.count, index == first || wanted[index].1.range.upperBound - start <= pieceByteCount {
      index += 1
    }
    guard wanted[index - 1].1.range.upperBound <= pack.byteCount else {
      throw DSVError(.corrupt, "it is shorter than its list says")
    }
    return wanted[first..<index]
  }

  private func verify(
    _ piece: ArraySlice<(AnyID, RemotePlace)>, of pack: RemotePack, _ group: inout [(AnyID, StoredObject)],
    _ bases: BaseRecords
  ) throws(DSVError) {
    guard let (_, first) = piece.first, let (_, last) = piece.last else { return }
    let bytes = try remote.bucket.get(pack.key, range: first.offset..<last.range.upperBound)
    let codec = try remote.places.codec(of: pack)
    for (id, place) in piece {
      let object = try object(id, place, in: bytes, from: first.offset, codec)
      guard object.base != nil else {
        try verify(id, object, bases)
        continue
      }
      group.append((id, object))
      if group.count == Self.groupCount {
        try verify(group[...], bases)
        group = []
      }
    }
  }

  /// Verifies objects that build on others.
  private func verify(_ group: ArraySlice<(AnyID, StoredObject)>, _ bases: BaseRecords) throws(DSVError) {
    guard let first = group.first?.0 else { return }
    let needed = Dictionary(group.compactMap { $0.1.base.map { ($0.id, $0) } }) { one, _ in one }
    var byteCount = 0
    for id in needed.keys where !bases.has(id) {
      byteCount += try remote.places.place(of: id)?.byteCount ?? 0
    }
    if byteCount > Self.groupByteCount, group.count > 1 {
      let middle = group.startIndex + group.count / 2
      try verify(group[..<middle], bases)
      return try verify(group[middle...], bases)
    }
    do throws(DSVError) {
      var depths = group.compactMap { $0.1.base }
      while !depths.isEmpty { depths = try load(depths, bases) }
    } catch {
      throw DSVError(
        error.code, "what object \(first) or one of the \(group.count - 1) next builds on: \(error.message)",
        cause: error)
    }
    for (id, object) in group { try verify(id, object, bases) }
    bases.trim()
  }

  private func verify(_ id: AnyID, _ object: StoredObject, _ bases: BaseRecords) throws(DSVError) {
    do throws(DSVError) { try check(id, object, bases) } catch {
      throw DSVError(error.code, "object \(id): \(error.message)", cause: error)
    }
  }

  /// Reads bases, those near each other with one request.
  ///
  /// - Returns: what they build on in turn.
  private func load(_ wanted: [ObjectBase], _ bases: BaseRecords) throws(DSVError) -> [ObjectBase] {
    var items: [AnyID: RemotePlace] = [:]
    var next: [ObjectBase] = []
    for base in wanted {
      guard let place = try remote.places.place(of: base.id), place.pack.condemnedTime == nil else {
        throw DSVError(.notFound, "object \(base.id) is in no pack of the remote")
      }
      guard place.baseDepth < base.depth else {
        throw DSVError(.corrupt, "object \(base.id) has too many bases of its own")
      }
      bases.use(place.pack.slot)
      // Its own base may have been given up meanwhile.
      guard bases.has(base.id) else {
        items[base.id] = place
        continue
      }
      if let below = bases.base(of: base.id) { next.append(below) }
    }
    for run in RemoteReader.runs(items.map { (id: $0.key, place: $0.value) }) {
      let bytes = try remote.bucket.get(run.pack.key, range: run.range)
      let codec = try remote.places.codec(of: run.pack)
      for (id, place) in run.items {
        let object = try object(id, place, in: bytes, from: run.range.lowerBound, codec)
        bases.keep(id, object)
        if let base = object.base { next.append(base) }
      }
    }
    return next
  }

  private func object(
    _ id: AnyID, _ place: RemotePlace, in bytes: [UInt8], from start: Int, _ codec: PackCodec
  ) throws(DSVError) -> StoredObject {
    let range = place.offset - start..<place.range.upperBound - start
    let isSound =
      range.upperBound <= bytes.count
      && bytes.withBytes { RecordBytes.areSound(UnsafeRawBufferPointer(rebasing: $0[range]), of: id) }
    guard isSound else {
      throw DSVError(
        .corrupt, "\(place.pack.key): the record of object \(id) at byte \(place.offset) is damaged")
    }
    let object = try codec.object(id, in: Array(bytes[range]))
    guard object.kind == place.kind, object.base?.depth ?? 0 == place.baseDepth,
      object.plainByteCount == place.plainByteCount
    else { throw DSVError(.corrupt, "object \(id): it is not what the index of \(place.pack.key) says") }
    return object
  }
}

/// Bases that were read from a remote, for those that build on them.
private final class BaseRecords: ObjectStore {
  private struct State {
    var objects: [AnyID: StoredObject] = [:]
    var byteCount = 0
    var slots: Set<UInt32> = []
  }

  private static let byteCountMax = 16 << 20

  let naming: ObjectNaming
  private let state = Mutex(State())

  init(_ naming: ObjectNaming) { self.naming = naming }

  /// The packs that bases were read from.
  var slots: Set<UInt32> { state.withLock { $0.slots } }

  func use(_ slot: UInt32) { _ = state.withLock { $0.slots.insert(slot) } }

  func has(_ id: AnyID) -> Bool { state.withLock { $0.objects[id] != nil } }
  func base(of id: AnyID) -> ObjectBase? { state.withLock { $0.objects[id]?.base } }

  func keep(_ id: AnyID, _ object: StoredObject) {
    state.withLock { state in
      if state.objects.updateValue(object, forKey: id) == nil { state.byteCount += object.bytes.count }
    }
  }

  /// Lets go of all, where that is much.
  func trim() {
    state.withLock { state in
      if state.byteCount > Self.byteCountMax { (state.objects, state.byteCount) = ([:], 0) }
    }
  }

  func contains(_ id: AnyID) -> Bool { has(id) }

  func read(_ id: AnyID) throws(DSVError) -> StoredObject {
    guard let object = state.withLock({ $0.objects[id] }) else {
      throw DSVError(.notFound, "object \(id): it was not read back")
    }
    return object
  }
}
