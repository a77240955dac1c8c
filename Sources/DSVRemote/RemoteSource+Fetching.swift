package import DSVFormat
package import DSVStore
import DSVSystem
import Synchronization

/// Asks one remote after the other until one gives what its ID names.
extension RemoteSource {
  // MARK: - Where it is

  /// Where a remote has an object that was not asked for it yet. Those that failed lately come last.
  func locate(_ id: AnyID, _ attempt: inout FetchAttempt) -> Flight? {
    var last: Flight?
    for (index, remote) in remotes.enumerated() where !attempt.tried.contains(index) {
      do throws(DSVError) {
        guard let place = try remote.places.place(of: id), kinds.contains(place.kind) else {
          attempt.leaveOut(index)
          continue
        }
        let flight = Flight(id, remote: index, place, tried: attempt.tried)
        if !isInTrouble(flight) { return flight }
        last = last ?? flight
      } catch { attempt.fails(index, Self.failure(remote, error)) }
    }
    return last
  }

  /// Whether a remote is known to have the object, and it may be left to it.
  ///
  /// - Throws: `.io`, `.busy` or `.wrongKey` if a remote cannot be looked at of which nothing is known here, so that nothing
  ///   can be said.
  package func holds(_ id: AnyID) throws(DSVError) -> Bool {
    var attempt = FetchAttempt()
    if locate(id, &attempt) != nil { return true }
    if prefetches, hasUnreadRemote {
      attempt = FetchAttempt(failures: refresh())
      if locate(id, &attempt) != nil { return true }
    }
    guard let failure = attempt.failure else { return false }
    let passing: Set<DSVError.Code> = [.busy, .wrongKey, .interrupted, .unsupportedFormat]
    throw DSVError(
      passing.contains(failure.code) ? failure.code : .io,
      "what remotes hold is not known, and something may be there only: \(failure.message); "
        + "'dsv fetch' when they can be reached", cause: failure)
  }

  private var hasUnreadRemote: Bool {
    remotes.contains { remote in
      // What keeps its catalogue from being opened was met where it was asked.
      do throws(DSVError) { return try remote.places.isUnread } catch { return false }
    }
  }

  /// Looks at the remotes for what is new there: not more often than once in ten seconds, and one that could not be looked at, in thirty.
  ///
  /// - Returns: what kept some from being looked at.
  private func refresh() -> [DSVError] {
    // Who waited for another to look need not look again.
    refreshes.withLock { refreshes in
      for (index, remote) in remotes.enumerated() where refreshes[index].end <= Clock.monotonicNanoseconds() {
        do throws(DSVError) {
          try remote.places.refresh()
          refreshes[index] = Refresh(end: Clock.monotonicNanoseconds() + Refresh.nanoseconds)
        } catch {
          let failure = Self.failure(remote, error)
          // Who was interrupted may ask again at once.
          let wait = error.code == .interrupted ? 0 : Trouble.nanoseconds
          refreshes[index] = Refresh(end: Clock.monotonicNanoseconds() + wait, failure: failure)
        }
      }
      return refreshes.compactMap(\.failure)
    }
  }

  // MARK: - Trouble

  private func isInTrouble(_ flight: Flight) -> Bool {
    state.withLock { state in
      guard !state.troubles.isEmpty else { return false }
      let now = Clock.monotonicNanoseconds()
      return [nil, flight.pack.slot].contains { slot in
        state.troubles[Trouble(remote: flight.remote, slot: slot)].map { $0 > now } ?? false
      }
    }
  }

  /// Remembers that a remote, or a pack of it, failed. A damaged object says nothing of others.
  func noteTrouble(_ remote: Int, _ pack: RemotePack, _ error: DSVError) {
    let slot: UInt32?
    switch error.code {
    case .notFound: slot = pack.slot
    case .io, .busy: slot = nil
    default: return
    }
    let until = Clock.monotonicNanoseconds() + Trouble.nanoseconds
    state.withLock { $0.troubles[Trouble(remote: remote, slot: slot)] = until }
  }

  // MARK: - Asking

  package func fetch(_ id: AnyID) throws(DSVError) -> StoredObject? {
    var attempt = FetchAttempt()
    if let object = try fetchOnce(id, &attempt) { return object }
    // The remote's own clean-up may have put it into another pack, or a repair, also what it had lost; and a catalogue that was taken away knows nothing
    // until it is read anew.
    if attempt.hasLostPack || hasUnreadRemote {
      attempt = FetchAttempt(failures: refresh())
      if let object = try fetchOnce(id, &attempt) { return object }
    } else if attempt.hasDamage || (attempt.failures.isEmpty && prefetches) {
      let before = packs(of: id)
      let failures = refresh()
      if packs(of: id) != before {
        attempt = FetchAttempt(failures: failures)
        if let object = try fetchOnce(id, &attempt) { return object }
      } else {
        attempt = FetchAttempt(failures: attempt.failures + failures)
      }
    }
    if let failure = attempt.failure { throw Self.advised(failure) }
    return nil
  }

