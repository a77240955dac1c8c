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

  private struct State {
    var board: FetchBoard
    var workerCount = 0
    var counts = Counts()
  }

  package let remotes: [RemoteTier]
  package let promoter: Promoter
  private let check: Check
  // A store has a source, not the other way round: while somebody asks, it is there.
  private weak let store: Store?
  private let state: Mutex<State>
  private let limits: FetchLimits
  private let isPartial: Atomic<Bool>
  /// When a remote was last looked at as a pack of it was gone.
  private let refreshedAt = Mutex<UInt64>(0)

  /// - Parameter isPartial: whether something is known not to be on the disk; it is found out when that is asked for too.
  package init(
    _ remotes: [RemoteTier], for store: Store, isPartial: Bool = true, limits: FetchLimits = FetchLimits(),
    promoter: Promoter, check: @escaping Check
  ) {
    (self.remotes, self.store, self.limits) = (remotes, store, limits)
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
      if let place = try remote.places.place(of: id) { return Flight(id, remote: index, place) }
    }
    return nil
  }

  /// Whether a remote is known to have the object.
  package func holds(_ id: AnyID) throws(DSVError) -> Bool {
    for remote in remotes where try remote.places.place(of: id) != nil { return true }
    return false
  }

  package func fetch(_ id: AnyID) throws(DSVError) -> StoredObject? {
    do throws(DSVError) {
      return try fetchOnce(id)
    } catch {
      // The remote's own clean-up may have put it into another pack.
      guard error.code == .notFound, try refresh() else { throw error }
      return try fetchOnce(id)
    }
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

  private func failure(_ flight: Flight, _ error: DSVError) -> DSVError {
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

  // MARK: - Fetching

  /// Starts threads for what waits.
  private func startWorkers() {
    while let request = begin(isNew: true) {
      // Where the system gives no threads, who asks does the work.
      if !Threads.start({ self.work(request) }) { work(request) }
    }
  }

  private func work(_ first: FetchRequest) {
    var next: FetchRequest? = first
    while let request = next {
      perform(request)
      next = begin(isNew: false)
    }
  }

  /// The next request, for a new thread or for one that has done its last.
  private func begin(isNew: Bool) -> FetchRequest? {
    state.withLock { state in
      if isNew, state.workerCount >= limits.smallRequestCount { return nil }
      let request = state.board.next(now: Clock.monotonicNanoseconds())
      if isNew, request != nil { state.workerCount += 1 }
      if !isNew, request == nil { state.workerCount -= 1 }
      return request
    }
  }

  private func perform(_ request: FetchRequest) {
    let remote = remotes[request.remote]
    var arrived: [(Flight, StoredObject)] = []
    var failed: [(Flight, DSVError)] = []
    var more: [(Flight, StoredObject)] = []
    do throws(DSVError) {
      let bytes = try get(request.range, of: request.pack, from: remote)
      let codec = try remote.places.codec(of: request.pack)
      for flight in request.flights {
        do throws(DSVError) {
          arrived.append((flight, try object(flight, in: bytes, at: request.range.lowerBound, codec)))
        } catch { failed.append((flight, error)) }
      }
      if request.readsOn { more = neighbours(request, bytes, codec) }
    } catch {
      for flight in request.flights { failed.append((flight, failure(flight, error))) }
    }
    finish(request, arrived, failed, more)
  }

  private func finish(
    _ request: FetchRequest, _ arrived: [(Flight, StoredObject)], _ failed: [(Flight, DSVError)],
    _ more: [(Flight, StoredObject)]
  ) {
    // Bases are wanted next: while objects are handed over they are on their way.
    let bases = Set(arrived.compactMap { $0.1.base?.id })
    for (flight, object) in arrived { flight.raw.bring(.success(object)) }
    let now = Clock.monotonicNanoseconds()
    state.withLock { state in
      state.board.finish(request, arrived: arrived.map(\.0), failed: failed.map(\.0), now: now)
      for (flight, object) in more where state.board.addArrived(flight, now: now) {
        flight.raw.bring(.success(object))
      }
    }
    // A failed flight is off the board, so that who asks from now on tries anew.
    for (flight, error) in failed {
      flight.raw.bring(.failure(error))
      flight.checked.bring(.failure(error))
    }
    if !bases.isEmpty { prefetch(Array(bases)) }
    // What arrived made room.
    startWorkers()
  }

  private func get(_ range: Range<Int>, of pack: RemotePack, from remote: RemoteTier) throws(DSVError)
    -> [UInt8]
  {
    state.withLock { state in
      state.counts.requestCount += 1
      state.counts.fetchedByteCount += range.count
    }
    return try remote.bucket.get(pack.key, range: range)
  }

  /// The object of a flight in bytes that were fetched; fetched once more by itself if they are damaged.
  private func object(
    _ flight: Flight, in bytes: [UInt8], at start: Int, _ codec: PackCodec
  ) throws(DSVError) -> StoredObject {
    let range = flight.range.lowerBound - start..<flight.range.upperBound - start
    do throws(DSVError) {
      return try object(flight.id, in: bytes, range, codec)
    } catch {
      guard error.code == .corrupt else { throw failure(flight, error) }
      return try fetchAlone(flight)
    }
  }

  private func object(
    _ id: AnyID, in bytes: [UInt8], _ range: Range<Int>, _ codec: PackCodec
  ) throws(DSVError) -> StoredObject {
    guard range.upperBound <= bytes.count else { throw DSVError(.corrupt, "its pack ends before it") }
    return try codec.object(id, in: Array(bytes[range]))
  }

  private func fetchAlone(_ flight: Flight) throws(DSVError) -> StoredObject {
    let remote = remotes[flight.remote]
    do throws(DSVError) {
      let bytes = try get(flight.range, of: flight.pack, from: remote)
      let codec = try remote.places.codec(of: flight.pack)
      return try object(flight.id, in: bytes, bytes.indices, codec)
    } catch {
      throw failure(flight, error)
    }
  }

  /// The objects behind the last one that was wanted: who reads a pack in order wants them next.
  private func neighbours(
    _ request: FetchRequest, _ bytes: [UInt8], _ codec: PackCodec
  ) -> [(Flight, StoredObject)] {
    let remote = remotes[request.remote]
    var result: [(Flight, StoredObject)] = []
    var offset = (request.flights.last?.range.upperBound ?? request.range.upperBound)
    while offset < request.range.upperBound {
      let start = offset - request.range.lowerBound
      let header = bytes.withBytes { RecordBytes.header(UnsafeRawBufferPointer(rebasing: $0[start...])) }
      guard let (id, byteCount) = header, start + byteCount <= bytes.count else { break }
      do throws(DSVError) {
        if try store?.contains(id) == false, promoter.object(id) == nil,
          let place = try remote.places.place(of: id), place.pack.slot == request.pack.slot,
          place.offset == offset, place.byteCount == byteCount
        {
          let object = try object(id, in: bytes, start..<start + byteCount, codec)
          result.append((Flight(id, remote: request.remote, place), object))
        }
      } catch { break }
      offset += byteCount
    }
    return result
  }
}
