package import DSVFormat
package import DSVStore

/// Names, encodes and puts chunks and nodes; what columns are written through.
package final class ColumnSink: Sendable {
  package let objects: any ObjectSink
  package let pool: WorkerPool
  /// How chunks and nodes are named and where they are cut.
  package let naming: ObjectNaming
  /// What ``ArrayBuilder/measure(from:seed:)`` says of each value of one byte.
  let byteHashes: [UInt64]
  // Of the process: a small commit would spend more on making one than on using it.
  private static let encoders = IdlePool(byteCount: \.heldByteCount) { ChunkEncoder(zstd: Zstd()) }

  package init(_ objects: any ObjectSink, pool: WorkerPool) {
    self.objects = objects
    self.pool = pool
    naming = objects.naming
    byteHashes = naming.cutSeed == 0 ? Self.plainByteHashes : Self.byteHashes(seed: naming.cutSeed)
  }

  private static let plainByteHashes = byteHashes(seed: 0)

  private static func byteHashes(seed: UInt64) -> [UInt64] {
    (0..<256).map { byte in withUnsafeBytes(of: UInt8(byte)) { Hash64.of($0, seed: seed) } }
  }

  /// Puts a chunk, and describes it. Compresses nothing that is already there.
  ///
  /// - Parameter extended: what the chunk adds to another one, if it does: it is then stored as that.
  func put(_ chunk: Chunk, order: BoundsOrder?, adding extended: ExtendedChunk? = nil) throws(DSVError)
    -> TreeEntry
  {
    let id = chunk.id(naming)
    if try !objects.contains(AnyID(id)) {
      if let extended, extended.isWorthwhile(in: chunk), let base = try objects.baseForNew(AnyID(extended.id))
      {
        let stored = Self.encoders.with { $0.store(appended: extended.added) }
        try objects.putMissing(
          AnyID(id), kind: .chunk, plainByteCount: chunk.plainBytes.count, base: base, bytes: stored)
      } else {
        let stored = Self.encoders.with { $0.store(chunk) }
        try objects.putMissing(AnyID(id), kind: .chunk, plainByteCount: chunk.plainBytes.count, bytes: stored)
      }
    }
    let array = chunk.array
    return TreeEntry(
      id: id, rowCount: array.count, nullCount: array.nullCount, plainByteCount: chunk.plainBytes.count,
      bounds: order?.bounds(of: array), hasBlobs: array.blobs != nil)
  }

  /// - Parameter old: the node that this one comes instead of, and has most of its children from.
  func put(_ node: TreeNode, instead old: StoredNode? = nil) throws(DSVError) -> ColumnID {
    let plain = node.bytes
    let id: ColumnID = plain.withUnsafeBytes { naming.id(kind: .node, $0) }
    if try !objects.contains(AnyID(id)) {
      try objects.put(
        AnyID(id), kind: .node, plain: plain, instead: old.map { (AnyID($0.id), $0.node.bytes) })
    }
    return id
  }
}

/// A chunk that is stored, and the values that another one has after its values.
struct ExtendedChunk: Sendable {
  let id: ColumnID
  let plainByteCount: Int
  let added: Chunk

  /// Whether `chunk`, which is both, is not so much more that the whole may as well be stored.
  func isWorthwhile(in chunk: Chunk) -> Bool {
    chunk.plainBytes.count - plainByteCount <= chunk.plainBytes.count / 2
  }
}

/// A node that is stored, and what it holds.
struct StoredNode {
  let id: ColumnID
  let node: TreeNode
}

extension ObjectSink {
  /// Puts an object that is no chunk: over the one that it comes instead of, if that is there and saves much.
  package func put(
    _ id: AnyID, kind: ObjectKind, plain: [UInt8], instead old: (id: AnyID, plain: [UInt8])?
  ) throws(DSVError) {
    if let old, old.id != id, let base = try baseForNew(old.id),
      let bytes = StoredBytes.store(plain, over: old.plain)
    {
      return try put(id, kind: kind, plainByteCount: plain.count, base: base, bytes: bytes)
    }
    try put(id, kind: kind, plainByteCount: plain.count, bytes: StoredBytes.store(plain))
  }
}

extension ArrayView {
  package var nullCount: Int {
    guard let validity else { return 0 }
    var present = 0
    for index in 0..<(count + 7) / 8 { present += validity[index].nonzeroBitCount }
    return count - present
  }
}
