import DSVFormat
import DSVSystem
import Synchronization

/// Keeps gc away while it lives: what can be read now can be read until then.
///
/// The kernel ends it when the process dies. Holds a shared lock on `locks/gc`.
package final class Lease: Sendable {
  /// How many leases of a store are alive.
  final class Count: Sendable {
    let value = Atomic<Int>(0)
  }

  private let file: File
  private let count: Count

  /// Longest wait for gc to end.
  static let waitSeconds = 60.0

  /// Waits until gc is done, and until a gc that waits has had its turn: else sessions that overlap would keep it waiting
  /// for good. A store that holds a lease already goes ahead, for it is what that gc waits for.
  init(_ folder: RepositoryFolder, _ count: Count) throws(DSVError) {
    file = try File(folder.gcLock, .updateOrCreate)
    let purpose = "collecting garbage in this repository"
    let turn = try File(folder.turnLock, .updateOrCreate)
    if count.value.load(ordering: .acquiring) == 0 {
      try turn.lock(.shared, waitingUpTo: Self.waitSeconds, for: purpose)
    }
    try file.lock(.shared, waitingUpTo: Self.waitSeconds, for: purpose)
    self.count = count
    count.value.add(1, ordering: .acquiringAndReleasing)
    withExtendedLifetime(turn) {}
  }

  deinit { count.value.subtract(1, ordering: .acquiringAndReleasing) }
}

/// The lock of who collects garbage: no session and no lease is alive, and none begins.
struct CollectionLock {
  /// How long new sessions are kept waiting at a time for those that are alive to end, and how long they are let in after
  /// that: a session may go on for hours.
  private static let turnSeconds = (held: 2.0, free: 1.0)

  private let file: File

  /// - Throws: `.busy` if a session or lease is still alive after `waitSeconds`.
  init(_ folder: RepositoryFolder, waitSeconds: Double) throws(DSVError) {
    let deadline = Clock.monotonicNanoseconds() + UInt64(max(0, waitSeconds) * 1e9)
    func rest(_ atMost: Double) -> Double {
      let now = Clock.monotonicNanoseconds()
      return now >= deadline ? 0 : min(atMost, Double(deadline - now) / 1e9)
    }
    let purpose = "reading or writing in this repository"
    file = try File(folder.gcLock, .updateOrCreate)
    while true {
      do throws(DSVError) {
        let turn = try File(folder.turnLock, .updateOrCreate)
        try turn.lock(.exclusive, waitingUpTo: rest(.infinity), for: purpose)
        try file.lock(.exclusive, waitingUpTo: rest(Self.turnSeconds.held), for: purpose)
        withExtendedLifetime(turn) {}
        return
      } catch {
        guard error.code == .busy, rest(1) > 0 else { throw error }
      }
      Clock.sleep(nanoseconds: UInt64(rest(Self.turnSeconds.free) * 1e9))
    }
  }
}
