package import DSVFormat
package import DSVStore

/// Names, encodes and puts chunks and nodes; what columns are written through.
package final class ColumnSink: Sendable {
  package let objects: any ObjectSink
  package let pool: WorkerPool
  // Of the process: a small commit would spend more on making one than on using it.
  private static let encoders = IdlePool { ChunkEncoder(zstd: Zstd()) }

  package init(_ objects: any ObjectSink, pool: WorkerPool) {
    self.objects = objects
    self.pool = pool
  }

  /// Puts a chunk, and describes it. Compresses nothing that is already there.
  ///
  /// - Parameter old: a chunk whose values are the first of this one's, which is then stored as what comes after them.
  func put(_ chunk: Chunk, order: BoundsOrder?, after old: StoredChunk? = nil) throws(DSVError) -> TreeEntry {
    let id = chunk.id()
    if try !objects.contains(AnyID(id)) {
      if let old, let added = try old.added(in: chunk), let base = try objects.baseForNew(AnyID(old.id)) {
        let stored = Self.encoders.with { $0.store(appended: added) }
        try objects.put(
          AnyID(id), kind: .chunk, plainByteCount: chunk.plainBytes.count, base: base, bytes: stored)
      } else {
        let stored = Self.encoders.with { $0.store(chunk) }
        try objects.put(AnyID(id), kind: .chunk, plainByteCount: chunk.plainBytes.count, bytes: stored)
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
    let id: ColumnID = plain.withUnsafeBytes { SHA256.id(kind: .node, $0) }
    if try !objects.contains(AnyID(id)) {
      try objects.put(
        AnyID(id), kind: .node, plain: plain, instead: old.map { (AnyID($0.id), $0.node.bytes) })
    }
    return id
  }
}

/// A chunk that is stored, and what it holds.
struct StoredChunk: Sendable {
  let id: ColumnID
  let chunk: Chunk

  /// The values that `new`, which begins with this chunk's, has beyond them; `nil` where they are so many that the
  /// whole may as well be stored.
  func added(in new: Chunk) throws(DSVError) -> Chunk? {
    guard new.count > chunk.count, new.plainBytes.count - chunk.plainBytes.count <= new.plainBytes.count / 2
    else { return nil }
    let builder = ArrayBuilder(new.array.layout)
    for index in chunk.count..<new.count { builder.append(from: new.array, index) }
    let plain = GrowingBytes()
    builder.writePlain(to: plain)
    return try Chunk(taking: plain, of: "values being appended")
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
