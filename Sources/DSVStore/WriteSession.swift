package import DSVFormat
import DSVSystem
import Synchronization

/// Puts objects and publishes them. Any number of sessions may go on at once; only publishing takes turns.
///
/// While a session lives, gc waits: what was in the store when the session asked stays there. Objects that were
/// put and never published are gone with the session. Threads may share one. Not to be used after fork.
package final class WriteSession: ObjectSink {
  private struct State {
    /// Put, and not part of a publication yet.
    var batch: SessionBatch
    /// Being published; still to be read from here.
    var publishing: SessionBatch?
    /// Writing failed. The session throws this ever after.
    var failure: DSVError?
    var publishedByteCount = 0
  }

  let store: Store
  private let lease: Lease
  private let state: Mutex<State>
  private let processID = Machine.processID

  /// - Parameter lastPack: no pack has had a higher number, and gc takes none away while the lease lives.
  init(_ store: Store, _ lease: Lease, lastPack: UInt32) {
    self.store = store
    self.lease = lease
    state = Mutex(State(batch: SessionBatch(after: lastPack, isSealed: store.keys != nil)))
  }

  deinit {
    guard Machine.processID == processID else { return }
    discard(state.withLock { $0.batch })
  }

  /// Removes the packs of a batch that was not published. What cannot be removed is left to gc.
  private func discard(_ batch: SessionBatch) {
    do throws(DSVError) {
      try batch.discard(store.folder)
    } catch {
      store.note("\(error)")
    }
  }

  package var naming: ObjectNaming { store.naming }

  package func contains(_ id: AnyID) throws(DSVError) -> Bool {
    if state.withLock({ $0.batch.entries[id] ?? $0.publishing?.entries[id] }) != nil { return true }
    return try store.contains(id)
  }

  package func read(_ id: AnyID) throws(DSVError) -> StoredObject {
    switch state.withLock({ $0.batch.source(of: id) ?? $0.publishing?.source(of: id) }) {
    case .memory(let object): return object
    case .sealed(let record, let body, let sealer): return try record.object(body, sealer)
    case .file(let file, let offset, let byteCount, let sealer):
      return try PackFiles.read(id, from: file, at: offset, storedByteCount: byteCount, sealer)
    case nil: return try store.read(id)
    }
  }

  package var prefetches: Bool { store.prefetches }
  package func prefetch(_ ids: [AnyID], first: Bool) { store.prefetch(ids, first: first) }

  package func put(_ id: AnyID, _ object: StoredObject) throws(DSVError) {
    try checkUsable()
    if try !contains(id) { try putMissing(id, object) }
  }

  package func putMissing(_ id: AnyID, _ object: StoredObject) throws(DSVError) {
    try append(id, object, isRestored: false)
  }

  /// Puts another stored form of an object that is there: from the publication on it is the one that is read.
  ///
  /// A form with a base is left out of the publication if something builds on the object by then, or if the base is not
  /// above it any more. The form that was there stays in its pack until gc.
  package func restore(_ id: AnyID, _ object: StoredObject) throws(DSVError) {
    try append(id, object, isRestored: true)
  }

  private func append(_ id: AnyID, _ object: StoredObject, isRestored: Bool) throws(DSVError) {
    let isSealed = store.keys != nil
    guard PackLayout.bodyByteCount(object, isSealed: isSealed) <= PackLayout.storedByteCountMax,
      UInt32(exactly: object.plainByteCount) != nil
    else {
      throw DSVError(.badInput, "object \(id): \(object.bytes.count) bytes are too many for one object")
    }
    try checkUsable()
    while true {
      // Threads encrypt side by side: only what goes to a pack that is full by then is encrypted again.
      let sealer = isSealed ? state.withLock { $0.batch.sealer } : nil
      let record = isSealed && sealer == nil ? nil : EncodedRecord(id, object, sealer)
      let isTaken = try change { (state) throws(DSVError) -> Bool in
        if !isRestored, state.publishing?.entries[id] != nil { return true }
        return try state.batch.append(id, object, record, isRestored: isRestored, in: store.folder)
      }
      if isTaken { return }
    }
  }

  /// Of what is published: what this session has put may still come to nothing.
  package func baseDepth(of id: AnyID) throws(DSVError) -> Int? { try store.baseDepth(of: id) }

  /// How many objects were put and not yet published.
  package var pendingCount: Int { state.withLock { $0.batch.entries.count } }

  /// How much longer the repository's files have become by what the session has published.
  package var publishedByteCount: Int { state.withLock { $0.publishedByteCount } }

  /// Runs `decide` while no other publishes, and then makes what the session put, and what `decide` staged,
  /// visible at once and durably.
  ///
  /// The writer's lock is waited for up to a minute. If `decide` throws, nothing is visible, and the session can
  /// go on and publish again. If writing fails, nothing is visible either (a failure of the very last step, the
  /// index's own, excepted, which leaves it open until the next publication), and the session is at its end.
  /// - Throws: `.busy` if another holds the writer's lock, `.conflict` from ``Publication/move(_:)``.
  package func publish<R>(_ decide: (Publication) throws(DSVError) -> R) throws(DSVError) -> R {
    try checkUsable()
    let lock = try store.beginWriting()
    defer { withExtendedLifetime(lock) {} }
    let publication = Publication(self, state: try store.index.state)
    let result = try decide(publication)
    let batch = try begin()
    if batch.isEmpty && publication.isEmpty { return result }
    var mayHappen = false
    do throws(DSVError) {
      let byteCount = try store.publish(batch, publication, mayHappen: &mayHappen)
      state.withLock { $0.publishedByteCount += byteCount }
    } catch {
      state.withLock { $0.failure = error }
      // What may come to light yet needs its packs: gc will tell.
      if !mayHappen { discard(batch) }
      throw error
    }
    state.withLock { $0.publishing = nil }
    return result
  }

  /// Takes what was put so far out of the session, to publish it.
  private func begin() throws(DSVError) -> SessionBatch {
    try change { (state) throws(DSVError) in
      try state.batch.finish(in: store.folder)
      let batch = state.batch
      state.publishing = batch
      state.batch = SessionBatch(after: batch.lastPack, isSealed: batch.isSealed)
      return batch
    }
  }

  private func checkUsable() throws(DSVError) {
    guard Machine.processID == processID else {
      throw DSVError(.badInput, "a session cannot be used after fork; begin a new one")
    }
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }

  /// Runs `body`, whose failure ends the session.
  private func change<R: Sendable>(_ body: (inout State) throws(DSVError) -> R) throws(DSVError) -> R {
    try state.withLock { (state) throws(DSVError) -> R in
      if let failure = state.failure { throw failure }
      do throws(DSVError) {
        return try body(&state)
      } catch {
        state.failure = error
        throw error
      }
    }
  }
}
