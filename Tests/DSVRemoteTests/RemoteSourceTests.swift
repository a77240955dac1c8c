import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import Synchronization
import Testing

@Suite struct RemoteSourceTests {
  @Test("one request is made for all who want an object")
  func singleFlight() throws {
    let lazy = try Lazy(latencyNanoseconds: 30_000_000)
    let (id, object) = Lazy.object(1)
    try lazy.remote.put([(id, object)])
    let right = Atomic<Int>(0)
    onThreads(16) { _ in
      if (try? lazy.store.read(id)) == object { right.add(1, ordering: .relaxed) }
    }
    #expect(right.load(ordering: .relaxed) == 16)
    #expect(lazy.bucket.requestCount == 1)
    #expect(lazy.source.counts.hitCount == 16)
    #expect(lazy.store.counts.values.missCount == 16)
  }

  @Test("what nobody has is not found, without a request")
  func absent() throws {
    let lazy = try Lazy()
    #expect(throws: DSVError.self) { try lazy.store.read(Lazy.object(1).0) }
    #expect(lazy.bucket.requestCount == 0)
    #expect(lazy.source.counts.missCount == 1)
  }

  @Test("a commit that is not here is not had by reading", arguments: [ObjectKind.commit, .snapshot])
  func commits(kind: ObjectKind) throws {
    let lazy = try Lazy()
    let object = StoredObject(kind: kind, plainByteCount: 3, bytes: [1, 2, 3])
    try lazy.remote.put([(Lazy.id(object), object)])
    let error = #expect(throws: DSVError.self) { try lazy.store.read(Lazy.id(object)) }
    #expect(error?.code == .notFound)
    #expect(lazy.bucket.requestCount == 0)
  }

