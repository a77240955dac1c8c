import DSVColumns
import DSVFormat
import DSVStore

/// Fetches what columns need and what is not on the disk, many objects at a time.
struct PromotionWalk {
  private static let windowByteCount = 16 << 20

  private let reader: ObjectReader
  private let store: Store
  private let fetchedByteCount: () -> Int
  private let progress: ProgressHandler
  private var seen: Set<AnyID> = []
  /// What was not here, in order.
  private(set) var fetched: [AnyID] = []

  /// - Parameter fetchedByteCount: how much has come so far.
  init(
    _ reader: ObjectReader, _ store: Store, fetchedByteCount: @escaping () -> Int,
    _ progress: @escaping ProgressHandler
  ) {
    (self.reader, self.store) = (reader, store)
    (self.fetchedByteCount, self.progress) = (fetchedByteCount, progress)
  }

  mutating func add(_ column: ColumnRoot) throws(DSVError) {
    if let chunk = try reader.inlineChunk(column) { return try addBlobs(chunk) }
    guard case .object(let id, let level) = column.place else { return }
    try add([(id, column.plainByteCount, true)], level: level)
  }

  /// Fetches nodes or chunks of one level, and what is below them.
  private mutating func add(
    _ all: [(id: ColumnID, byteCount: Int, hasBlobs: Bool)], level: Int
  ) throws(DSVError) {
    var (start, byteCount) = (0, 0)
    for (index, one) in all.enumerated() {
      byteCount += level == 0 ? one.byteCount : 4096
      guard byteCount >= Self.windowByteCount || index == all.count - 1 else { continue }
      try addWindow(Array(all[start...index]), level: level)
      (start, byteCount) = (index + 1, 0)
    }
  }

  private mutating func addWindow(
    _ all: [(id: ColumnID, byteCount: Int, hasBlobs: Bool)], level: Int
  ) throws(DSVError) {
    let new = all.filter { seen.insert(AnyID($0.id)).inserted }
    store.prefetch(new.map { AnyID($0.id) })
    for (id, _, hasBlobs) in new {
      if try !store.contains(AnyID(id)) {
        _ = try store.read(AnyID(id))
        fetched.append(AnyID(id))
        try progress(Progress(phase: "fetching", done: fetchedByteCount(), total: nil, unit: .bytes))
      }
      if level > 0 {
        let children = try reader.node(id, level: level).children
        try add(children.map { ($0.id, $0.plainByteCount, $0.hasBlobs) }, level: level - 1)
      } else if hasBlobs {
        try addBlobs(try reader.chunk(id))
      }
    }
  }

  private mutating func addBlobs(_ chunk: Chunk) throws(DSVError) {
    guard chunk.array.blobs != nil else { return }
    for index in 0..<chunk.count where chunk.array.isBlob(index) {
      let reference = try BlobReference(chunk.array.bytes(index))
      let stored = try store.read(AnyID(reference.root))
      let level = stored.kind == .node ? try reader.decodedNode(reference.root, stored).level : 0
      try add([(reference.root, reference.valueByteCount, false)], level: level)
    }
  }
}
