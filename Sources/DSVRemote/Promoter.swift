package import DSVFormat
package import DSVStore
import DSVSystem
import Dispatch
import Synchronization

/// Writes objects that came from a remote to the disk, some megabytes at a time and on a thread of its own.
///
/// Nothing waits for it, but for a moment where memory is little, and nothing that fails here makes a read fail: the object is
/// had again where it came from. A lease is held only while a batch is written. What there is no room for on the disk waits
/// until there is, as far as memory goes.
package final class Promoter: Sendable {
  /// Decides how much more may be written, in bytes; asked before each batch. Where that is too little, it is asked again
  /// after a while.
  package typealias Room = @Sendable (Store) throws(DSVError) -> Int
  /// Called with what was written, in the order in which it came.
  package typealias Record = @Sendable (Store, [AnyID]) throws(DSVError) -> Void

  private struct Item {
    let object: StoredObject
    /// Index of the remote that it came from.
    let remote: Int
  }

  private struct State {
    var pending: [AnyID: Item] = [:]
    var order: [AnyID] = []
    var pendingByteCount = 0
    /// What is being written.
    var writing: [AnyID: Item] = [:]
    var writingByteCount = 0
    var heldByteCountMax = 0
    var isWriting = false
    /// When there was no room.
    var fullSince: UInt64?
    /// Writing takes long: somebody else keeps the repository.
    var isStuck = false
    /// Writing failed: it is left alone from then on.
    var isOff = false
    var promotedCount = 0
    var promotedByteCount = 0
  }

  /// After so long without room it is looked whether there is some.
  private static let pauseNanoseconds: UInt64 = 5_000_000_000

  /// So long is waited for a batch to be written where memory is little.
  private static let waitMilliseconds = 300

  /// What waits and is written together; more is not kept.
  private let byteCountMax: Int
  private let waits: Bool
  /// So much is written at once.
  private var batchByteCount: Int { byteCountMax / 4 }

  // As in RemoteSource.
  private weak let store: Store?
  private let room: Room
  private let record: Record
  private let note: @Sendable (String) -> Void
  private let state = Mutex(State())
  /// Signalled when a batch is written.
  private let turn = DispatchSemaphore(value: 1)

  /// - Parameters:
  ///   - byteCountMax: what waits and what is written take no more memory together.
  ///   - waits: whether who brings an object waits a little where that is reached, rather than that it is not kept.
  package init(
    _ store: Store, byteCountMax: Int = 32 << 20, waits: Bool = false,
    room: @escaping Room = { _ in .max }, record: @escaping Record = { _, _ in },
    note: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    (self.store, self.byteCountMax, self.waits) = (store, byteCountMax, waits)
    (self.room, self.record, self.note) = (room, record, note)
  }

  /// How many objects were written, and how many bytes.
  package var counts: (Int, Int) { state.withLock { ($0.promotedCount, $0.promotedByteCount) } }

  /// How many bytes of objects are not on the disk yet.
  package var pendingByteCount: Int { state.withLock { $0.pendingByteCount + $0.writingByteCount } }
  /// The most that there ever were of them.
  package var heldByteCountMax: Int { state.withLock { $0.heldByteCountMax } }

  /// An object that is not on the disk yet, and the index of the remote that it came from.
  package func object(_ id: AnyID) -> (StoredObject, remote: Int)? {
    state.withLock { $0.pending[id] ?? $0.writing[id] }.map { ($0.object, $0.remote) }
  }

  /// Takes an object that is what its ID names.
  package func add(_ id: AnyID, _ object: StoredObject, from remote: Int) {
    let byteCount = PackLayout.recordByteCount(object, isSealed: store?.isEncrypted ?? false)
    var offer = offer(id, Item(object: object, remote: remote), byteCount)
    if offer == .full, waits { offer = offerLater(id, Item(object: object, remote: remote), byteCount) }
    guard offer == .begins else { return }
    if !Threads.start({ self.write() }) { state.withLock { $0.isWriting = false } }
  }

  private enum Offer {
    case taken
    /// Taken, and a thread is to write what there is.
    case begins
    /// There will be room when what is being written is written.
    case full
    case refused
  }

  private func offer(_ id: AnyID, _ item: Item, _ byteCount: Int) -> Offer {
    state.withLock { state in
      guard !state.isOff, state.pending[id] == nil, state.writing[id] == nil else { return .refused }
      guard state.pendingByteCount + state.writingByteCount + byteCount <= byteCountMax else {
        return state.isWriting && !state.isStuck ? .full : .refused
      }
      state.pending[id] = item
      state.order.append(id)
      state.pendingByteCount += byteCount
      state.heldByteCountMax = max(state.heldByteCountMax, state.pendingByteCount + state.writingByteCount)
      guard state.pendingByteCount >= batchByteCount, !state.isWriting else { return .taken }
      if let since = state.fullSince, Clock.monotonicNanoseconds() - since < Self.pauseNanoseconds {
        return .taken
      }
      state.isWriting = true
      return .begins
    }
  }

  /// Offers it for as long as a batch takes at most; where one takes longer, nobody waits any more until it is written.
  private func offerLater(_ id: AnyID, _ item: Item, _ byteCount: Int) -> Offer {
    for _ in 0..<Self.waitMilliseconds {
      Clock.sleep(nanoseconds: 1_000_000)
      let offer = offer(id, item, byteCount)
      if offer != .full { return offer }
    }
    state.withLock { $0.isStuck = true }
    return .refused
  }

  /// Writes all there is room for; returns when it is on the disk, or given up.
  package func flush() { write() }

  private func write() {
    turn.wait()
    defer { turn.signal() }
    while let ids = take() {
      var left: [AnyID] = []
      do throws(DSVError) {
        left = try write(ids)
      } catch {
        // A writer that keeps the lock for a minute, or gc that goes on for one, need not end it for good.
        if error.code != .busy { state.withLock { $0.isOff = true } }
        note("what was fetched is not kept on the disk: \(error)")
      }
      if !end(left) { break }
    }
    state.withLock { $0.isWriting = false }
  }

  /// Takes what waits to be written; `nil` if nothing does.
  private func take() -> [AnyID]? {
    state.withLock { state in
      guard !state.pending.isEmpty else { return nil }
      let ids = state.order
      (state.writing, state.writingByteCount) = (state.pending, state.pendingByteCount)
      (state.pending, state.order, state.pendingByteCount) = ([:], [], 0)
      return ids
    }
  }

  /// Ends a batch, of which these are left as there was no room for them; returns whether to go on.
  private func end(_ left: [AnyID]) -> Bool {
    let isSealed = store?.isEncrypted ?? false
    return state.withLock { state in
      let written = state.writing
      (state.writing, state.writingByteCount, state.isStuck) = ([:], 0, false)
      if state.isOff {
        (state.pending, state.order, state.pendingByteCount) = ([:], [], 0)
        return true
      }
      for id in left {
        guard let item = written[id] else { continue }
        state.pending[id] = item
        state.pendingByteCount += PackLayout.recordByteCount(item.object, isSealed: isSealed)
      }
      state.order = left + state.order
      state.fullSince = left.isEmpty ? nil : Clock.monotonicNanoseconds()
      return left.isEmpty
    }
  }

  /// - Returns: those that there is no room for.
  private func write(_ ids: [AnyID]) throws(DSVError) -> [AnyID] {
    guard let store else { return [] }
    let objects = state.withLock { $0.writing }
    var left = try room(store)
    var depths: [Int: [AnyID]] = [:]
    var count = 0
    for id in ids {
      guard let object = objects[id]?.object else { continue }
      left -= PackLayout.recordByteCount(object, isSealed: store.isEncrypted)
      if left < 0 { break }
      depths[object.base?.depth ?? 0, default: []].append(id)
      count += 1
    }
    if !depths.isEmpty { try write(depths, of: objects, store) }
    return Array(ids[count...])
  }

  private func write(
    _ depths: [Int: [AnyID]], of objects: [AnyID: Item], _ store: Store
  ) throws(DSVError) {
    let session = try store.session()
    var written: [AnyID] = []
    var byteCount = 0
    // What an object builds on is published before it.
    for depth in depths.keys.sorted() {
      for id in depths[depth] ?? [] {
        guard let object = objects[id]?.object, try !session.contains(id), try hasBase(object, store) else {
          continue
        }
        try session.putMissing(id, object)
        written.append(id)
        byteCount += PackLayout.recordByteCount(object, isSealed: store.isEncrypted)
      }
      try session.publish { (_) throws(DSVError) in }
    }
    guard !written.isEmpty else { return }
    state.withLock { state in
      state.promotedCount += written.count
      state.promotedByteCount += byteCount
    }
    try record(store, written)
  }

  private func hasBase(_ object: StoredObject, _ store: Store) throws(DSVError) -> Bool {
    guard let base = object.base else { return true }
    guard let depth = try store.baseDepth(of: base.id) else { return false }
    return depth < base.depth
  }
}
