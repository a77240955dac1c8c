import DSVFormat
import DSVSystem
import Synchronization

/// Goes ahead of who reads all values of a column, whole, and asks for the blobs that its chunks refer to, where they may be
/// far away.
///
/// Only a chunk tells which blobs it has, and only a blob's root its pieces: each takes a round trip, and those of a few chunks
/// are made together. On a thread of its own, for it waits; one that ends when there is nothing to do, or nobody reads any more.
/// All this is a hint: what is not asked for, or fails here, is read where it is wanted, or fails there.
final class BlobScout: Sendable {
  private let work: Work

  init(_ reader: ObjectReader) { work = Work(reader) }

  deinit { work.end() }

  /// Takes chunks that refer to blobs, as their tree says, and that are asked for already. Returns at once.
  func tell(_ chunks: [(id: ColumnID, endRow: Int)]) {
    if !chunks.isEmpty { work.add(chunks) }
  }

  /// To be called as the reader moves on.
  func pass(_ row: Int) { work.pass(row) }
}

/// What a scout and its thread share.
private final class Work: Sendable {
  private struct State {
    /// Chunks that are to be looked into.
    var waiting: [(id: ColumnID, endRow: Int)] = []
    /// Chunks that were, which the reader has not passed, and how many bytes their blobs have that were asked for.
    var ahead: [(endRow: Int, byteCount: Int)] = []
    var aheadByteCount = 0
    var isRunning = false
    var isEnded = false
  }

  /// So many bytes of blobs may be asked for ahead of the reader: beyond that, what was asked for first would be given up
  /// before it is read.
  private static let windowByteCount = 32 << 20
  /// So many chunks are looked into together.
  private static let groupCount = 8
  private static let waitingCountMax = 4096

  // A thread that waits must not keep a repository open.
  private weak let reader: ObjectReader?
  private let state = Mutex(State())

  init(_ reader: ObjectReader) { self.reader = reader }

  func end() { state.withLock { $0.isEnded = true } }

  func add(_ chunks: [(id: ColumnID, endRow: Int)]) {
    state.withLock { $0.waiting += chunks.prefix(Self.waitingCountMax - $0.waiting.count) }
    startIfNeeded()
  }

  func pass(_ row: Int) {
    let hasMore = state.withLock { state in
      let passed = state.ahead.prefix { $0.endRow <= row }
      state.aheadByteCount -= passed.reduce(0) { $0 + $1.byteCount }
      state.ahead.removeFirst(passed.count)
      state.waiting.removeAll { $0.endRow <= row }
      return !state.waiting.isEmpty
    }
    if hasMore { startIfNeeded() }
  }

  private func startIfNeeded() {
    let starts = state.withLock { state in
      guard !state.isRunning, !state.isEnded, state.aheadByteCount < Self.windowByteCount else {
        return false
      }
      state.isRunning = true
      return true
    }
    if starts, !Threads.start({ self.run() }) { state.withLock { $0.isRunning = false } }
  }

  private func run() {
    while let group = next() {
      // What fails here fails again where it is read.
      do throws(DSVError) { try look(into: group) } catch {}
    }
  }

  /// The next chunks; `nil`, and the thread is to end, where there are none or enough is asked for.
  private func next() -> [(id: ColumnID, endRow: Int)]? {
    state.withLock { state in
      guard !state.isEnded, !state.waiting.isEmpty, state.aheadByteCount < Self.windowByteCount else {
        state.isRunning = false
        return nil
      }
      let group = Array(state.waiting.prefix(Self.groupCount))
      state.waiting.removeFirst(group.count)
      return group
    }
  }

  private func look(into group: [(id: ColumnID, endRow: Int)]) throws(DSVError) {
    var roots: [ColumnID] = []
    for chunk in group {
      guard let reader = living() else { return }
      let found = try Self.roots(in: reader.chunk(chunk.id), upTo: Self.windowByteCount)
      reader.prefetch(found.ids, first: true)
      roots += found.ids
      state.withLock { state in
        state.ahead.append((chunk.endRow, found.byteCount))
        state.aheadByteCount += found.byteCount
      }
    }
    for root in roots {
      guard let reader = living() else { return }
      // What lies below these is asked for by who reads the value.
      if case .node(let node) = try reader.blobPart(root) {
        reader.prefetch(node.children.map(\.id), first: true)
      }
    }
  }

  /// The reader, as long as somebody reads.
  private func living() -> ObjectReader? { state.withLock { $0.isEnded } ? nil : reader }

  /// The first blobs of a chunk, as many as have so many bytes, each once.
  private static func roots(in chunk: Chunk, upTo limit: Int) throws(DSVError) -> (
    ids: [ColumnID], byteCount: Int
  ) {
    var (ids, seen, byteCount): ([ColumnID], Set<ColumnID>, Int) = ([], [], 0)
    for index in 0..<chunk.count where chunk.array.isBlob(index) && byteCount < limit {
      let blob = try BlobReference(chunk.array.bytes(index))
      guard seen.insert(blob.root).inserted, blob.valueByteCount <= ObjectReader.blobByteCountMax else {
        continue
      }
      ids.append(blob.root)
      byteCount += blob.valueByteCount
    }
    return (ids, byteCount)
  }
}
