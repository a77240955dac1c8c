import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import Testing

/// What one remote has lost, damaged or does not give is read from the other.
@Suite struct TwoRemotesTests {
  /// How the first remote fails.
  enum Failure: CaseIterable { case lost, cut, damaged, unreachable, forged }

  let folder: TemporaryFolder
  let store: Store
  let memory = (MemoryBucket("memory://first"), MemoryBucket("memory://second"))
  let buckets: (SlowBucket, SlowBucket)
  let remotes: (PackedRemote, PackedRemote)

  init() throws {
    folder = try TemporaryFolder(inMemory: true)
    store = try Store.create(at: folder.path + "/.dsv")
    buckets = (SlowBucket(memory.0), SlowBucket(memory.1))
    remotes = (PackedRemote(memory.0), PackedRemote(memory.1))
  }

  private func attach(first: (any Bucket)? = nil) -> RemoteSource {
    let tiers = [
      RemoteTier("backup", first ?? buckets.0, remotes.0), RemoteTier("origin", buckets.1, remotes.1),
    ]
    let source = RemoteSource(
      tiers, for: store, promoter: Promoter(store),
      whole: { (_, object, store) throws(DSVError) in
        if let base = object.base { _ = try store.read(base.id) }
        return StoredObject(kind: object.kind, plainByteCount: object.plainByteCount, bytes: object.bytes)
      },
      check: { (id, object, store) throws(DSVError) in
        if let base = object.base { _ = try store.read(base.id) }
        guard id == Lazy.id(object) else { throw DSVError(.corrupt, "its content is not what its ID names") }
      })
    store.attach(source)
    return source
  }

  private func fail(_ failure: Failure) -> RemoteSource {
    var whole = memory.0.contents
    for (key, value) in whole {
      switch failure {
      case .lost: whole[key] = nil
      case .cut: whole[key] = Array(value.prefix(100))
      case .damaged: whole[key] = value.enumerated().map { $0.offset < 100 ? $0.element : $0.element ^ 1 }
      case .unreachable, .forged: break
      }
    }
    memory.0.contents = whole
    return attach(first: failure == .unreachable ? FaultyBucket(buckets.0, .call(0, isForever: true)) : nil)
  }

  private func fill(_ objects: [(AnyID, StoredObject)], _ failure: Failure) throws {
    // Sound records that are of something else.
    let first = failure == .forged ? objects.map { ($0.0, Lazy.object(12_345).1) } : objects
    try remotes.0.put(first, packByteCount: 100_000)
    try remotes.1.put(objects, packByteCount: 150_000)
  }

  @Test("an object that the first remote does not give comes from the second", arguments: Failure.allCases)
  func read(failure: Failure) throws {
    let objects = (0..<40).map { Lazy.object($0, byteCount: 10_000) }
    try fill(objects, failure)
    let source = fail(failure)
    for (id, object) in objects { #expect(try store.read(id) == object, "\(failure)") }
    #expect(source.remoteCounts[1].hitCount == 40 && source.remoteCounts[0].hitCount == 0)
    source.close()
    for (id, object) in objects { #expect(try store.contains(id) && store.read(id) == object) }
  }

  @Test("so does what is told ahead, with few requests", arguments: Failure.allCases)
  func prefetch(failure: Failure) throws {
    let objects = (0..<300).map { Lazy.object($0, byteCount: 2_000) }
    try fill(objects, failure)
    let source = fail(failure)
    store.prefetch(objects.map(\.0))
    for (id, object) in objects { #expect(try store.read(id) == object, "\(failure)") }
    #expect(source.remoteCounts[1].hitCount == 300)
    if failure == .unreachable || failure == .lost { #expect(buckets.1.requestCount < 30, "\(failure)") }
  }

  @Test("a remote that failed is not asked again at once")
  func trouble() throws {
    let objects = (0..<20).map { Lazy.object($0) }
    try fill(objects, .unreachable)
    let faulty = FaultyBucket(buckets.0, .call(0, isForever: true))
    _ = attach(first: faulty)
    for (id, object) in objects { #expect(try store.read(id) == object) }
    #expect(faulty.callCount <= 2)
  }

  @Test("where no remote gives it, each is told, and the code says what may be done")
  func bothFail() throws {
    let (id, object) = Lazy.object(1)
    try fill([(id, object)], .lost)
    memory.1.contents = [:]
    _ = fail(.unreachable)
    let error = #expect(throws: DSVError.self) { try store.read(id) }
    #expect(error?.code == .io)
    for part in ["backup", "origin", "\(id)", "packs/"] { #expect(error?.message.contains(part) == true) }
    _ = fail(.lost)
    #expect(throws: DSVError.self) { try store.read(id) }
  }

  @Test("what one remote has as a base of the other's is read all the same", .timeLimit(.minutes(30)))
  func crossedBases() throws {
    let (a, b) = (Lazy.object(1), Lazy.object(2))
    let aOverB = Lazy.object(1, base: ObjectBase(b.0, depth: 1))
    let bOverA = Lazy.object(2, base: ObjectBase(a.0, depth: 1))
    try remotes.0.put([b, aOverB])
    try remotes.1.put([a, bOverA])
    for _ in 0..<20 {
      let source = attach()
      let (store, ids) = (store, [a.0, b.0])
      onThreads(4) { number in
        let read = try? store.read(ids[number % 2])
        #expect(read?.bytes == (number % 2 == 0 ? a : b).1.bytes)
      }
      store.attach(nil)
      withExtendedLifetime(source) {}
    }
    // The first copy of it is over an object that the second remote has over it.
    memory.1.contents = [:]
    let source = attach()
    #expect(try store.read(a.0).bytes == a.1.bytes)
    source.close()
    #expect(try store.checkPacks().problems == [])
  }
}
