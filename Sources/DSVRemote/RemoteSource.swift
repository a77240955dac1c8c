package import DSVFormat
package import DSVStore
import DSVSystem
import Synchronization

/// Gives objects that lie in remotes, in the order in which the remotes are named: what one of them does not give, or not
/// whole, is had from the next that holds it.
///
/// One request is made for all who want an object, and for neighbours that are wanted; requests are made on threads of its
/// own, as many at once as ``FetchLimits`` says. What arrives is checked against its ID by who asks for it first, and then goes
/// to the disk too, where it can.
package final class RemoteSource: ObjectSource {
  /// Whether an object is what its ID names: throws `.corrupt` if not, and what kept its base from being read. The store
  /// is what bases are read through.
  package typealias Check = @Sendable (AnyID, StoredObject, any ObjectStore) throws(DSVError) -> Void
  /// As ``Check``; gives the object in a form that needs no base.
  package typealias Whole = @Sendable (AnyID, StoredObject, any ObjectStore) throws(DSVError) -> StoredObject

  /// What was fetched since the source was made, from all remotes or from one.
  package struct Counts: Sendable, Equatable {
    /// Objects that were handed over, and those that a remote was asked for and did not give.
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

  /// A remote, or one pack of it, that failed: others are asked first for a while.
  struct Trouble: Hashable {
    let remote: Int
    /// `nil` for all that the remote has.
    let slot: UInt32?

    static let nanoseconds: UInt64 = 30_000_000_000
  }

  /// A look at a remote for what is new there.
  struct Refresh {
    /// How long one counts: who asks meanwhile is told what came of it. One that failed is not tried again for each object.
    static let nanoseconds: UInt64 = 10_000_000_000

    /// Until when it counts; 0 before the first.
    var end: UInt64 = 0
    /// What kept the remote from being looked at.
    var failure: DSVError?
  }

  struct State {
    var board: FetchBoard
    var workerCount = 0
    /// Of each remote.
    var counts: [Counts]
    /// Until when others are asked first.
    var troubles: [Trouble: UInt64] = [:]
  }

  package let remotes: [RemoteTier]
  package let promoter: Promoter
  let check: Check
  let whole: Whole
  // A store has a source, not the other way round: while somebody asks, it is there.
  weak let store: Store?
  let state: Mutex<State>
  let limits: FetchLimits
  let kinds: Set<ObjectKind>
  let isPartial: Atomic<Bool>
  /// Of each remote: how it was last looked at as something was not where it was known to be.
  let refreshes: Mutex<[Refresh]>

  /// - Parameters:
  ///   - kinds: what is given. A commit or snapshot that is not here is not to be had by reading: who has one has all that
  ///     led to it.
  ///   - isPartial: whether something is known not to be on the disk; it is found out when that is asked for too.
  ///   - whole: for an object whose base has more bases of its own somewhere else than where the object comes from: it is
  ///     handed over without one. Such an object is refused where nothing makes it whole.
  package init(
    _ remotes: [RemoteTier], for store: Store, kinds: Set<ObjectKind> = [.chunk, .node],
    isPartial: Bool = true, limits: FetchLimits = FetchLimits(), promoter: Promoter,
    whole: @escaping Whole = { (id, _, _) throws(DSVError) in
      throw DSVError(.corrupt, "its base has too many bases of its own")
    }, check: @escaping Check
  ) {
    (self.remotes, self.store, self.limits, self.kinds) = (remotes, store, limits, kinds)
    self.isPartial = Atomic(isPartial)
    (self.promoter, self.whole, self.check) = (promoter, whole, check)
    refreshes = Mutex(Array(repeating: Refresh(), count: remotes.count))
    state = Mutex(State(board: FetchBoard(limits), counts: Array(repeating: Counts(), count: remotes.count)))
  }

  package var counts: Counts {
    var counts = state.withLock { state in
      var sum = Counts()
      for one in state.counts {
        sum.hitCount += one.hitCount
        sum.missCount += one.missCount
        sum.requestCount += one.requestCount
        sum.fetchedByteCount += one.fetchedByteCount
      }
      sum.stagedByteCountMax = state.board.stagedByteCountMax
      return sum
    }
    (counts.promotedCount, counts.promotedByteCount) = promoter.counts
    return counts
  }

  /// Of each remote, in their order: hits, misses, requests and fetched bytes.
  package var remoteCounts: [Counts] { state.withLock { $0.counts } }

  // MARK: - Telling ahead

  package var prefetches: Bool { isPartial.load(ordering: .relaxed) }

  package func prefetch(_ ids: [AnyID], first: Bool) {
    var flights: [Flight] = []
    for id in ids {
      if promoter.object(id) != nil || state.withLock({ $0.board.flights[id] != nil }) { continue }
      // What fails here fails where it is read.
      do throws(DSVError) { if try store?.contains(id) == true { continue } } catch { continue }
      var attempt = FetchAttempt()
      if let flight = locate(id, &attempt) { flights.append(flight) }
    }
    guard !flights.isEmpty else { return }
    state.withLock { $0.board.add(flights, first: first) }
    startWorkers()
  }

  /// Sends what was fetched and not yet written to the disk; returns when it is there, or could not be written.
  package func close() { promoter.flush() }
}
