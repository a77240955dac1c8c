import Synchronization

/// What was asked of a bucket since it was opened.
package struct BucketTraffic: Sendable, Equatable {
  package enum Call: String, Sendable, CaseIterable { case get, getRange, put, create, list, delete }

  /// Requests that went out, by what they were for, those that were retries too.
  package var requests: [Call: Int] = [:]
  /// Of them, retries.
  package var retryCount = 0
  /// Bytes of bodies, both those of requests that failed too.
  package var sentByteCount = 0
  package var receivedByteCount = 0
  /// Time that was spent waiting for answers, all threads' added up, and between retries.
  package var waitingNanoseconds: UInt64 = 0
  package var pausedNanoseconds: UInt64 = 0

  package init() {}

  package var requestCount: Int { requests.values.reduce(0, +) }
}

/// Counts for many threads.
final class TrafficCounter: Sendable {
  private let counts = Mutex(BucketTraffic())

  var current: BucketTraffic { counts.withLock { $0 } }

  func add(_ change: (inout BucketTraffic) -> Void) { counts.withLock { change(&$0) } }
}