  /// Says what to do where remotes gave something that it is not, or nothing.
  private static func advised(_ error: DSVError) -> DSVError {
    let advice = "'dsv remote check' tells what is damaged there"
    guard error.code == .corrupt || error.code == .notFound, !error.message.contains(advice) else {
      return error
    }
    return DSVError(error.code, "\(error.message); \(advice)", cause: error.cause)
  }

  /// The packs that remotes have the object in.
  private func packs(of id: AnyID) -> [PackID?] {
    remotes.map { remote in
      do throws(DSVError) { return try remote.places.place(of: id)?.pack.id } catch { return nil }
    }
  }

  private func fetchOnce(_ id: AnyID, _ attempt: inout FetchAttempt) throws(DSVError) -> StoredObject? {
    while true {
      if let (object, remote) = promoter.object(id) {
        state.withLock { $0.counts[remote].hitCount += 1 }
        return object
      }
      var new: Flight?
      if !state.withLock({ $0.board.flights[id] != nil }) {
        new = locate(id, &attempt)
        guard new != nil else {
          countMisses(attempt.tried)
          return nil
        }
      }
      let (joined, isOwner) = join(id, new)
      guard let flight = joined else { continue }
      isPartial.store(true, ordering: .relaxed)
      if isOwner { bring(flight) }
      do throws(DSVError) {
        let object = try flight.checked.value()
        let others = flight.tried.union(attempt.tried)
        if !others.isEmpty { countMisses(others.subtracting([flight.remote])) }
        state.withLock { $0.counts[flight.remote].hitCount += 1 }
        return object
      } catch {
        guard error.code != .interrupted else { throw error }
        attempt.fails(flight.remote, error)
      }
    }
  }

  /// Counts remotes that were asked and did not give it.
  private func countMisses(_ tried: Set<Int>) {
    state.withLock { for remote in tried { $0.counts[remote].missCount += 1 } }
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
      promoter.add(flight.id, object, from: flight.remote)
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

  // MARK: - Looking whether it is the object

  /// The object, which is what its ID names; fetched once more if it is not.
  private func checked(_ flight: Flight, _ object: StoredObject) throws(DSVError) -> StoredObject {
    guard let store else { return object }
    do throws(DSVError) {
      return try checkedOnce(flight, object, store)
    } catch {
      guard error.code == .corrupt else { throw failure(flight, error) }
    }
    let again = try fetchAlone(flight)
    do throws(DSVError) {
      return try checkedOnce(flight, again, store)
    } catch {
      throw failure(flight, error)
    }
  }

  private func checkedOnce(
    _ flight: Flight, _ object: StoredObject, _ store: Store
  ) throws(DSVError) -> StoredObject {
    guard object.base?.depth ?? 0 == flight.place.baseDepth, object.kind == flight.place.kind else {
      throw DSVError(.corrupt, "its record is not what the remote's list says of it")
    }
    guard let base = object.base, !isShallowEverywhere(base, store) else {
      try check(flight.id, object, store)
      return object
    }
    let there = RemoteObjects(self, flight.remote, store.naming)
    try there.checkDepth(base)
    return try whole(flight.id, object, there)
  }

  /// Whether bases come to an end wherever a base is read from. Else two objects could wait for each other: one's base may
  /// build on it in another remote, or on this disk.
  private func isShallowEverywhere(_ base: ObjectBase, _ store: Store) -> Bool {
    func isDeep(_ depth: () throws(DSVError) -> Int?) -> Bool {
      // Where that cannot be told, it is not read from either.
      do throws(DSVError) { return try depth() ?? 0 >= base.depth } catch { return false }
    }
    if isDeep({ () throws(DSVError) in try store.baseDepth(of: base.id) }) { return false }
    return !remotes.contains { remote in
      isDeep { () throws(DSVError) in try remote.places.place(of: base.id)?.baseDepth }
    }
  }

  func failure(_ flight: Flight, _ error: DSVError) -> DSVError {
    if error.code == .corrupt || error.code == .notFound {
      // What leaves the disk for it must be looked at again first. If that cannot be noted, the next read finds it again.
      _ = Result { () throws(DSVError) in try remotes[flight.remote].places.forgetVerified(flight.pack.id) }
    }
    let place = "object \(flight.id) of remote '\(remotes[flight.remote].name)' (\(flight.pack.key))"
    return DSVError(error.code, "\(place): \(error.message)", cause: error)
  }

  private static func failure(_ remote: RemoteTier, _ error: DSVError) -> DSVError {
    DSVError(error.code, "remote '\(remote.name)': \(error.message)", cause: error)
  }
}
