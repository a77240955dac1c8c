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
  /// Of memory, what this process holds.
  public internal(set) var byteCount = 0
  public internal(set) var objectCount = 0
  /// `nil` where nothing is set.
  public internal(set) var byteCountMax: Int?
  public internal(set) var hitCount = 0
  public internal(set) var missCount = 0
  /// What made room for others; `nil` for a remote, which does not.
  public internal(set) var evictionCount: Int?
  /// What was read from there; `nil` for memory, from which nothing travels.
  public internal(set) var fetchedByteCount: Int?
}

extension Repository {
  /// What memory, disk and each remote hold, and what became of those who asked them: all processes' numbers that were closed,
  /// and this one's.
  public func tierUsage() throws(DSVError) -> [TierUsage] {
    let settings = try tierSettings()
    let counters = try TierFolder(store).counters().merging(ownCounters) { $0 + $1 }
    func usage(_ name: String, _ key: String) -> TierUsage {
      var usage = TierUsage(name: name)
      (usage.hitCount, usage.missCount) = (counters["\(key).hits"] ?? 0, counters["\(key).misses"] ?? 0)
      return usage
    }
    let cache = reader.cache.counts
    var memory = usage("memory", "memory")
    (memory.byteCount, memory.objectCount) = (cache.byteCount, cache.objectCount)
    memory.byteCountMax = memoryByteCount
    memory.evictionCount = counters["memory.evictions"] ?? 0
    var disk = usage("disk", "disk")
    (disk.byteCount, disk.objectCount) = (try store.byteCount, try store.objectCount)
    disk.byteCountMax = settings.diskByteCount
    disk.evictionCount = counters["disk.evictions"] ?? 0
    disk.fetchedByteCount = counters["disk.bytes"] ?? 0
    var result = [memory, disk]
    for remote in remoteTiers {
      let key = Self.counterKey(remote)
      var usage = usage(remote.name, key)
      (usage.objectCount, usage.byteCount) = try remote.places.totals
      usage.fetchedByteCount = counters["\(key).bytes"] ?? 0
      result.append(usage)
    }
    return result
  }

  /// What stands before a remote's counters.
  private static func counterKey(_ remote: RemoteTier) -> String { "remote/\(remote.name)" }

  /// What this process has counted and not yet written.
  private var ownCounters: [String: Int] {
    let cache = reader.cache.counts
    let disk = store.counts.values
    var counters = [
      "memory.hits": cache.hitCount, "memory.misses": cache.missCount,
      "memory.evictions": cache.evictionCount,
      "disk.hits": disk.hitCount, "disk.misses": disk.missCount, "disk.bytes": disk.hitByteCount,
    ]
    guard let source = store.source as? RemoteSource else { return counters }
    for (remote, counts) in zip(source.remotes, source.remoteCounts) {
      let key = Self.counterKey(remote)
      counters["\(key).hits"] = counts.hitCount
      counters["\(key).misses"] = counts.missCount
      counters["\(key).bytes"] = counts.fetchedByteCount
    }
    return counters
  }

  // MARK: - Remotes

  /// The remotes that objects are read from.
  package var remoteTiers: [RemoteTier] { (store.source as? RemoteSource)?.remotes ?? [] }

  /// Reads from these remotes what is not on this disk, in this order; from none if there are none.
  ///
  /// - Parameters:
  ///   - isPartial: whether something is known not to be on this disk.
  ///   - limits: what may be under way; `nil` for what the memory's budget has room for.
  package func attach(_ remotes: [RemoteTier], isPartial: Bool = true, limits: FetchLimits? = nil) {
    let cache = reader.cache
    guard !remotes.isEmpty else {
      cache.reserve(0)
      return store.attach(nil)
    }
    // What was set for memory is for all that is kept there, and not for what is decoded only.
    let budget = FetchBudget(hasMemoryBudget ? memoryByteCount : nil)
    cache.reserve(budget.byteCount)
    let promoter = Promoter(
      store, byteCountMax: budget.promotedByteCount, waits: hasMemoryBudget,
      room: { (store) throws(DSVError) in try TierFolder(store).room(store) },
      record: { (store, ids) throws(DSVError) in try TierFolder(store).addPromoted(ids) },
      note: options.note)
    let source = RemoteSource(
      remotes, for: store, isPartial: isPartial, limits: limits ?? budget.limits, promoter: promoter,
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

  /// Writes what was fetched and is not on the disk yet, in the place of what was fetched long ago if the disk's budget has no
  /// room for both, and what was counted. A repository that is let go does so itself;
  /// who ends the process first calls this.
  public func close() {
    (store.source as? RemoteSource)?.close()
    makeRoom()
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
