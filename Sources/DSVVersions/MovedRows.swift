import DSVFormat

/// Counts the rows that both versions have unchanged and that changed their place among the others.
///
/// Of all ways to choose unchanged rows whose order is the same in both versions, the one with the most rows is taken;
/// the rest have moved.
enum MovedRows {

  /// - Parameters:
  ///   - runs: rows that stand together in both, in the order of A.
  ///   - matched: rows that were found one by one; they cut `runs` where they stand among them.
  ///   - weigh: how many unchanged rows a run has. Asked only where the order is not the same.
  static func count(
    _ runs: [AlignedRun], matched: [AlignedRun], weigh: (AlignedRun) throws(DSVError) -> Int
  ) throws(DSVError) -> Int {
    if matched.isEmpty, isAscending(runs) { return 0 }
    var all = cut(runs, matched).map { ($0, true) } + matched.map { ($0, false) }
    all.sort { $0.0.startA < $1.0.startA }
    let order = all.indices.sorted { all[$0].0.startB < all[$1].0.startB }
    var rank = [Int](repeating: 0, count: all.count)
    for (position, index) in order.enumerated() { rank[index] = position }
    var (moved, start, last) = (0, 0, -1)
    for index in all.indices {
      last = max(last, rank[index])
      // Up to here both versions have the same runs: what comes after crosses none of them.
      guard last == index else { continue }
      if start < index {
        var weights: [Int] = []
        for (run, isInPlace) in all[start...index] { weights.append(isInPlace ? try weigh(run) : run.count) }
        moved += crossing(weights, rank[start...index].map { $0 - start })
      }
      start = index + 1
    }
    return moved
  }

  private static func isAscending(_ runs: [AlignedRun]) -> Bool {
    zip(runs, runs.dropFirst()).allSatisfy { $0.startB < $1.startB }
  }

  /// What is left of `runs` without the rows of `matched` on either side.
  private static func cut(_ runs: [AlignedRun], _ matched: [AlignedRun]) -> [AlignedRun] {
    var cuts = [[Range<Int>]](repeating: [], count: runs.count)
    note(runs.indices.map { $0 }, matched, runs, \.rowsA, in: &cuts)
    note(
      runs.indices.sorted { runs[$0].startB < runs[$1].startB }, matched.sorted { $0.startB < $1.startB },
      runs,
      \.rowsB, in: &cuts)
    var result: [AlignedRun] = []
    for (index, run) in runs.enumerated() {
      for part in ColumnAlignment.gaps(cuts[index], run.count) {
        result.append(
          AlignedRun(
            startA: run.startA + part.lowerBound, startB: run.startB + part.lowerBound, count: part.count))
      }
    }
    return result
  }

  /// Notes which rows of each run, counted from its first, stand in `matched`.
  private static func note(
    _ order: [Int], _ matched: [AlignedRun], _ runs: [AlignedRun], _ rows: (AlignedRun) -> Range<Int>,
    in cuts: inout [[Range<Int>]]
  ) {
    var first = 0
    for index in order {
      let own = rows(runs[index])
      while first < matched.count, rows(matched[first]).upperBound <= own.lowerBound { first += 1 }
      var next = first
      while next < matched.count, rows(matched[next]).lowerBound < own.upperBound {
        let part = rows(matched[next]).clamped(to: own)
        cuts[index].append(part.lowerBound - own.lowerBound..<part.upperBound - own.lowerBound)
        next += 1
      }
    }
  }

  /// Rows that are not in the heaviest increasing subsequence, by a Fenwick tree of maxima over the places in B:
  /// O(n log n).
  private static func crossing(_ weights: [Int], _ rank: [Int]) -> Int {
    var best = [Int](repeating: 0, count: weights.count + 1)
    var kept = 0
    for (index, weight) in weights.enumerated() {
      var sum = 0
      var at = rank[index]
      while at > 0 {
        sum = max(sum, best[at])
        at &= at - 1
      }
      sum += weight
      kept = max(kept, sum)
      at = rank[index] + 1
      while at <= weights.count {
        best[at] = max(best[at], sum)
        at += at & -at
      }
    }
    return weights.reduce(0, +) - kept
  }
}
