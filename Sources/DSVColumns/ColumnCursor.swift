package import DSVFormat

/// Values of one column, from one chunk, for consecutive rows.
package struct ColumnSlice {
  /// Keeps the memory that `array` points into.
  package let chunk: Chunk
  /// The chunk's first row.
  package let startRow: Int
  /// How many of the column's nulls stand before the chunk.
  package let startNull: Int
  package var array: ArrayView { chunk.array }
  package var endRow: Int { startRow + chunk.count }
}

/// Moves through one column; decodes the next chunks ahead of a sequential reader.
///
/// Made for moving forward: going back costs a walk from the root. For one thread at a time. Holds the current chunk and
/// at most `readAhead` later ones, as far as the reader's budget for all cursors allows. One that visits rows that are
/// known beforehand reads ahead to those.
package final class ColumnCursor {
  private let reader: ObjectReader
  private let root: ColumnRoot
  private let layout: Layout
  private let readAhead: Int
  private let readsBlobs: Bool
  private var walker: TreeWalker
  private var current: ColumnSlice?
  /// The row of the last call that had to look for a chunk: the walker is past the chunks before it.
  private var reached = 0
  /// `taken` is what an entry holds of the budget; the chunk that a caller waits for holds nothing.
  private var ahead: [(leaf: TreeWalker.Leaf, chunk: Pending<Chunk>, taken: Int)] = []
  /// A chunk that the walker has passed, and for which the budget had no room.
  private var refused: TreeWalker.Leaf?
  /// The rows that are to be visited, and the first of them whose chunk is not ahead yet.
  private let visits: [Int]?
  private var nextVisit = 0
  private var scout: LeafScout?

  /// - Parameters:
  ///   - layout: what the column's type demands; chunks of another are corruption.
  ///   - visits: the rows that will be asked for, in this order, which ascends; and no others.
  ///   - readsBlobs: whether all values will be read, whole.
  package init(
    _ root: ColumnRoot, layout: Layout, reader: ObjectReader, readAhead: Int = 4, visits: [Int]? = nil,
    readsBlobs: Bool = false
  ) {
    (self.root, self.layout, self.visits, self.readsBlobs) = (root, layout, visits, readsBlobs)
    self.reader = reader
    self.readAhead = readAhead
    walker = TreeWalker(root, reader: reader)
    scout = readAhead > 1 ? LeafScout(root, reader: reader, readsBlobs: readsBlobs) : nil
  }

  deinit { drop { _ in true } }

  /// The chunk that holds `row`, which is what the tree says of it.
  package func slice(at row: Int) throws(DSVError) -> ColumnSlice {
    if let current, row < current.endRow, row >= current.startRow { return current }
    precondition(row >= 0 && row < root.rowCount, "row \(row) of \(root.rowCount)")
    if let inline = try reader.inlineChunk(root) {
      try inline.check(nil, layout: layout, rowCount: root.rowCount, nullCount: root.nullCount)
      let slice = ColumnSlice(chunk: inline, startRow: 0, startNull: 0)
      current = slice
      return slice
    }
    if row < reached {
      walker = TreeWalker(root, reader: reader)
      if scout != nil { scout = LeafScout(root, reader: reader, readsBlobs: readsBlobs) }
      refused = nil
      drop { _ in true }
    }
    reached = row
    drop { $0.endRow <= row }
    let isSequential = visits != nil || (current.map { $0.endRow == row } ?? (row == 0))
    if isSequential { scout?.advance(to: row, visits: visits) }
    try fill(from: row, upTo: isSequential ? readAhead : 1, isWaitedFor: true)
    guard let first = ahead.first, first.leaf.startRow <= row else {
      throw DSVError(.corrupt, "a column ends before row \(row)")
    }
    let chunk = try first.chunk.value()
    let entry = first.leaf.entry
    try chunk.check(entry.id, layout: layout, rowCount: entry.rowCount, nullCount: entry.nullCount)
    drop { $0.startRow == first.leaf.startRow }
    let slice = ColumnSlice(
      chunk: chunk, startRow: first.leaf.startRow, startNull: first.leaf.startNull)
    current = slice
    try fill(from: row, upTo: isSequential ? readAhead : 0, isWaitedFor: false)
    return slice
  }

  /// - Parameter isWaitedFor: whether the first chunk is wanted at once: then it is read here, since another thread
  ///   would only have to be woken for it.
  private func fill(from row: Int, upTo count: Int, isWaitedFor: Bool) throws(DSVError) {
    while ahead.count < count {
      var wanted = row
      if let visits {
        guard nextVisit < visits.count else { return }
        wanted = visits[nextVisit]
      }
      guard let leaf = try nextLeaf(from: wanted) else { return }
      let (id, byteCount) = (leaf.entry.id, leaf.entry.plainByteCount)
      let isWanted = leaf.startRow <= row
      guard isWanted || reader.aheadBudget.take(byteCount) else {
        refused = leaf
        return
      }
      while let visits, nextVisit < visits.count, visits[nextVisit] < leaf.endRow { nextVisit += 1 }
      let chunk =
        isWaitedFor && ahead.isEmpty
        ? Pending(try reader.chunk(id))
        : reader.pool.submit { [reader] () throws(DSVError) in try reader.chunk(id) }
      ahead.append((leaf, chunk, isWanted ? 0 : byteCount))
    }
  }

  private func nextLeaf(from row: Int) throws(DSVError) -> TreeWalker.Leaf? {
    defer { refused = nil }
    if let refused, refused.endRow > row { return refused }
    return try walker.next(from: row)
  }

  /// Lets go of chunks ahead, and of what they hold of the budget.
  private func drop(_ isNeedless: (TreeWalker.Leaf) -> Bool) {
    for (leaf, _, taken) in ahead where taken > 0 && isNeedless(leaf) { reader.aheadBudget.giveBack(taken) }
    ahead.removeAll { isNeedless($0.leaf) }
  }
}
