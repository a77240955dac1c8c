import DSVFormat
package import DSVStore

/// Names, encodes and puts chunks and nodes; what columns are written through.
package final class ColumnSink: Sendable {
  package let objects: any ObjectSink
  package let pool: WorkerPool
  private let encoders = IdlePool { ChunkEncoder(zstd: Zstd()) }

  package init(_ objects: any ObjectSink, pool: WorkerPool) {
    self.objects = objects
    self.pool = pool
  }

  /// Puts a chunk, and describes it. Compresses nothing that is already there.
  func put(_ chunk: Chunk, order: BoundsOrder?) throws(DSVError) -> TreeEntry {
    let id = chunk.id()
    if try !objects.contains(AnyID(id)) {
      let stored = encoders.with { $0.store(chunk) }
      try objects.put(AnyID(id), kind: .chunk, plainByteCount: chunk.plainBytes.count, bytes: stored)
    }
    let array = chunk.array
    return TreeEntry(
      id: id, rowCount: array.count, nullCount: array.nullCount, plainByteCount: chunk.plainBytes.count,
      bounds: order?.bounds(of: array), hasBlobs: array.blobs != nil)
  }

  func put(_ node: TreeNode) throws(DSVError) -> ColumnID {
    let plain = node.bytes
    let id: ColumnID = plain.withUnsafeBytes { SHA256.id(kind: .node, $0) }
    if try !objects.contains(AnyID(id)) {
      try objects.put(AnyID(id), kind: .node, plainByteCount: plain.count, bytes: StoredBytes.store(plain))
    }
    return id
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
