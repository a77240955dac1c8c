import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem

/// Reads many objects of a remote: small packs, and those of which most is wanted, are fetched whole, of others the stretches that
/// are wanted.
///
/// What it gives was checked against its record only. Not for threads to share.
final class PackStage {
  /// A pack whose bytes are here, in a file that goes with this.
  private struct Staged {
    let file: TemporaryFile
    var use: Int
  }

  /// So many packs are kept at once: 1 GiB of disk.
  private static let stagedCountMax = 32
  /// Of a pack of which so much is wanted, all is fetched.
  private static let wholeShareMin = 0.5
  private static let pieceByteCount = 4 << 20
  private static let width = 8
  private static let attemptCountMax = 5

  private let remote: OpenRemote
  private let store: Store
  /// Whether packs may be fetched whole.
  private let stagesPacks: Bool
  private var small: SmallPacks
  private var staged: [UInt32: Staged] = [:]
  private var useCount = 0
  /// Packs of which too little is wanted.
  private var loose: Set<UInt32> = []
  /// Commits and snapshots that were read ahead.
  private var ahead: [AnyID: StoredObject] = [:]
  private var scanned: Set<UInt32> = []
  private var rangeByteCount = 0
  var fetchedByteCount: Int { rangeByteCount + small.fetchedByteCount }

  init(_ remote: OpenRemote, _ store: Store, stagesPacks: Bool) {
    (self.remote, self.store, self.stagesPacks) = (remote, store, stagesPacks)
    small = SmallPacks(remote, packByteCountMax: stagesPacks ? 256 << 10 : RemoteReader.gapByteCountMax)
  }

  /// The objects, in the order of `ids`.
  ///
  /// - Throws: `.corrupt` for one that the remote's catalogue does not know.
  func read(_ ids: [AnyID]) throws(DSVError) -> [StoredObject] {
    var found: [AnyID: StoredObject] = [:]
    var items: [(id: AnyID, place: RemotePlace)] = []
    for id in ids {
      if let object = ahead.removeValue(forKey: id) {
        found[id] = object
      } else {
        items.append((id, try place(of: id)))
      }
    }
    let byPack = Dictionary(grouping: items, by: \.place.pack.slot).sorted { $0.key < $1.key }
    try small.fetch(all: byPack.compactMap { $0.value.first?.place.pack }.filter(small.isSmall))
    for (_, items) in byPack {
      if let first = items.first, try stage(first.place.pack) {
        for (id, object) in try readStaged(items) { found[id] = object }
      }
    }
    let runs = RemoteReader.runs(items.filter { found[$0.id] == nil })
    let remote = remote
    for objects in try Parallel.map(
      runs.count, width: Self.width, { (index) throws(DSVError) in try Self.read(runs[index], of: remote) })
    {
      for (id, object) in objects { found[id] = object }
    }
    rangeByteCount += runs.reduce(0) { $0 + $1.range.count }
    return try ids.map { (id) throws(DSVError) in
      guard let object = found[id] else { throw DSVError(.notFound, "object \(id): \(remote.name) lacks it") }
      return object
    }
  }

  /// The objects of a run; bytes that were spoiled on the way are asked for again.
  private static func read(
    _ run: RemoteReader.Run, of remote: OpenRemote
  ) throws(DSVError) -> [(id: AnyID, object: StoredObject)] {
    for _ in 1..<attemptCountMax {
      do throws(DSVError) { return try remote.reader.read(run) } catch {
        guard error.code == .corrupt else { throw error }
      }
    }
    return try remote.reader.read(run)
  }

  private func place(of id: AnyID) throws(DSVError) -> RemotePlace {
    guard let place = try remote.catalogue.place(of: id) else {
      throw DSVError(
        .corrupt, "object \(id): remote '\(remote.name)' needs it for what it holds, and does not have it")
    }
    return place
  }

  /// A commit or snapshot. With the first of a pack all others are read that are not here.
  func readAhead(_ id: AnyID) throws(DSVError) -> StoredObject {
    if ahead[id] == nil {
      let pack = try place(of: id).pack
      if small.isSmall(pack) { try small.fetch(pack) }
      if try !stage(pack), scanned.insert(pack.slot).inserted {
        var items: [(id: AnyID, place: RemotePlace)] = []
        for entry in try index(pack).entries where entry.kind == .commit || entry.kind == .snapshot {
          guard try !store.contains(entry.id), let place = try remote.catalogue.place(of: entry.id),
            place.pack.slot == pack.slot
          else { continue }
          items.append((entry.id, place))
        }
        let objects = try read(items.map(\.id))
        for (item, object) in zip(items, objects) { ahead[item.id] = object }
      }
    }
    return try read([id])[0]
  }

  private func index(_ pack: RemotePack) throws(DSVError) -> PackIndex {
    let key = RemoteLayout.index(pack.id)
    guard let bytes = try remote.bucket.get(key, limit: RemoteLayout.indexByteCountMax) else {
      throw DSVError(.notFound, "\(remote.bucket.name)/\(key): it is gone; try again")
    }
    return try PackIndex(bytes, of: "\(remote.bucket.name)/\(key)")
  }

  // MARK: - Whole packs

  /// Whether the pack's bytes are here, or worth fetching, which is then done.
  private func stage(_ pack: RemotePack) throws(DSVError) -> Bool {
    if small.isSmall(pack) { return true }
    useCount += 1
    if staged[pack.slot] != nil {
      staged[pack.slot]?.use = useCount
      return true
    }
    guard stagesPacks, !loose.contains(pack.slot) else { return false }
    var wanted = 0
    for entry in try index(pack).entries where try !store.contains(entry.id) {
      wanted += PackLayout.recordHeaderByteCount + entry.storedByteCount
    }
    guard Double(wanted) >= Self.wholeShareMin * Double(pack.byteCount) else {
      loose.insert(pack.slot)
      return false
    }
    if staged.count >= Self.stagedCountMax, let oldest = staged.min(by: { $0.value.use < $1.value.use })?.key
    {
      staged[oldest] = nil
      // It is not fetched whole a second time.
      loose.insert(oldest)
    }
    let file = try store.temporaryFile()
    let (bucket, piece) = (remote.bucket, Self.pieceByteCount)
    let count = (pack.byteCount + piece - 1) / piece
    try Parallel.forEach(count, width: Self.width) { (index) throws(DSVError) in
      let range = index * piece..<min(pack.byteCount, (index + 1) * piece)
      try file.file.write(try bucket.get(pack.key, range: range), at: range.lowerBound)
    }
    rangeByteCount += pack.byteCount
    staged[pack.slot] = Staged(file: file, use: useCount)
    return true
  }

  private func readStaged(
    _ items: [(id: AnyID, place: RemotePlace)]
  ) throws(DSVError) -> [(id: AnyID, object: StoredObject)] {
    guard let slot = items.first?.place.pack.slot else { return [] }
    let (whole, file) = (small.bytes(of: slot), staged[slot]?.file.file)
    var objects: [(id: AnyID, object: StoredObject)] = []
    for item in items {
      let start = item.place.offset
      do throws(DSVError) {
        if let whole {
          objects += try remote.reader.objects(of: [item], in: whole, from: 0)
        } else if let file {
          let bytes = try file.read(item.place.byteCount, at: start)
          objects += try remote.reader.objects(of: [item], in: bytes, from: start)
        }
      } catch {
        // It may have been spoiled on the way here.
        guard error.code == .corrupt else { throw error }
        for run in RemoteReader.runs([item]) { objects += try Self.read(run, of: remote) }
      }
    }
    return objects
  }
}
