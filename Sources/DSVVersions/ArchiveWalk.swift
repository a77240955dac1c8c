package import DSVColumns
package import DSVFormat
import DSVStore
import DSVTables

/// Finds the chunks of versions, column by column, each once, and says which of them something may be appended to.
///
/// Memory: some 100 bytes a chunk.
package struct ArchiveWalk {
  /// Chunks of one layout that follow each other in a column.
  package struct Run {
    package let layout: Layout
    package var items: [ChunkArchiver.Item] = []
    package var byteCount = 0
  }

  private let versions: VersionReader
  /// The last chunk of each column of each version: what an append may build on.
  private var tails: Set<ColumnID> = []
  private var seenRoots: Set<ColumnID> = []
  /// Chunks and nodes that were met.
  private var seen: Set<ColumnID> = []

  package init(_ versions: VersionReader) { self.versions = versions }

  /// Notes what may be appended to in a version. To be called for every version, before any column is walked.
  package mutating func addTails(_ commit: CommitID) throws(DSVError) {
    for table in try versions.snapshot(versions.commit(commit).root).tables {
      for column in table.columns {
        guard case .object(let id, var level) = column.place, seenRoots.insert(id).inserted else { continue }
        var entry = column.entry(id)
        while level > 0 {
          guard let last = try versions.objects.node(entry, level: level).children.last else { break }
          (entry, level) = (last, level - 1)
        }
        tails.insert(entry.id)
      }
    }
  }

  /// Hands out the chunks of a version that were not met before, in runs.
  package mutating func forEachRun(
    of commit: CommitID, _ body: (Run) throws(DSVError) -> Void
  ) throws(DSVError) {
    for table in try versions.snapshot(versions.commit(commit).root).tables {
      for field in table.fields { try walk(field, body) }
      if let selection = table.selection { try walk(selection, .fixed(2), body) }
    }
  }

  private mutating func walk(
    _ field: TableField, _ body: (Run) throws(DSVError) -> Void
  ) throws(DSVError) {
    try walk(field.values, field.type.layout, body)
    if case .mixed(let root) = field.absence { try walk(root, .bool, body) }
    for child in field.children { try walk(child, body) }
  }

  /// - Parameter body: gets full runs at once, and what is left at the end.
  private mutating func walk(
    _ root: ColumnRoot, _ layout: Layout, _ body: (Run) throws(DSVError) -> Void
  ) throws(DSVError) {
    var run = Run(layout: layout)
    // The pieces of blobs, which are columns of their own, follow each other too.
    var pieces = Run(layout: .fixed(1))
    // Of a column that is a chunk, or in the snapshot, nothing says whether it refers to blobs.
    if let chunk = try versions.objects.inlineChunk(root) { try addBlobs(chunk, &pieces, body) }
    let isOnlyChunk = if case .object(_, level: 0) = root.place { true } else { false }
    var walker = TreeWalker(root, reader: versions.objects)
    while let entry = try next(&walker) {
      try add(entry, &run, body)
      if layout == .bytes, entry.hasBlobs || isOnlyChunk {
        try addBlobs(try versions.objects.chunk(entry.id), &pieces, body)
      }
    }
    if !run.items.isEmpty { try body(run) }
    if !pieces.items.isEmpty { try body(pieces) }
  }

  /// The next chunk below no node that was met before, and not met itself.
  private mutating func next(_ walker: inout TreeWalker) throws(DSVError) -> TreeEntry? {
    // Moved out and back, for a closure may not change what the method that runs it holds.
    var met: Set<ColumnID> = []
    swap(&met, &seen)
    defer { swap(&met, &seen) }
    return try walker.next { entry, _ in met.insert(entry.id).inserted }?.entry
  }

  private func add(
    _ entry: TreeEntry, _ run: inout Run, _ body: (Run) throws(DSVError) -> Void
  ) throws(DSVError) {
    run.items.append(
      ChunkArchiver.Item(
        entry.id, plainByteCount: entry.plainByteCount, mayHaveBase: !tails.contains(entry.id)))
    run.byteCount += entry.plainByteCount
    guard run.byteCount >= ChunkArchiver.runByteCountMax else { return }
    try body(run)
    run = Run(layout: run.layout)
  }

  private mutating func addBlobs(
    _ chunk: Chunk, _ pieces: inout Run, _ body: (Run) throws(DSVError) -> Void
  ) throws(DSVError) {
    guard chunk.array.blobs != nil else { return }
    for index in 0..<chunk.count where chunk.array.isBlob(index) {
      let blob = try BlobReference(chunk.array.bytes(index))
      if seen.contains(blob.root) { continue }
      let stored = try versions.objects.store.read(AnyID(blob.root))
      let level = stored.kind == .node ? try versions.objects.decodedNode(blob.root, stored).level : 0
      let root = ColumnRoot(
        place: .object(blob.root, level: level), rowCount: blob.valueByteCount, nullCount: 0,
        plainByteCount: stored.plainByteCount)
      var walker = TreeWalker(root, reader: versions.objects)
      while let entry = try next(&walker) { try add(entry, &pieces, body) }
    }
  }
}
