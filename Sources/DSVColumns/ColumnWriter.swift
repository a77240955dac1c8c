package import DSVFormat

/// Writes a column's values from first to last, and hands each finished chunk to the workers.
///
/// For one thread at a time. Holds at most one unfinished chunk, the chunks that the workers have not finished, and
/// one unfinished node a level.
package final class ColumnWriter {
  /// A longer value of bytes is kept as a column of its own.
  package static let blobByteCountMin = 256 * 1024 + 1

  package let type: DataType
  /// Where the next value goes; `endValue()` must follow each.
  package let builder: ArrayBuilder
  private let sink: ColumnSink
  private let order: BoundsOrder?
  private let cutSeed: UInt64
  // Unchecked for the reason given in GrowingBytes.
  @exclusivity(unchecked) private var cutter = ChunkCutter()
  private var tree: TreeBuilder
  private var pending: [Pending<TreeEntry>] = []
  private var pendingStart = 0
  /// Of all values, those in the unfinished chunk included.
  @exclusivity(unchecked) package private(set) var rowCount = 0
  /// Of all values that are not in `builder`.
  package private(set) var nullCount = 0
  /// The values that the unfinished chunk has before those in `builder`: the last chunk of the column that goes on.
  private var head: Chunk?
  /// The head's name; `nil` where it is kept inline.
  private var headID: ColumnID?
  /// Keeps what the next append to this column begins by reading.
  private var cache: ObjectCache?

  package init(type: DataType, sink: ColumnSink) {
    self.type = type
    self.sink = sink
    cutSeed = sink.naming.cutSeed
    order = BoundsOrder(type)
    builder = ArrayBuilder(type.layout)
    tree = TreeBuilder(sink: sink, order: order)
  }

  /// Goes on where a column ended: the same values come out as if they had been written at once.
  package convenience init(type: DataType, sink: ColumnSink, after root: ColumnRoot, reader: ObjectReader)
    throws(DSVError)
  {
    self.init(type: type, sink: sink)
    let tail = try ColumnTail(root, layout: type.layout, reader: reader)
    tree = TreeBuilder(
      sink: sink, order: order, resuming: tail.unfinished, edge: tail.edge, cache: reader.cache)
    cache = reader.cache
    (rowCount, nullCount) = (root.rowCount, root.nullCount)
    (head, headID) = (tail.chunk, tail.chunkID)
    if let head, cutter.resume(after: head.array, seed: cutSeed) { try seal() }
  }

  /// Ends the value that was appended to `builder`.
  @inline(__always)
  package func endValue() throws(DSVError) {
    let (bitCount, hash) = builder.measure(from: builder.count - 1, seed: cutSeed)
    rowCount += 1
    if cutter.endsChunk(bitCount: bitCount, hash: hash) { try seal() }
  }

  /// Appends a value of a layout of eight bytes.
  package func append(word: UInt64) throws(DSVError) {
    builder.append(fixed: word)
    try endValue()
  }

  /// Appends a value of the layout bool.
  package func append(flag: Bool) throws(DSVError) {
    builder.append(flag)
    try endValue()
  }

  /// Appends a value of a layout of two bytes so many times; the same as one after another.
  package func append(repeating value: UInt16, count: Int) throws(DSVError) {
    let hash = withUnsafeBytes(of: value) { Hash64.of($0, seed: cutSeed) }
    var rest = count
    while rest > 0 {
      let (taken, endsChunk) = cutter.takeRun(rest, bitCount: 17, hash: hash)
      builder.append(repeating: value, count: taken)
      rowCount += taken
      rest -= taken
      if endsChunk { try seal() }
    }
  }

  package func appendNull() throws(DSVError) {
    builder.appendNull()
    try endValue()
  }

  /// Appends a value of bytes, as a blob if it is long.
  package func append(_ bytes: UnsafeRawBufferPointer) throws(DSVError) {
    if bytes.count < Self.blobByteCountMin {
      builder.append(bytes)
    } else {
      builder.append(try writeBlob(bytes))
    }
    try endValue()
  }

  package func append(contentsOf source: ArrayView, from start: Int, to end: Int) throws(DSVError) {
    for index in start..<end {
      builder.append(from: source, index)
      try endValue()
    }
  }

  /// Appends the values of a chunk of a column of the same type, as it is where it would be cut out of them again: that is,
  /// where it was cut by its content and not by the end of the column, and a chunk begins here too.
  ///
  /// - Returns: `false`, and nothing is appended, where the values themselves have to be.
  package func append(whole entry: TreeEntry, isLast: Bool) -> Bool {
    guard !isLast, builder.count == 0, head == nil else { return false }
    pending.append(Pending(entry))
    rowCount += entry.rowCount
    nullCount += entry.nullCount
    return true
  }

  /// Appends many values of one byte each; the same as one after another.
  private func append(contentsOf bytes: UnsafeRawBufferPointer) throws(DSVError) {
    var start = 0
    while start < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
      let (count, endsChunk) = cutter.take(rest, hashes: sink.byteHashes)
      builder.append(contentsOf: UnsafeRawBufferPointer(rebasing: rest[..<count]))
      rowCount += count
      start += count
      if endsChunk { try seal() }
    }
  }

  private func writeBlob(_ bytes: UnsafeRawBufferPointer) throws(DSVError) -> BlobReference {
    let pieces = ColumnWriter(type: .uint8, sink: sink)
    try pieces.append(contentsOf: bytes)
    let root = try pieces.finish()
    guard let id = root.id else { preconditionFailure("a blob is longer than what is kept inline") }
    return BlobReference(root: id, valueByteCount: bytes.count)
  }

  /// The unfinished chunk, and what it adds to one that is stored.
  private func takeChunk() throws(DSVError) -> (Chunk, ExtendedChunk?) {
    let head = head
    self.head = nil
    if let head, builder.count == 0 { return (head, nil) }
    let plain = GrowingBytes(capacity: head == nil ? 96 << 10 : 64)
    builder.writePlain(to: plain)
    nullCount += builder.nullCount
    builder.removeAll()
    let added = try Chunk(taking: plain, of: "a chunk being written")
    guard let head else { return (added, nil) }
    let joined = withExtendedLifetime((head, added)) { ArrayView.plain(head.array, added.array) }
    guard let joined else {
      throw DSVError(.corrupt, "chunk \(head.id(sink.naming)): it has more values than a chunk can have")
    }
    let chunk = try Chunk(taking: joined, of: "a chunk being written")
    let extended = headID.map {
      ExtendedChunk(id: $0, plainByteCount: head.plainBytes.count, added: added)
    }
    return (chunk, extended)
  }

  private func seal() throws(DSVError) {
    let (chunk, extended) = try takeChunk()
    submit(chunk, extended)
    while pendingStart < pending.count, pending[pendingStart].isReady { try collectOne() }
    if pendingStart > 64 {
      pending.removeFirst(pendingStart)
      pendingStart = 0
    }
  }

  private func submit(_ chunk: Chunk, _ extended: ExtendedChunk?) {
    let (sink, order) = (sink, order)
    pending.append(
      sink.pool.submit { () throws(DSVError) in try sink.put(chunk, order: order, adding: extended) })
  }

  private func collectOne() throws(DSVError) {
    try tree.append(try pending[pendingStart].value())
    pendingStart += 1
  }

  /// Ends the column and returns its root. The writer is not used after.
  package func finish() throws(DSVError) -> ColumnRoot {
    let count = (head?.count ?? 0) + builder.count
    let isOnlyChunk = pending.isEmpty && rowCount == count
    if count > 0 {
      let (chunk, extended) = try takeChunk()
      if isOnlyChunk, chunk.plainBytes.count <= ColumnRoot.inlineByteCountMax {
        return ColumnRoot(
          place: .inline(Array(chunk.plainBytes)), rowCount: rowCount, nullCount: nullCount,
          plainByteCount: chunk.plainBytes.count)
      }
      while pendingStart < pending.count { try collectOne() }
      // Whoever finishes waits for it: another thread would do it no sooner.
      let entry = try sink.put(chunk, order: order, adding: extended)
      try tree.append(entry)
      cache?.insert(
        entry.id, .chunk(chunk), byteCount: chunk.plainBytes.count + 256, insteadOf: extended?.id)
    }
    while pendingStart < pending.count { try collectOne() }
    guard let (root, level) = try tree.finish() else { return .empty }
    return ColumnRoot(
      place: .object(root.id, level: level), rowCount: root.rowCount, nullCount: root.nullCount,
      plainByteCount: root.plainByteCount)
  }
}

