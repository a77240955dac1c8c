import DSVFormat

/// Goes ahead of who reads whole columns and asks for the blobs that chunks refer to, where they may be far away.
///
/// Only the chunk tells which they are, and only a blob's nodes tell its pieces: each takes a round trip, and those of all
/// chunks that are told together are made together.
enum BlobScout {
  /// Its jobs wait for what is far away, and hardly for the processor.
  private static let pool = WorkerPool(threadCount: 4)
  /// So many chunks are a job: the blobs of none of them are asked for before all of them are here.
  private static let groupCount = 4

  /// Returns soon. What fails here fails again where it is read.
  ///
  /// - Parameter chunks: those that refer to blobs, as their tree says, and that are asked for already.
  static func tell(_ chunks: [ColumnID], _ reader: ObjectReader) {
    for start in stride(from: 0, to: chunks.count, by: groupCount) {
      let group = chunks[start..<min(start + groupCount, chunks.count)]
      _ = pool.submit { () throws(DSVError) in try run(group, reader) }
    }
  }

  private static func run(_ chunks: ArraySlice<ColumnID>, _ reader: ObjectReader) throws(DSVError) {
    var ids: [ColumnID] = []
    for id in chunks {
      let chunk = try reader.chunk(id)
      for index in 0..<chunk.count where chunk.array.isBlob(index) {
        ids.append(try BlobReference(chunk.array.bytes(index)).root)
      }
    }
    reader.prefetch(ids)
    // A damaged tree could lead on for ever.
    for _ in 0...TreeNode.levelMax where !ids.isEmpty {
      var below: [ColumnID] = []
      for id in ids {
        guard case .node(let node) = try reader.blobPart(id) else { continue }
        let children = node.children.map(\.id)
        reader.prefetch(children)
        // The last level is asked for, and read by who wants the value.
        if node.level > 1 { below += children }
      }
      ids = below
    }
  }
}
