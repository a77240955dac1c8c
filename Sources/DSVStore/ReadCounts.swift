import Synchronization

/// How often something was found in a tier, and how often not, since the process began to use it. Threads may share one.
package final class ReadCounts: Sendable {
  private let hits = Atomic<Int>(0)
  private let misses = Atomic<Int>(0)
  private let hitBytes = Atomic<Int>(0)

  package init() {}

  /// What was counted so far. Not of one moment, where others go on counting.
  package var values: (hitCount: Int, missCount: Int, hitByteCount: Int) {
    (hits.load(ordering: .relaxed), misses.load(ordering: .relaxed), hitBytes.load(ordering: .relaxed))
  }

  package func hit(_ byteCount: Int) {
    hits.add(1, ordering: .relaxed)
    hitBytes.add(byteCount, ordering: .relaxed)
  }

  package func miss() { misses.add(1, ordering: .relaxed) }
}