  @Test("neighbours that are wanted travel together, and what lies far from them does not")
  func coalescing() throws {
    let lazy = try Lazy(latencyNanoseconds: 5_000_000)
    let objects = (0..<400).map { Lazy.object($0, byteCount: 10_000) }
    try lazy.remote.put(objects)
    let wanted =
      objects[0..<100] + objects[300..<400].enumerated().filter { $0.offset % 3 == 0 }.map(\.element)
    lazy.store.prefetch(wanted.map(\.0))
    for (id, object) in wanted { #expect(try lazy.store.read(id) == object) }
    #expect(lazy.bucket.requestCount <= 3)
    // Two of three in the second part are between wanted ones, nearer than the gap that is fetched with them.
    #expect(lazy.bucket.byteCount < 2_100_000)
    #expect(lazy.bucket.ranges.allSatisfy { $0.range.count <= 4 << 20 })
  }

  @Test("who reads a pack from record to record is read ahead for")
  func readsOn() throws {
    let lazy = try Lazy()
    let objects = (0..<500).map { Lazy.object($0, byteCount: 8_000) }
    try lazy.remote.put(objects)
    for (id, object) in objects { #expect(try lazy.store.read(id) == object) }
    #expect(lazy.bucket.requestCount < 25)
    #expect(lazy.bucket.byteCount < 4_200_000)
  }

  @Test("bytes that were damaged on the way are fetched once more", arguments: [0, 20, 80, 500])
  func damagedOnce(byte: Int) throws {
    let lazy = try Lazy()
    let (id, object) = Lazy.object(1)
    try lazy.remote.put([(id, object)])
    lazy.bucket.damage(1, byte: byte)
    #expect(try lazy.store.read(id) == object)
    #expect(lazy.bucket.requestCount == 2)
  }

  @Test("bytes that stay damaged are corrupt, told with object, pack and remote; the next read tries again")
  func damagedForGood() throws {
    let lazy = try Lazy()
    let (id, object) = Lazy.object(1)
    try lazy.remote.put([(id, object)])
    lazy.bucket.damage(2, byte: 100)
    let error = #expect(throws: DSVError.self) { try lazy.store.read(id) }
    #expect(error?.code == .corrupt)
    for part in ["\(id)", "packs/", ".pack", "origin"] { #expect(error?.message.contains(part) == true) }
    #expect(try lazy.store.read(id) == object)
  }

  @Test("a sound record that holds something else than its ID names is corrupt")
  func forged() throws {
    let lazy = try Lazy()
    let (id, _) = Lazy.object(1)
    try lazy.remote.put([(id, Lazy.object(2).1)])
    let error = #expect(throws: DSVError.self) { try lazy.store.read(id) }
    #expect(error?.code == .corrupt)
    #expect(error?.message.contains("packs/") == true)
    lazy.source.close()
    #expect(try !lazy.store.contains(id))
  }

  @Test("a remote that cannot be reached is told with the object; what is here stays readable")
  func unreachable() throws {
    let lazy = try Lazy { FaultyBucket($0, .call(0, isForever: true)) }
    let (here, there) = (Lazy.object(1), Lazy.object(2))
    try lazy.remote.put([here, there])
    let session = try lazy.store.session()
    try session.put(here.0, here.1)
    try session.publish { (_) throws(DSVError) in }
    #expect(try lazy.store.read(here.0) == here.1)
    let error = #expect(throws: DSVError.self) { try lazy.store.read(there.0) }
    #expect(error?.code == .io)
    for part in ["\(there.0)", "origin"] { #expect(error?.message.contains(part) == true) }
  }

  @Test("a pack that is gone is told by name")
  func lostPack() throws {
    let lazy = try Lazy()
    let (id, object) = Lazy.object(1)
    try lazy.remote.put([(id, object)])
    lazy.memory.contents = [:]
    let error = #expect(throws: DSVError.self) { try lazy.store.read(id) }
    #expect(error?.code == .notFound)
    #expect(error?.message.contains("packs/") == true)
  }

  @Test("no more is staged than the limit, however much is told ahead")
  func staging() throws {
    var limits = FetchLimits()
    limits.stagedByteCount = 1 << 20
    limits.requestByteCount = 200_000
    let lazy = try Lazy(latencyNanoseconds: 1_000_000, limits: limits)
    let objects = (0..<1000).map { Lazy.object($0, byteCount: 10_000) }
    try lazy.remote.put(objects)
    lazy.store.prefetch(objects.map(\.0))
    for (id, object) in objects { #expect(try lazy.store.read(id) == object) }
    #expect(lazy.source.counts.stagedByteCountMax <= 1 << 20 + 20_000)
    #expect(lazy.bucket.requestCount < 120)
  }

  @Test("what was told and never asked for makes room")
  func abandoned() throws {
    var limits = FetchLimits()
    limits.stagedByteCount = 200_000
    limits.requestByteCount = 50_000
    limits.staleNanoseconds = 50_000_000
    let lazy = try Lazy(limits: limits)
    let objects = (0..<100).map { Lazy.object($0, byteCount: 10_000) }
    try lazy.remote.put(objects)
    lazy.store.prefetch(objects[..<50].map(\.0))
    Clock.sleep(nanoseconds: 200_000_000)
    lazy.store.prefetch(objects[50...].map(\.0))
    for (id, object) in objects[50...] { #expect(try lazy.store.read(id) == object) }
    for (id, object) in objects[..<50] { #expect(try lazy.store.read(id) == object) }
    #expect(lazy.source.counts.stagedByteCountMax <= 260_000)
  }

  @Test("what an object builds on comes too, and all of it goes to the disk")
  func bases() throws {
    let lazy = try Lazy()
    var objects: [(AnyID, StoredObject)] = []
    for number in UInt64(0)..<60 {
      let depth = Int(number % 6)
      let base = depth == 0 ? nil : objects.last.map { ObjectBase($0.0, depth: depth) }
      objects.append(Lazy.object(number, base: base))
    }
    try lazy.remote.put(objects.reversed())
    for (id, object) in objects.reversed() { #expect(try lazy.store.read(id) == object) }
    lazy.source.close()
    let count = lazy.bucket.requestCount
    for (id, object) in objects {
      #expect(try lazy.store.contains(id))
      #expect(try lazy.store.read(id) == object)
    }
    #expect(lazy.bucket.requestCount == count)
  }

  @Test("objects that build on each other are corrupt, and nobody waits for ever", .timeLimit(.minutes(30)))
  func cycle() throws {
    let lazy = try Lazy()
    let one = Lazy.object(1, base: ObjectBase(Lazy.object(2).0, depth: 1))
    let two = Lazy.object(2, base: ObjectBase(Lazy.object(1).0, depth: 1))
    try lazy.remote.put([one, two])
    for (id, _) in [one, two] {
      let error = #expect(throws: DSVError.self) { try lazy.store.read(id) }
      #expect(error?.code == .corrupt)
    }
  }

  @Test("the disk gets what was read, some megabytes at a time; nobody waits, and gc is let in between")
  func promotion() throws {
    let lazy = try Lazy()
    let objects = (0..<1200).map { Lazy.object($0, byteCount: 20_000) }
    try lazy.remote.put(objects)
    for (id, object) in objects { #expect(try lazy.store.read(id) == object) }
    try lazy.store.collectGarbage(waitSeconds: 20) { () throws(DSVError) in { _ in true } }
    lazy.source.close()
    lazy.bucket.reset()
    for (id, object) in objects { #expect(try lazy.store.read(id) == object) }
    #expect(lazy.bucket.requestCount == 0)
    #expect(lazy.source.counts.promotedCount == 1200)
    #expect(try lazy.store.checkPacks().problems == [])
  }

  @Test("a store over a remote keeps every promise of an object store")
  func conformance() throws {
    let lazy = try Lazy()
    #expect(try checkObjectStore(RemoteBackedSink(lazy)) == [])
    let slow = try Lazy(latencyNanoseconds: 500_000)
    #expect(try checkObjectStore(RemoteBackedSink(slow)) == [])
    let faulty = try Lazy()
    // Every second answer is damaged: the one that is asked for again is not.
    faulty.bucket.damage(1 << 20, byte: 30, every: 2)
    #expect(try checkObjectStore(RemoteBackedSink(faulty)) == [])
    #expect(faulty.bucket.requestCount > 20)
  }

  @Test("a remote that cannot be looked at is not asked again for each object")
  func unreachableOften() throws {
    let lazy = try Lazy()
    let objects = (0..<40).map { Lazy.object(UInt64($0)) }
    try lazy.remote.put(objects)
    lazy.memory.contents = [:]
    let places = UnreadablePlaces(base: lazy.remote)
    let source = RemoteSource(
      [RemoteTier("origin", lazy.bucket, places)], for: lazy.store, promoter: Promoter(lazy.store)
    ) { (_, _, _) throws(DSVError) in }
    lazy.store.attach(source)
    for (id, _) in objects {
      let error = try #require(throws: DSVError.self) { try lazy.store.read(id) }
      #expect(error.code == .io && error.message.contains("on purpose"))
    }
    // One in thirty seconds, and reading all of them takes no minute for each.
    #expect((1..<objects.count / 2).contains(places.count.load(ordering: .relaxed)))
  }

  @Test("threads that read at random get what is there", arguments: [1, 2, 3] as [UInt64])
  func random(seed: UInt64) throws {
    let lazy = try Lazy { FaultyBucket($0, .chance(0.05, seed: seed)) }
    let objects = (0..<400).map { Lazy.object($0, byteCount: 100 + Int($0) * 37) }
    try lazy.remote.put(objects, packByteCount: 500_000)
    let wrong = Atomic<Int>(0)
    onThreads(8) { number in
      var random = SeededGenerator(seed: seed * 100 + UInt64(number))
      for _ in 0..<300 {
        let first = random.below(objects.count)
        if random.oneIn(4) {
          lazy.store.prefetch(objects[first...].prefix(random.below(80)).map(\.0))
        }
        let (id, object) = objects[first]
        do throws(DSVError) {
          if try lazy.store.read(id) != object { wrong.add(1, ordering: .relaxed) }
        } catch {
          if error.code != .io { wrong.add(1, ordering: .relaxed) }
        }
      }
    }
    #expect(wrong.load(ordering: .relaxed) == 0, "seed \(seed)")
    lazy.source.close()
    #expect(try lazy.store.checkPacks().problems == [])
  }
}

/// Puts into the remote, and reads through the store.
private struct RemoteBackedSink: ObjectSink {
  let lazy: Lazy
  let store: Store
  var naming: ObjectNaming { store.naming }

  init(_ lazy: Lazy) {
    self.lazy = lazy
    store = lazy.store
    // The suite's IDs are no hashes.
    store.attach(
      RemoteSource(
        [RemoteTier("origin", lazy.bucket, lazy.remote)], for: store, kinds: Set(ObjectKind.allCases),
        promoter: Promoter(store)
      ) { (_, _, _) throws(DSVError) in })
  }

  func contains(_ id: AnyID) throws(DSVError) -> Bool {
    if try lazy.remote.place(of: id) != nil { return true }
    return try store.contains(id)
  }

  func read(_ id: AnyID) throws(DSVError) -> StoredObject { try store.read(id) }

  func put(_ id: AnyID, _ object: StoredObject) throws(DSVError) {
    if try !contains(id) { try lazy.remote.put([(id, object)]) }
  }
}

/// Where the objects of a remote were that cannot be looked at any more.
private final class UnreadablePlaces: RemotePlaces {
  let base: PackedRemote
  /// How often it was tried.
  let count = Atomic<Int>(0)

  init(base: PackedRemote) { self.base = base }

  func refresh() throws(DSVError) {
    count.add(1, ordering: .relaxed)
    throw DSVError(.io, "it fails on purpose")
  }

  func place(of id: AnyID) throws(DSVError) -> RemotePlace? { try base.place(of: id) }
  func objects(in pack: RemotePack) throws(DSVError) -> [(AnyID, RemotePlace)] { try base.objects(in: pack) }
  func markVerified(_ pack: PackID, over slots: [UInt32]) throws(DSVError) -> Bool {
    try base.markVerified(pack, over: slots)
  }
  func forgetVerified(_ pack: PackID) throws(DSVError) {}
  func pack(slot: UInt32) throws(DSVError) -> RemotePack? { try base.pack(slot: slot) }
  var totals: (objectCount: Int, byteCount: Int) { get throws(DSVError) { try base.totals } }
  func codec(of pack: RemotePack) throws(DSVError) -> PackCodec { try base.codec(of: pack) }
}
