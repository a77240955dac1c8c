import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import Dispatch

/// An empty store whose objects are in a remote of its own.
struct Lazy {
  let folder: TemporaryFolder
  let store: Store
  let memory = MemoryBucket()
  let bucket: SlowBucket
  let remote: PackedRemote
  let source: RemoteSource

  init(
    latencyNanoseconds: UInt64 = 0, limits: FetchLimits = FetchLimits(),
    over wrap: (any Bucket) -> any Bucket = { $0 }
  ) throws {
    folder = try TemporaryFolder(inMemory: true)
    store = try Store.create(at: folder.path + "/.dsv")
    bucket = SlowBucket(memory, latencyNanoseconds: latencyNanoseconds)
    remote = PackedRemote(memory)
    source = RemoteSource(
      [RemoteTier("origin", wrap(bucket), remote)], for: store, limits: limits, promoter: Promoter(store)
    ) { (id, object, store) throws(DSVError) in
      if let base = object.base { _ = try store.read(base.id) }
      guard id == Self.id(object) else { throw DSVError(.corrupt, "its content is not what its ID names") }
    }
    store.attach(source)
  }

  /// Names an object by its content.
  static func id(_ object: StoredObject) -> AnyID {
    let hash = Hash64.of(object.bytes)
    return AnyID(hash, Hash64.of(hash), UInt64(object.kind.rawValue), Hash64.of(hash, seed: 1))
  }

  /// An object with made-up content, and its name.
  static func object(
    _ number: UInt64, byteCount: Int = 1000, base: ObjectBase? = nil
  ) -> (AnyID, StoredObject) {
    var generator = SeededGenerator(seed: number)
    var bytes: [UInt8] = []
    while bytes.count < byteCount {
      withUnsafeBytes(of: generator.next()) { bytes.append(contentsOf: $0) }
    }
    let object = StoredObject(
      kind: .chunk, plainByteCount: byteCount, base: base, bytes: Array(bytes[..<byteCount]))
    return (id(object), object)
  }
}

/// Runs `body` on so many threads at once; returns when all are done.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  let group = DispatchGroup()
  for number in 0..<count {
    group.enter()
    _ = Threads.start {
      body(number)
      group.leave()
    }
  }
  group.wait()
}
