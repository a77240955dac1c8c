package import DSVFormat
package import DSVStore

/// Reads chunks and nodes, through the memory tier.
package final class ObjectReader: Sendable {
  package let store: any ObjectStore
  package let cache: ObjectCache
  package let pool: WorkerPool
  // Of the process: every commit reads through a reader of its own.
  private static let decoders = IdlePool(byteCount: \.heldByteCount) { ChunkDecoder(zstd: Zstd()) }
  // Chunks that are read once, in memory that stays in the processor's caches.
  private static let passing = IdlePool(byteCount: \.heldByteCount) { EncodedChunk() }
  /// What all cursors together may have decoded ahead of their readers.
  package let aheadBudget = ByteBudget(ObjectReader.aheadByteCountMax)
  package static let aheadByteCountMax = 32 << 20

  /// How its objects are named.
  package var naming: ObjectNaming { store.naming }

  package init(_ store: any ObjectStore, cache: ObjectCache, pool: WorkerPool) {
    self.store = store
    self.cache = cache
    self.pool = pool
  }

  /// The same reader for jobs of a pool, which must not wait for other jobs: reads on the thread of whoever calls.
  package var onCaller: ObjectReader { ObjectReader(store, cache: cache, pool: .onCaller) }

  /// Whether it is worth finding out what will be read: see ``ObjectStore/prefetches``.
  package var prefetches: Bool { store.prefetches }

  /// Says which chunks and nodes will soon be read, `first` those that are wanted before what was told earlier; those in memory
  /// are left out.
  package func prefetch(_ ids: some Sequence<ColumnID>, first: Bool = false) {
    guard prefetches else { return }
    store.prefetch(ids.filter { !cache.contains($0) }.map { AnyID($0) }, first: first)
  }

  package func chunk(_ id: ColumnID) throws(DSVError) -> Chunk {
    switch cache.content(id) {
    case .chunk(let chunk): return chunk
    case .encoded(let chunk): return try chunk.plainChunk(of: "chunk \(id)")
    case .node, .plain: throw DSVError(.corrupt, "chunk \(id): it is none")
    case nil: break
    }
    let stored = try store.read(AnyID(id))
    if let chunk = checkedChunk(id) { return chunk }
    return try cachedChunk(id, stored)
  }

  private func cachedChunk(_ id: ColumnID, _ stored: StoredObject) throws(DSVError) -> Chunk {
    let chunk = try decodedChunk(id, stored)
    cache.insert(id, .chunk(chunk), byteCount: chunk.plainBytes.count + 256)
    return chunk
  }

  /// A chunk that came from far away just now: it had to be decoded to be checked.
  private func checkedChunk(_ id: ColumnID) -> Chunk? {
    guard prefetches, case .chunk(let chunk)? = cache.content(id) else { return nil }
    return chunk
  }

  /// Decodes a stored chunk, past the cache.
  package func decodedChunk(_ id: ColumnID, _ stored: StoredObject) throws(DSVError) -> Chunk {
    try decode(id, stored) { (decoder, bytes, base, subject) throws(DSVError) in
      try decoder.chunk(bytes, plainByteCount: stored.plainByteCount, base: base, of: subject)
    }
  }

  /// A chunk whose values stay as they are encoded: for who wants to copy some of them.
  package func encodedChunk(_ id: ColumnID) throws(DSVError) -> EncodedChunk {
    if let known = try knownChunk(id) { return known }
    let stored = try store.read(AnyID(id))
    if let chunk = checkedChunk(id) { return EncodedChunk(chunk) }
    let chunk = EncodedChunk()
    try decode(id, stored, into: chunk)
    cache.insert(id, .encoded(chunk), byteCount: chunk.byteCount)
    return chunk
  }

  /// As `encodedChunk`, for a chunk that nobody will want again soon: `body` may use it, and keep nothing of it.
  package func withEncodedChunk<Value>(
    _ id: ColumnID, _ body: (EncodedChunk) throws(DSVError) -> Value
  ) throws(DSVError) -> Value {
    if let known = try knownChunk(id) { return try body(known) }
    let stored = try store.read(AnyID(id))
    if let chunk = checkedChunk(id) { return try body(EncodedChunk(chunk)) }
    return try Self.passing.with { (chunk) throws(DSVError) in
      defer { chunk.removeAll() }
      try decode(id, stored, into: chunk)
      return try body(chunk)
    }
  }

  private func knownChunk(_ id: ColumnID) throws(DSVError) -> EncodedChunk? {
    switch cache.content(id) {
    case .chunk(let chunk): return EncodedChunk(chunk)
    case .encoded(let chunk): return chunk
    case .node, .plain: throw DSVError(.corrupt, "chunk \(id): it is none")
    case nil: return nil
    }
  }

  private func decode(
    _ id: ColumnID, _ stored: StoredObject, into chunk: EncodedChunk
  ) throws(DSVError) {
    try decode(id, stored) { (decoder, bytes, base, subject) throws(DSVError) in
      try decoder.decode(
        bytes, plainByteCount: stored.plainByteCount, base: base, into: chunk, of: subject)
    }
  }

  private func decode<Value>(
    _ id: ColumnID, _ stored: StoredObject,
    _ body: (ChunkDecoder, UnsafeRawBufferPointer, Chunk?, String) throws(DSVError) -> Value
  ) throws(DSVError) -> Value {
    guard stored.kind == .chunk else { throw DSVError(.corrupt, "chunk \(id): it is a \(stored.kind)") }
    let base = try baseChunk(of: id, stored)
    let subject = stored.base.map { "chunk \(id), whose base is \($0.id)" } ?? "chunk \(id)"
    return try Self.decoders.with { (decoder) throws(DSVError) in
      // A closure that throws a typed error cannot be inferred, so the result is carried out.
      var result: Result<Value, DSVError> = .failure(DSVError(.corrupt, "\(subject): no bytes"))
      stored.bytes.withUnsafeBytes { bytes in
        do throws(DSVError) { result = .success(try body(decoder, bytes, base, subject)) } catch {
          result = .failure(error)
        }
      }
      return try result.get()
    }
  }

  /// - Parameter level: what the node's parent or root says; another is corruption, so that no cycle can be read.
  package func node(_ id: ColumnID, level: Int) throws(DSVError) -> TreeNode {
    let node: TreeNode
    switch cache.content(id) {
    case .node(let cached): node = cached
    case .chunk, .encoded, .plain: throw DSVError(.corrupt, "node \(id): it is none")
    case nil: node = try cachedNode(id, try store.read(AnyID(id)))
    }
    guard node.level == level else {
      throw DSVError(.corrupt, "node \(id): level \(node.level), not \(level)")
    }
    return node
  }

  /// The node that an entry, or a root, names; its children add up to what the entry says of them.
  package func node(_ entry: TreeEntry, level: Int) throws(DSVError) -> TreeNode {
    let node = try node(entry.id, level: level)
    var (rowCount, nullCount) = (0, 0)
    for child in node.children {
      rowCount += child.rowCount
      nullCount += child.nullCount
    }
    guard rowCount == entry.rowCount, nullCount == entry.nullCount else {
      throw DSVError(.corrupt, "node \(entry.id): its counts are not what its parent says")
    }
    return node
  }

  private func cachedNode(_ id: ColumnID, _ stored: StoredObject) throws(DSVError) -> TreeNode {
    let node = try decodedNode(id, stored)
    cache.insert(id, .node(node), byteCount: node.children.count * 160)
    return node
  }

  package func decodedNode(_ id: ColumnID, _ stored: StoredObject) throws(DSVError) -> TreeNode {
    let subject = "node \(id)"
    guard stored.kind == .node else {
      throw DSVError(.corrupt, "\(subject): it is a \(stored.kind)")
    }
    let plain = try plain(AnyID(id), stored)
    var result: Result<TreeNode, DSVError> = .failure(DSVError(.corrupt, "\(subject): no bytes"))
    plain.withUnsafeBytes { bytes in
      do throws(DSVError) { result = .success(try TreeNode(bytes, of: subject)) } catch {
        result = .failure(error)
      }
    }
    return try result.get()
  }

  /// The chunk that `root` carries itself; `nil` where it carries none.
  package func inlineChunk(_ root: ColumnRoot) throws(DSVError) -> Chunk? {
    guard case .inline(let plain) = root.place else { return nil }
    let buffer = GrowingBytes(capacity: plain.count)
    plain.withUnsafeBytes { buffer.append($0) }
    return try Chunk(taking: buffer, of: "an inline chunk")
  }

  /// No longer value is read at once: a line of input is at most 256 MiB.
  package static let blobByteCountMax = 1 << 30

  /// The whole value that a blob reference stands for.
  package func blob(_ reference: BlobReference) throws(DSVError) -> [UInt8] {
    guard reference.valueByteCount <= Self.blobByteCountMax else {
      throw DSVError(
        .corrupt, "blob \(reference.root): \(reference.valueByteCount) bytes are more than a value can have")
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(reference.valueByteCount, 1 << 28))
    // The level is not in the reference: a blob of one chunk has level 0.
    switch try blobPart(reference.root) {
    case .chunk(let chunk): try appendPieces(chunk, to: &bytes, limit: reference.valueByteCount)
    case .node(let node):
      try appendPieces(below: reference.root, node, to: &bytes, limit: reference.valueByteCount)
    }
    guard bytes.count == reference.valueByteCount else {
      throw DSVError(
        .corrupt, "blob \(reference.root): \(bytes.count) bytes, \(reference.valueByteCount) wanted")
    }
    return bytes
  }

  /// What a blob's tree is made of.
  enum BlobPart {
    case chunk(Chunk)
    case node(TreeNode)
  }

  /// A part of a blob's tree, whichever it is.
  func blobPart(_ id: ColumnID) throws(DSVError) -> BlobPart {
    switch cache.content(id) {
    case .node(let node): return .node(node)
    case .chunk, .encoded, .plain: return .chunk(try chunk(id))
    case nil: break
    }
    let stored = try store.read(AnyID(id))
    if let chunk = checkedChunk(id) { return .chunk(chunk) }
    guard stored.kind == .chunk else { return .node(try cachedNode(id, stored)) }
    return .chunk(try cachedChunk(id, stored))
  }

  private func appendPieces(
    below id: ColumnID, _ node: TreeNode, to bytes: inout [UInt8], limit: Int
  ) throws(DSVError) {
    prefetch(node.children.map(\.id))
    for child in node.children {
      let before = bytes.count
      if node.level == 1 {
        try appendPieces(chunk(child.id), to: &bytes, limit: limit)
      } else {
        let below = try self.node(child.id, level: node.level - 1)
        try appendPieces(below: child.id, below, to: &bytes, limit: limit)
      }
      // So every node adds bytes, and nodes that name each other often cannot take for ever.
      guard bytes.count - before == child.rowCount else {
        throw DSVError(.corrupt, "node \(id): its row counts are not its pieces'")
      }
    }
  }

  private func appendPieces(_ chunk: Chunk, to bytes: inout [UInt8], limit: Int) throws(DSVError) {
    guard case .fixed(1) = chunk.array.layout, bytes.count + chunk.count <= limit else {
      throw DSVError(.corrupt, "a blob's pieces do not add up")
    }
    bytes.append(contentsOf: UnsafeRawBufferPointer(start: chunk.array.values, count: chunk.count))
  }
}
