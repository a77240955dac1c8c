import DSVColumns
import DSVFormat
import DSVStore
import DSVSystem
import DSVVersions

/// Archives runs of chunks one after another, the chunks of a run on all cores, and publishes from time to time.
struct ArchiveJob {
  /// What is put and not published is lost if the process ends: at most this much work.
  private static let publishByteCount = 48 << 20
  private static let publishNanoseconds: UInt64 = 30_000_000_000

  private let store: Store
  private let session: WriteSession
  private let archiver: ChunkArchiver
  private let pool: WorkerPool
  private let progress: ProgressHandler
  private var result = ArchiveResult()
  private var plainByteCount = 0
  private var pendingByteCount = 0
  private var lastPublished = Clock.monotonicNanoseconds()

  init(
    _ store: Store, _ reader: ObjectReader, _ pool: WorkerPool, _ progress: @escaping ProgressHandler
  ) throws(DSVError) {
    self.store = store
    session = try store.session()
    archiver = ChunkArchiver(reader)
    self.pool = pool
    self.progress = progress
  }

  mutating func archive(_ run: ArchiveWalk.Run) throws(DSVError) {
    var items: [ChunkArchiver.Item] = []
    for item in run.items {
      let place = try store.place(of: AnyID(item.id))
      result.chunkCount += 1
      result.oldByteCount += place?.byteCount ?? 0
      // What has a base is as dense as it gets, or is what was appended to another.
      if let place, place.baseDepth == 0 { items.append(item) } else { skip(item, place) }
    }
    let base = try archiver.base(for: items, run.layout)
    if let base { try put(base) }
    var waiting: [(item: ChunkArchiver.Item, new: Pending<StoredObject?>)] = []
    var next = 0
    while next < items.count || !waiting.isEmpty {
      while next < items.count, waiting.count < max(1, pool.threadCount * 3) {
        let (item, archiver) = (items[next], archiver)
        waiting.append(
          (item, pool.submit { () throws(DSVError) in try archiver.archived(item, over: base) }))
        next += 1
      }
      let (item, pending) = waiting.removeFirst()
      try take(item, try pending.value())
    }
    let now = Clock.monotonicNanoseconds()
    if pendingByteCount >= Self.publishByteCount || now - lastPublished >= Self.publishNanoseconds {
      try publish()
    }
  }

  private mutating func skip(_ item: ChunkArchiver.Item, _ place: Place?) {
    result.newByteCount += place?.byteCount ?? 0
    plainByteCount += item.plainByteCount
  }

  /// The base is published before anything names it: two writers could else each build on what the other writes.
  private mutating func put(_ base: ChunkArchiver.Base) throws(DSVError) {
    if try session.contains(base.id) { return }
    try session.put(base.id, base.stored)
    result.newByteCount += base.stored.bytes.count
    try publish()
  }

  private mutating func take(_ item: ChunkArchiver.Item, _ new: StoredObject?) throws(DSVError) {
    let old = try store.place(of: AnyID(item.id))?.byteCount ?? 0
    if let new {
      try session.restore(AnyID(item.id), new)
      let byteCount = PackLayout.recordByteCount(new, isSealed: store.isEncrypted)
      result.newByteCount += byteCount
      result.archivedCount += 1
      pendingByteCount += byteCount
    } else {
      result.newByteCount += old
    }
    plainByteCount += item.plainByteCount
    try progress(Progress(phase: "archiving", done: plainByteCount, total: nil, unit: .bytes))
  }

  private mutating func publish() throws(DSVError) {
    try session.publish { (_) throws(DSVError) in }
    (pendingByteCount, lastPublished) = (0, Clock.monotonicNanoseconds())
  }

  mutating func finish() throws(DSVError) -> ArchiveResult {
    try publish()
    return result
  }
}
