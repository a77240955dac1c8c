package import DSVFormat
package import DSVStore
import DSVSystem
import Synchronization

/// Gives objects that lie in remotes, in the order in which the remotes are named.
///
/// One request is made for all who want an object, and for neighbours that are wanted; requests are made on threads of its
/// own, as many at once as ``FetchLimits`` says. What arrives is checked against its ID by who asks for it first, and then goes
/// to the disk too, where it can.
package final class RemoteSource: ObjectSource {
  /// Whether an object is what its ID names: throws `.corrupt` if not, and what kept its base from being read. The store
  /// is what bases are read through.
  package typealias Check = @Sendable (AnyID, StoredObject, Store) throws(DSVError) -> Void

  /// What was fetched since the source was made.
  package struct Counts: Sendable, Equatable {
    /// Objects that were handed over, and those that no remote has.
    package var hitCount = 0
    package var missCount = 0
    package var requestCount = 0
    /// All bytes of the requests, those between objects too.
    package var fetchedByteCount = 0
    /// The most that was requested and not yet handed over at one time.
    package var stagedByteCountMax = 0
    package var promotedCount = 0
    package var promotedByteCount = 0

    package init() {}
  }

  struct State {
    var board: FetchBoard
    var workerCount = 0
    var counts = Counts()
  }

  package let remotes: [RemoteTier]
  package let promoter: Promoter
  private let check: Check
  // A store has a source, not the other way round: while somebody asks, it is there.
  weak let store: Store?
  let state: Mutex<State>
  let limits: FetchLimits
  let kinds: Set<ObjectKind>
  private let isPartial: Atomic<Bool>
  /// When a remote was last looked at as a pack of it was gone.
  private let refreshedAt = Mutex<UInt64>(0)

  /// - Parameters:
  ///   - kinds: what is given. A commit or snapshot that is not here is not to be had by reading: who has one has all that
  ///     led to it.
  ///   - isPartial: whether something is known not to be on the disk; it is found out when that is asked for too.
  package init(
    _ remotes: [RemoteTier], for store: Store, kinds: Set<ObjectKind> = [.chunk, .node],
    isPartial: Bool = true, limits: FetchLimits = FetchLimits(), promoter: Promoter, check: @escaping Check
  ) {
    (self.remotes, self.store, self.limits, self.kinds) = (remotes, store, limits, kinds)
    self.isPartial = Atomic(isPartial)
    (self.promoter, self.check) = (promoter, check)
    state = Mutex(State(board: FetchBoard(limits)))
  }

  package var counts: Counts {
    var counts = state.withLock { state in
      var counts = state.counts
      counts.stagedByteCountMax = state.board.stagedByteCountMax
      return counts
    }
    (counts.promotedCount, counts.promotedByteCount) = promoter.counts
    return counts
  }

  // MARK: - Asking

  /// Where a remote has an object.
  private func locate(_ id: AnyID) throws(DSVError) -> Flight? {
    for (index, remote) in remotes.enumerated() {
      if let place = try remote.places.place(of: id), kinds.contains(place.kind) {
        return Flight(id, remote: index, place)
      }
    }
    return nil
  }

  /// Whether a remote is known to have the object, and it may be left to it.
  package func holds(_ id: AnyID) throws(DSVError) -> Bool { try locate(id) != nil }

  package func fetch(_ id: AnyID) throws(DSVError) -> StoredObject? {
    do throws(DSVError) {
      if let object = try fetchOnce(id) { return object }
      // A catalogue that was taken away knows nothing until it is read anew.
      guard try hasUnreadRemote(), try refresh() else { return nil }
      return try fetchOnce(id)
    } catch {
      // The remote's own clean-up may have put it into another pack.
      guard error.code == .notFound, try refresh() else { throw error }
      return try fetchOnce(id)
    }
  }

  private func hasUnreadRemote() throws(DSVError) -> Bool {
    for remote in remotes where try remote.places.isUnread { return true }
    return false
  }

  private func fetchOnce(_ id: AnyID) throws(DSVError) -> StoredObject? {
    if let object = promoter.object(id) {
      state.withLock { $0.counts.hitCount += 1 }
      return object
    }
    var new: Flight?
    if !state.withLock({ $0.board.flights[id] != nil }) {
      new = try locate(id)
      guard new != nil else {
        state.withLock { $0.counts.missCount += 1 }
        return nil
      }
    }
    let (flight, isOwner) = join(id, new)
    guard let flight else { return try fetchOnce(id) }
    isPartial.store(true, ordering: .relaxed)
    if isOwner { bring(flight) }
    let object = try flight.checked.value()
    state.withLock { $0.counts.hitCount += 1 }
    return object
  }

  /// Looks at the remotes for what is new there; not more often than once in ten seconds.
  private func refresh() throws(DSVError) -> Bool {
    try refreshedAt.withLock { (last) throws(DSVError) in
      let now = Clock.monotonicNanoseconds()
      // Who waited for another to look need not look again.
      if last != 0, now - last < 10_000_000_000 { return true }
      for remote in remotes { try remote.places.refresh() }
      last = Clock.monotonicNanoseconds()
      return true
    }
  }

  /// Joins who waits for an object already, or puts `new` on the board.
  ///
  /// - Returns: `nil` if who brought it is gone meanwhile: then it is elsewhere now.
  private func join(_ id: AnyID, _ new: Flight?) -> (Flight?, isOwner: Bool) {
    let (flight, isOwner, request) = state.withLock { state -> (Flight?, Bool, FetchRequest?) in
      if let flight = state.board.flights[id] {
        if flight.isOwned { return (flight, false, nil) }
        flight.isOwned = true
        return (flight, true, state.board.request(for: flight))
      }
      guard let new else { return (nil, false, nil) }
      new.isOwned = true
      state.board.add(new)
      return (new, true, state.board.request(for: new))
    }
    if let request { perform(request) }
    return (flight, isOwner)
  }

  /// Waits for what arrives, looks whether it is the object, and hands it over to all who wait.
  private func bring(_ flight: Flight) {
    let outcome: Result<StoredObject, DSVError>
    do throws(DSVError) {
      let object = try checked(flight, try flight.raw.value())
      bringBase(of: object)
      promoter.add(flight.id, object)
      outcome = .success(object)
    } catch {
      outcome = .failure(error)
    }
    state.withLock { $0.board.remove(flight) }
    flight.checked.bring(outcome)
    startWorkers()
  }

  /// Sees to it that what an object builds on goes to the disk before it: it may have been in memory when it was needed.
  private func bringBase(of object: StoredObject) {
    guard let base = object.base, let store else { return }
    // Without it the object is not written, and that is all.
    do throws(DSVError) { if try !store.contains(base.id) { _ = try fetch(base.id) } } catch { return }
  }

  /// The object, which is what its ID names; fetched once more if it is not.
  private func checked(_ flight: Flight, _ object: StoredObject) throws(DSVError) -> StoredObject {
    guard let store else { return object }
    do throws(DSVError) {
      try checkBase(flight, object)
      try check(flight.id, object, store)
      return object
    } catch {
      guard error.code == .corrupt else { throw failure(flight, error) }
    }
    let again = try fetchAlone(flight)
    do throws(DSVError) {
      try checkBase(flight, again)
      try check(flight.id, again, store)
      return again
    } catch {
      throw failure(flight, error)
    }
  }

  /// Makes sure that bases come to an end before one is waited for: else two objects could wait for each other.
  private func checkBase(_ flight: Flight, _ object: StoredObject) throws(DSVError) {
    guard object.base?.depth ?? 0 == flight.place.baseDepth, object.kind == flight.place.kind else {
      throw DSVError(.corrupt, "its record is not what the remote's list says of it")
    }
    guard let base = object.base else { return }
    for remote in remotes {
      guard let place = try remote.places.place(of: base.id) else { continue }
      guard place.baseDepth < base.depth else {
        throw DSVError(.corrupt, "its base \(base.id) has too many bases of its own")
      }
    }
  }

  func failure(_ flight: Flight, _ error: DSVError) -> DSVError {
    let place = "object \(flight.id) of remote '\(remotes[flight.remote].name)' (\(flight.pack.key))"
    return DSVError(error.code, "\(place): \(error.message)", cause: error)
  }

  // MARK: - Telling ahead

  package var prefetches: Bool { isPartial.load(ordering: .relaxed) }

  package func prefetch(_ ids: [AnyID]) {
    var flights: [Flight] = []
    for id in ids {
      if promoter.object(id) != nil || state.withLock({ $0.board.flights[id] != nil }) { continue }
      // What fails here fails where it is read.
      do throws(DSVError) {
        if try store?.contains(id) == true { continue }
        if let flight = try locate(id) { flights.append(flight) }
      } catch { continue }
    }
    guard !flights.isEmpty else { return }
    state.withLock { $0.board.add(flights) }
    startWorkers()
  }

  /// Sends what was fetched and not yet written to the disk; returns when it is there, or could not be written.
  package func close() { promoter.flush() }
}
