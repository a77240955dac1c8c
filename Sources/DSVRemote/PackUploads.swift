package import DSVFormat
package import DSVStore
import DSVSystem
import Dispatch
import Synchronization

/// Fills packs with objects and puts them, at most two at a time: so much of them is in memory, and one that is filled.
package final class PackUploads {
  /// What is shared with the threads that put.
  private final class Shared: Sendable {
    let failure = Mutex<DSVError?>(nil)
    let done = Mutex<[UploadedPack]>([])
    let places = DispatchSemaphore(value: PackUploads.inFlightCountMax)
    func check() throws(DSVError) { if let error = failure.withLock({ $0 }) { throw error } }
  }

  package static let inFlightCountMax = 2

  private let bucket: any Bucket
  private let sealer: RemoteKeys?
  private let journal: PushJournal?
  private let packByteCount: Int
  private let shared = Shared()
  private var threads: [Background] = []
  private var codec: PackCodec
  private var builder: PackBuilder
  private var bases: [AnyID: AnyID] = [:]
  /// How many bytes of packs were filled.
  package private(set) var byteCount = 0

  /// - Parameters:
  ///   - journal: remembers what was put, for who is broken off and comes again.
  ///   - packByteCount: a pack that has reached this length takes no more.
  package init(
    _ bucket: any Bucket, _ sealer: RemoteKeys?, _ journal: PushJournal?,
    packByteCount: Int = RemoteLayout.packByteCount
  ) {
    (self.bucket, self.sealer, self.journal) = (bucket, sealer, journal)
    self.packByteCount = packByteCount
    codec = PackCodec(isSealed: sealer != nil)
    builder = PackBuilder(codec)
  }

  deinit { for thread in threads { thread.join() } }

  /// Takes an object in; may wait until a pack has been put.
  package func append(_ id: AnyID, _ object: StoredObject) throws(DSVError) {
    try shared.check()
    let before = builder.bytes.count
    try builder.append(id, object)
    if let base = object.base { bases[id] = base.id }
    byteCount += builder.bytes.count - before
    if builder.bytes.count >= packByteCount { put() }
  }

  private func put() {
    guard !builder.isEmpty else { return }
    let (pack, uploaded) = (
      builder.bytes, UploadedPack(PackIndex(builder), key: sealer?.packKey(codec), bases: bases)
    )
    codec = PackCodec(isSealed: sealer != nil)
    (builder, bases) = (PackBuilder(codec), [:])
    let (bucket, journal, shared) = (bucket, journal, shared)
    shared.places.wait()
    threads.append(
      Background {
        do throws(DSVError) {
          let id = uploaded.index.packID
          try bucket.put(RemoteLayout.pack(id), pack)
          try bucket.put(RemoteLayout.index(id), uploaded.index.bytes)
          try journal?.add(uploaded)
          shared.done.withLock { $0.append(uploaded) }
        } catch {
          shared.failure.withLock { if $0 == nil { $0 = error } }
        }
        shared.places.signal()
      })
  }

  /// Puts what is left, and waits for all.
  ///
  /// - Returns: the packs, which the journal remembers too if there is one.
  package func finish() throws(DSVError) -> [UploadedPack] {
    put()
    for thread in threads { thread.join() }
    threads = []
    try shared.check()
    return shared.done.withLock { $0 }
  }
}
