package import DSVFormat
package import DSVStore
import DSVSystem
import Dispatch
import Synchronization

/// Writes objects that came from a remote to the disk, some megabytes at a time and on a thread of its own.
///
/// Nothing waits for it, and nothing that fails here makes a read fail: the object is had again where it came from. A lease
/// is held only while a batch is written.
package final class Promoter: Sendable {
  /// Decides how much more may be written, in bytes; asked before each batch.
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
    var isWriting = false
    /// Writing failed: it is left alone from then on.
    var isOff = false
    var promotedCount = 0
    var promotedByteCount = 0
  }

  /// So much is written at once.
  private static let batchByteCount = 8 << 20
  /// What waits while a batch is written; more is not kept.
  private static let pendingByteCountMax = 24 << 20

  // As in RemoteSource.
  private weak let store: Store?
  private let room: Room
  private let record: Record
  private let note: @Sendable (String) -> Void
  private let state = Mutex(State())
  /// Signalled when a batch is written.
  private let turn = DispatchSemaphore(value: 1)

  package init(
    _ store: Store, room: @escaping Room = { _ in .max }, record: @escaping Record = { _, _ in },
    note: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    (self.store, self.room, self.record, self.note) = (store, room, record, note)
  }

  /// How many objects were written, and how many bytes.
  package var counts: (Int, Int) { state.withLock { ($0.promotedCount, $0.promotedByteCount) } }

  /// An object that is not on the disk yet, and the index of the remote that it came from.
  package func object(_ id: AnyID) -> (StoredObject, remote: Int)? {
    state.withLock { $0.pending[id] ?? $0.writing[id] }.map { ($0.object, $0.remote) }
  }

  /// Takes an object that is what its ID names.
  package func add(_ id: AnyID, _ object: StoredObject, from remote: Int) {
    let begins = state.withLock { state in
      guard !state.isOff, state.pending[id] == nil, state.writing[id] == nil,
        state.pendingByteCount < Self.pendingByteCountMax
      else { return false }
      state.pending[id] = Item(object: object, remote: remote)
      state.order.append(id)
      state.pendingByteCount += PackLayout.recordByteCount(object, isSealed: store?.isEncrypted ?? false)
      guard state.pendingByteCount >= Self.batchByteCount, !state.isWriting else { return false }
      state.isWriting = true
      return true
    }
    guard begins else { return }
    if !Threads.start({ self.write() }) { state.withLock { $0.isWriting = false } }
  }

  /// Writes all there is; returns when it is on the disk, or given up.
  package func flush() { write() }

  private func write() {
    turn.wait()
    defer { turn.signal() }
    while let ids = take() {
      do throws(DSVError) {
        try write(ids)
      } catch {
        // A writer that keeps the lock for a minute, or gc that goes on for one, need not end it for good.
        if error.code != .busy { state.withLock { $0.isOff = true } }
        note("what was fetched is not kept on the disk: \(error)")
      }
      state.withLock { state in
        state.writing = [:]
        if state.isOff { (state.pending, state.order, state.pendingByteCount) = ([:], [], 0) }
      }
    }
    state.withLock { $0.isWriting = false }
  }

  /// Takes what waits to be written; `nil` if nothing does.
  private func take() -> [AnyID]? {
    state.withLock { state in
      guard !state.pending.isEmpty else { return nil }
      let ids = state.order
      state.writing = state.pending
      (state.pending, state.order, state.pendingByteCount) = ([:], [], 0)
      return ids
    }
  }

  private func write(_ ids: [AnyID]) throws(DSVError) {
    guard let store else { return }
    let objects = state.withLock { $0.writing }
    var left = try room(store)
    var depths: [Int: [AnyID]] = [:]
    for id in ids {
      guard let object = objects[id]?.object else { continue }
      left -= PackLayout.recordByteCount(object, isSealed: store.isEncrypted)
      if left < 0 { break }
      depths[object.base?.depth ?? 0, default: []].append(id)
    }
    guard !depths.isEmpty else { return }
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
