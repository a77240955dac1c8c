/// Counts the rows that changed their place among the others.
///
/// Of all ways to choose rows whose order is the same in both versions, the one with the most rows is taken; the rest
/// have moved.
struct MovedRows {
  private var runs: [(startA: Int, startB: Int, weight: Int)] = []

  /// `weight` rows that stand together in both versions.
  mutating func add(startA: Int, startB: Int, weight: Int) {
    if weight > 0 { runs.append((startA, startB, weight)) }
  }

  /// Heaviest increasing subsequence, by a Fenwick tree of maxima over the places in B: O(n log n).
  mutating func count() -> Int {
    runs.sort { $0.startA < $1.startA }
    let order = runs.indices.sorted { runs[$0].startB < runs[$1].startB }
    var rank = [Int](repeating: 0, count: runs.count)
    for (position, index) in order.enumerated() { rank[index] = position + 1 }
    var best = [Int](repeating: 0, count: runs.count + 1)
    var kept = 0
    for (index, run) in runs.enumerated() {
      var sum = 0
      var at = rank[index] - 1
      while at > 0 {
        sum = max(sum, best[at])
        at &= at - 1
      }
      sum += run.weight
      kept = max(kept, sum)
      at = rank[index]
      while at <= runs.count {
        best[at] = max(best[at], sum)
        at += at & -at
      }
    }
    return runs.reduce(0) { $0 + $1.weight } - kept
  }
}
