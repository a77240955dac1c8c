package import DSVFormat
import Synchronization

/// How many bytes may be held for later, over all who hold some.
package final class ByteBudget: Sendable {
  private let left: Mutex<Int>

  package init(_ byteCount: Int) { left = Mutex(byteCount) }

  /// Takes bytes out; `false`, and nothing is taken, if so many are not left.
  package func take(_ byteCount: Int) -> Bool {
    left.withLock { left in
      guard left >= byteCount else { return false }
      left -= byteCount
      return true
    }
  }

  package func giveBack(_ byteCount: Int) { left.withLock { $0 += byteCount } }
}

/// A chunk that several jobs of one scan may need, decoded once while there is room to keep it.
///
/// Who needs it while another decodes it waits; that job waits for nobody, so jobs of one pool may share.
package final class SharedChunk: Sendable {
  package let leaf: TreeWalker.Leaf
  private let reader: ObjectReader
  private let layout: Layout
  private let budget: ByteBudget

  private struct State {
    var chunk: EncodedChunk?
    var isShared = false
    var takenByteCount = 0
  }
  private let state: Mutex<State>

  /// - Parameter chunk: of a column that is kept inline, which needs no reading.
  package init(
    _ leaf: TreeWalker.Leaf, chunk: Chunk? = nil, layout: Layout, reader: ObjectReader, budget: ByteBudget
  ) {
    (self.leaf, self.layout, self.reader, self.budget) = (leaf, layout, reader, budget)
    state = Mutex(State(chunk: chunk.map { EncodedChunk($0) }))
  }

  deinit {
    let taken = state.withLock { $0.takenByteCount }
    if taken > 0 { budget.giveBack(taken) }
  }

  /// Says that the chunk will be wanted more than once.
  package func share() { state.withLock { $0.isShared = true } }

  /// Runs `body` with the chunk's values, which are what its column's tree says of them.
  package func with<Value>(_ body: (EncodedArray) throws(DSVError) -> Value) throws(DSVError) -> Value {
    if let chunk = try shared() { return try body(chunk.array) }
    return try reader.withEncodedChunk(leaf.entry.id) { (chunk) throws(DSVError) in
      try check(chunk)
      return try body(chunk.array)
    }
  }

  /// The chunk; `nil` if nobody else wants it.
  private func shared() throws(DSVError) -> EncodedChunk? {
    try state.withLock { (state) throws(DSVError) in
      if let chunk = state.chunk { return chunk }
      guard state.isShared else { return nil }
      let chunk = try reader.encodedChunk(leaf.entry.id)
      try check(chunk)
      if budget.take(chunk.byteCount) { (state.chunk, state.takenByteCount) = (chunk, chunk.byteCount) }
      return chunk
    }
  }

  private func check(_ chunk: EncodedChunk) throws(DSVError) {
    let entry = leaf.entry
    try chunk.check(entry.id, layout: layout, rowCount: entry.rowCount, nullCount: entry.nullCount)
  }
}

/// Gives a column's chunks in order, each once, to those who say up to which row they want them.
package struct ChunkFeed {
  private let root: ColumnRoot
  package let layout: Layout
  private let reader: ObjectReader
  private let budget: ByteBudget
  private var walker: TreeWalker
  /// Chunks that somebody may still want, in order.
  private var known: [SharedChunk] = []
  private var isInlineKnown = false
  private var scout: LeafScout?

  /// - Parameters:
  ///   - layout: what the column's type demands; chunks of another are corruption.
  ///   - window: how many plain bytes are asked for ahead of the rows that are wanted, where they may be far away: for
  ///     who wants all of them. 0: no more than is wanted.
  package init(
    _ root: ColumnRoot, layout: Layout, reader: ObjectReader, budget: ByteBudget, window: Int = 0
  ) {
    (self.root, self.layout, self.reader, self.budget) = (root, layout, reader, budget)
    walker = TreeWalker(root, reader: reader)
    scout = window > 0 ? LeafScout(root, reader: reader, window: window, readsBlobs: true) : nil
  }

  /// See ``LeafScout/begin(at:)``.
  package mutating func begin(at row: Int) { scout?.begin(at: row) }

  /// Forgets the chunks that end at or before `row`.
  package mutating func drop(before row: Int) {
    if let keep = known.firstIndex(where: { $0.leaf.endRow > row }) {
      if keep > 0 { known.removeFirst(keep) }
    } else {
      known.removeAll(keepingCapacity: true)
    }
  }

  /// The chunks that hold rows of `runs`, which are in order and do not begin before the last `drop(before:)`.
  package mutating func chunks(_ runs: [Range<Int>]) throws(DSVError) -> [SharedChunk] {
    var result: [SharedChunk] = []
    var index = 0
    if let first = runs.first { scout?.advance(to: first.lowerBound) }
    for run in runs {
      var row = run.lowerBound
      while row < run.upperBound {
        while index < known.count, known[index].leaf.endRow <= row { index += 1 }
        if index == known.count { known.append(try next(from: row)) }
        let chunk = known[index]
        if result.last !== chunk { result.append(chunk) }
        row = chunk.leaf.endRow
      }
    }
    return result
  }

  private mutating func next(from row: Int) throws(DSVError) -> SharedChunk {
    if let leaf = try walker.next(from: row) {
      return SharedChunk(leaf, layout: layout, reader: reader, budget: budget)
    }
    guard !isInlineKnown, let chunk = try reader.inlineChunk(root), row < root.rowCount else {
      throw DSVError(.corrupt, "a column ends before row \(row)")
    }
    isInlineKnown = true
    try chunk.check(nil, layout: layout, rowCount: root.rowCount, nullCount: root.nullCount)
    let leaf = TreeWalker.Leaf(entry: root.entry(chunk.id(reader.naming)), startRow: 0, startNull: 0)
    return SharedChunk(leaf, chunk: chunk, layout: layout, reader: reader, budget: budget)
  }
}
