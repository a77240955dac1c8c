package import DSVFormat
import Synchronization

/// The memory tier: decoded chunks and nodes, plain snapshots and commits, up to a number of bytes; SIEVE decides what goes.
///
/// Source of the eviction rule: Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024.
package final class ObjectCache: Sendable {
  package enum Content: Sendable {
    case chunk(Chunk)
    case encoded(EncodedChunk)
    case node(TreeNode)
    case plain([UInt8], ObjectKind)
  }

  private struct Entry {
    let id: ColumnID
    let content: Content
    let byteCount: Int
    var isVisited = false
    /// Towards the newest, and towards the oldest; -1 at the ends.
    var newer = -1
    var older = -1
  }

  private struct State {
    var entries: [Entry?] = []
    var free: [Int] = []
    var places: [ColumnID: Int] = [:]
    var newest = -1
    var oldest = -1
    var hand = -1
    var byteCount = 0
    var reservedByteCount = 0
    var (hitCount, missCount, evictionCount) = (0, 0, 0)
  }

  private let state = Mutex(State())
  package let byteCountMax: Int

  package init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

  /// Leaves so much of what it may have to others, but never less than a quarter to itself.
  package func reserve(_ byteCount: Int) {
    state.withLock { state in
      state.reservedByteCount = min(byteCount, byteCountMax / 4 * 3)
      while state.byteCount > byteCountMax - state.reservedByteCount, state.oldest >= 0 {
        Self.evictOne(&state)
      }
    }
  }

  /// What it never has more than.
  package var byteCountLimit: Int { byteCountMax - state.withLock { $0.reservedByteCount } }

  package var byteCount: Int { state.withLock { $0.byteCount } }

  /// What is in memory, and what was since the cache was made.
  package struct Counts: Sendable, Equatable {
    package let byteCount: Int
    package let objectCount: Int
    package let hitCount: Int
    package let missCount: Int
    package let evictionCount: Int
  }

  package var counts: Counts {
    state.withLock { state in
      Counts(
        byteCount: state.byteCount, objectCount: state.places.count, hitCount: state.hitCount,
        missCount: state.missCount, evictionCount: state.evictionCount)
    }
  }

  /// Lets go of all there is.
  package func removeAll() {
    state.withLock { state in
      let (hits, misses, evictions) = (state.hitCount, state.missCount, state.evictionCount)
      let reserved = state.reservedByteCount
      state = State()
      state.reservedByteCount = reserved
      (state.hitCount, state.missCount, state.evictionCount) = (hits, misses, evictions)
    }
  }

  /// Whether it is there; who only asks has not used it.
  package func contains(_ id: ColumnID) -> Bool { state.withLock { $0.places[id] != nil } }

  package func content(_ id: ColumnID) -> Content? {
    state.withLock { state in
      guard let place = state.places[id] else {
        state.missCount += 1
        return nil
      }
      state.hitCount += 1
      state.entries[place]?.isVisited = true
      return state.entries[place]?.content
    }
  }

  /// - Parameter old: what nobody is likely to want again now that this is there.
  package func insert(_ id: ColumnID, _ content: Content, byteCount: Int, insteadOf old: ColumnID? = nil) {
    state.withLock { state in
      let byteCountMax = byteCountMax - state.reservedByteCount
      guard byteCount <= byteCountMax / 4, state.places[id] == nil else { return }
      if let old, let place = state.places[old] { Self.remove(place, &state) }
      while state.byteCount + byteCount > byteCountMax, state.oldest >= 0 { Self.evictOne(&state) }
      let entry = Entry(id: id, content: content, byteCount: byteCount, older: state.newest)
      let place = state.free.popLast() ?? state.entries.count
      if place == state.entries.count { state.entries.append(entry) } else { state.entries[place] = entry }
      if state.newest >= 0 { state.entries[state.newest]?.newer = place } else { state.oldest = place }
      state.newest = place
      state.places[id] = place
      state.byteCount += byteCount
    }
  }

  private static func evictOne(_ state: inout State) {
    var place = state.hand >= 0 ? state.hand : state.oldest
    while let entry = state.entries[place], entry.isVisited {
      state.entries[place]?.isVisited = false
      place = entry.newer >= 0 ? entry.newer : state.oldest
    }
    state.hand = place
    state.evictionCount += 1
    remove(place, &state)
  }

  private static func remove(_ place: Int, _ state: inout State) {
    guard let entry = state.entries[place] else { return }
    if state.hand == place { state.hand = entry.newer }
    if entry.newer >= 0 {
      state.entries[entry.newer]?.older = entry.older
    } else {
      state.newest = entry.older
    }
    if entry.older >= 0 {
      state.entries[entry.older]?.newer = entry.newer
    } else {
      state.oldest = entry.newer
    }
    state.places[entry.id] = nil
    state.byteCount -= entry.byteCount
    state.entries[place] = nil
    state.free.append(place)
  }
}
