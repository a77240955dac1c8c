import DSVColumns
public import DSVFormat
package import DSVRemote
import DSVStore
import DSVSystem
import DSVVersions
import Synchronization

/// What a tier holds, and what became of those who asked it.
public struct TierUsage: Sendable {
  /// `memory`, `disk`, or a remote's name.
  public let name: String
  public internal(set) var byteCount = 0
  public internal(set) var objectCount = 0
  /// `nil` where nothing is set.
  public internal(set) var byteCountMax: Int?
  public internal(set) var hitCount = 0
  public internal(set) var missCount = 0
  public internal(set) var evictionCount = 0
  /// What came from further away: from packs into memory, from remotes to here.
  public internal(set) var fetchedByteCount = 0
}

extension Repository {
  /// What memory, disk and each remote hold, and what became of those who asked them: all processes' numbers that were closed,
  /// and this one's.
  public func tierUsage() throws(DSVError) -> [TierUsage] {
    let settings = try tierSettings()
    let counters = try TierFolder(store).counters().merging(ownCounters) { $0 + $1 }
    let cache = reader.cache.counts
    var memory = TierUsage(name: "memory")
    (memory.byteCount, memory.objectCount) = (cache.byteCount, cache.objectCount)
    memory.byteCountMax = reader.cache.byteCountMax
    var disk = TierUsage(name: "disk")
    (disk.byteCount, disk.objectCount) = (try store.byteCount, try store.objectCount)
    disk.byteCountMax = settings.diskByteCount
    var result = [memory, disk]
    for remote in remoteTiers {
      var usage = TierUsage(name: remote.name)
      (usage.objectCount, usage.byteCount) = try remote.places.totals
      result.append(usage)
    }
    for index in result.indices {
      // What is fetched is counted for all remotes together.
      let key = index > 1 ? "remote" : result[index].name
      result[index].hitCount = counters["\(key).hits"] ?? 0
      result[index].missCount = counters["\(key).misses"] ?? 0
      result[index].evictionCount = counters["\(key).evictions"] ?? 0
      result[index].fetchedByteCount = counters["\(key).bytes"] ?? 0
    }
    return result
  }

  /// What this process has counted and not yet written.
  private var ownCounters: [String: Int] {
    let cache = reader.cache.counts
    let disk = store.counts.values
    let remote = (store.source as? RemoteSource)?.counts ?? RemoteSource.Counts()
    return [
      "memory.hits": cache.hitCount, "memory.misses": cache.missCount,
      "memory.evictions": cache.evictionCount,
      "disk.hits": disk.hitCount, "disk.misses": disk.missCount, "disk.bytes": disk.hitByteCount,
      "remote.hits": remote.hitCount, "remote.misses": remote.missCount,
      "remote.bytes": remote.fetchedByteCount,
    ]
  }

  // MARK: - Remotes

  /// The remotes that objects are read from.
  package var remoteTiers: [RemoteTier] { (store.source as? RemoteSource)?.remotes ?? [] }

  /// Reads from these remotes what is not on this disk, in this order; from none if there are none.
  ///
  /// - Parameter isPartial: whether something is known not to be on this disk.
  package func attach(
    _ remotes: [RemoteTier], isPartial: Bool = true, limits: FetchLimits = FetchLimits()
  ) {
    guard !remotes.isEmpty else { return store.attach(nil) }
    let cache = reader.cache
    let promoter = Promoter(
      store, room: { (store) throws(DSVError) in try TierFolder(store).room(store) },
      record: { (store, ids) throws(DSVError) in try TierFolder(store).addPromoted(ids) },
      note: options.note)
    let source = RemoteSource(
      remotes, for: store, isPartial: isPartial, limits: limits, promoter: promoter,
      whole: { (id, object, store) throws(DSVError) in
        let reader = ObjectReader(store, cache: cache, pool: .onCaller)
        try ObjectCheck(reader).verify(id, object)
        return try reader.whole(id, object)
      },
      check: { (id, object, store) throws(DSVError) in
        try ObjectCheck(ObjectReader(store, cache: cache, pool: .onCaller)).verify(id, object)
      })
    store.attach(source)
  }

  /// Writes what was fetched and is not on the disk yet, and what was counted. A repository that is let go does so itself;
  /// who ends the process first calls this.
  public func close() {
    (store.source as? RemoteSource)?.close()
    let isDone = isClosed.exchange(true, ordering: .acquiringAndReleasing)
    guard !isDone else { return }
    do throws(DSVError) {
      let folder = TierFolder(store)
      if store.source != nil, try FileSystem.exists(folder.path) { try folder.add(ownCounters) }
    } catch { options.note("what was counted is not written: \(error.message)") }
  }
}

extension TierFolder {
  /// How much more may be fetched to the disk.
  func room(_ store: Store) throws(DSVError) -> Int {
    guard let most = try settings().diskByteCount else { return .max }
    return most - (try store.byteCount)
  }
}