/// The right edge of a column's tree: what has to be opened again so that values can follow.
private struct ColumnTail {
  var unfinished: [[TreeEntry]] = []
  var edge: [StoredNode?] = []
  var chunk: Chunk?
  /// `nil` where the chunk is kept inline.
  var chunkID: ColumnID?

  init(_ root: ColumnRoot, layout: Layout, reader: ObjectReader) throws(DSVError) {
    guard case .object(let id, var level) = root.place else {
      chunk = try reader.inlineChunk(root)
      try chunk?.check(nil, layout: layout, rowCount: root.rowCount, nullCount: root.nullCount)
      return
    }
    var entry = root.entry(id)
    unfinished = [[TreeEntry]](repeating: [], count: level)
    edge = [StoredNode?](repeating: nil, count: level)
    while level > 0 {
      let node = try reader.node(entry, level: level)
      guard let last = node.children.last else { throw DSVError(.corrupt, "node \(entry.id): no children") }
      unfinished[level - 1] = Array(node.children.dropLast())
      edge[level - 1] = StoredNode(id: entry.id, node: node)
      (entry, level) = (last, level - 1)
    }
    let chunk = try reader.chunk(entry.id)
    try chunk.check(entry.id, layout: layout, rowCount: entry.rowCount, nullCount: entry.nullCount)
    self.chunk = chunk
    chunkID = entry.id
  }
}
