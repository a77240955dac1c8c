import DSVColumns
import DSVFormat

/// Cuts the rows of a scan into batches, and finds the chunks of each. Reads trees, and chunks only where blobs are.
final class BatchPlanner {
  /// How many plain bytes of all columns are asked for ahead, where they may be far away.
  private static let windowByteCount = 64 << 20

  private let rows: MatchingRows
  private let isFiltered: Bool
  private let reader: ObjectReader
  private let roots: [ColumnRoot]
  private var hasBegun = false
  private let rowCountMax: Int
  private let byteCountMax: Int
  private var feeds: [ChunkFeed]
  /// Rows that match and are in no batch yet.
  private var waiting: [Range<Int>] = []
  private var waitingCount = 0
  /// How many rows the last batch had: the next looks no further than twice as far.
  private var guess = 1024

  init(
    _ fields: [TableField], rows: MatchingRows, isFiltered: Bool, rowCountMax: Int, byteCountMax: Int,
    reader: ObjectReader, budget: ByteBudget
  ) {
    (self.rows, self.isFiltered) = (rows, isFiltered)
    (self.rowCountMax, self.byteCountMax) = (rowCountMax, byteCountMax)
    self.reader = reader
    let columns = fields.flatMap(\.valueColumns)
    roots = columns.map(\.root)
    let byteCount = max(1, columns.reduce(0) { $0 + $1.root.plainByteCount })
    feeds = columns.map { column in
      // All columns look as many rows ahead.
      let share = Double(column.root.plainByteCount) / Double(byteCount)
      let window = isFiltered ? 0 : Int(share * Double(Self.windowByteCount)) + 1
      return ChunkFeed(
        column.root, layout: column.layout, reader: reader, budget: budget, window: window)
    }
  }

  /// The next batch, and about how many bytes it will have; `nil` after the last.
  func next() throws(DSVError) -> (plan: BatchPlan, byteCount: Int)? {
    let wanted = min(rowCountMax, guess * 2)
    try fetch(wanted)
    guard let first = waiting.first else { return nil }
    try begin(at: first.lowerBound)
    for index in feeds.indices { feeds[index].drop(before: first.lowerBound) }
    let all = Self.prefix(waiting, min(wanted, waitingCount))
    var chunks: [[SharedChunk]] = []
    for index in feeds.indices { chunks.append(try feeds[index].chunks(all)) }
    if isFiltered { reader.prefetch(chunks.joined().lazy.map(\.leaf.entry.id)) }
    let weights = try BatchWeights(chunks)
    var (count, byteCount) = (Self.count(all), weights.byteCount(all))
    if byteCount > byteCountMax {
      // The most rows that fit; one if none does.
      var (fits, tooMany) = (1, count)
      while tooMany - fits > 1 {
        let middle = (fits + tooMany) / 2
        if weights.byteCount(Self.prefix(all, middle)) <= byteCountMax {
          fits = middle
        } else {
          tooMany = middle
        }
      }
      count = fits
      byteCount = weights.byteCount(Self.prefix(all, fits))
    }
    guess = count
    let runs = Self.prefix(waiting, count)
    return (take(runs, count, chunks), byteCount)
  }

  /// Has all columns' first nodes come together.
  private func begin(at row: Int) throws(DSVError) {
    guard !hasBegun, reader.prefetches else { return }
    hasBegun = true
    try RowPrefetch.run(roots, rows: [row], reader: reader)
    for index in feeds.indices { feeds[index].begin(at: row) }
  }

  /// Waits for `count` rows, or as many as there are.
  private func fetch(_ count: Int) throws(DSVError) {
    while waitingCount < count, let runs = try rows.next() {
      for run in runs {
        waitingCount += run.count
        if let last = waiting.last, last.upperBound == run.lowerBound {
          waiting[waiting.count - 1] = last.lowerBound..<run.upperBound
        } else {
          waiting.append(run)
        }
      }
    }
  }

  /// Makes a plan of the first rows, which wait no longer.
  private func take(_ runs: [Range<Int>], _ count: Int, _ chunks: [[SharedChunk]]) -> BatchPlan {
    let end = runs[runs.count - 1].upperBound
    waitingCount -= count
    waiting.removeFirst(runs.count - 1)
    if waiting[0].upperBound == end {
      waiting.removeFirst()
    } else {
      waiting[0] = end..<waiting[0].upperBound
    }
    let next = waiting.first?.lowerBound ?? end
    let own = chunks.map { column in
      column.prefix { chunk in
        if chunk.leaf.startRow < end, chunk.leaf.endRow > next { chunk.share() }
        return chunk.leaf.startRow < end
      }
    }
    return BatchPlan(runs: runs, rowCount: count, chunks: own.map(Array.init))
  }

  static func count(_ runs: [Range<Int>]) -> Int { runs.reduce(0) { $0 + $1.count } }

  /// The first `count` rows of `runs`.
  static func prefix(_ runs: [Range<Int>], _ count: Int) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var left = count
    for run in runs where left > 0 {
      result.append(run.lowerBound..<min(run.upperBound, run.lowerBound + left))
      left -= min(left, run.count)
    }
    return result
  }
}

/// How much memory rows will take, as far as trees tell; where a chunk has blobs, as it tells itself.
private struct BatchWeights {
  private let chunks: [[SharedChunk]]
  /// Of each chunk that has blobs: where it begins, and how many bytes its blobs before each row have.
  private var blobs: [(startRow: Int, sums: [Int])] = []

  init(_ chunks: [[SharedChunk]]) throws(DSVError) {
    self.chunks = chunks
    for chunk in chunks.joined() where chunk.leaf.entry.hasBlobs {
      chunk.share()
      let sums = try chunk.with { (array) throws(DSVError) in
        var sums = [0]
        for index in 0..<array.count { sums.append(sums[index] + (try array.blobByteCount(index))) }
        return sums
      }
      blobs.append((chunk.leaf.startRow, sums))
    }
  }

  func byteCount(_ runs: [Range<Int>]) -> Int {
    var sum = 0
    for column in chunks { sum += BatchMaker.byteCount(column, runs) }
    for (start, sums) in blobs {
      for run in runs {
        let rows = run.clamped(to: start..<start + sums.count - 1)
        sum += sums[rows.upperBound - start] - sums[rows.lowerBound - start]
      }
    }
    return sum
  }
}
