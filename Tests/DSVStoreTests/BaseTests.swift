import DSVFormat
import DSVStore
import DSVSystem
import DSVTesting
import Testing

/// What the store promises of objects that build on others.
@Suite struct BaseTests {
  let scratch: Scratch
  init() throws { scratch = try Scratch() }

  /// An object that builds on another, whose number is `base`.
  func object(_ number: UInt64, base: UInt64, depth: Int) -> (AnyID, StoredObject) {
    let (id, whole) = testObject(number, byteCount: 60)
    return (
      id,
      StoredObject(
        kind: whole.kind, plainByteCount: 100, base: ObjectBase(testID(base), depth: depth),
        bytes: whole.bytes)
    )
  }

  func publish(_ store: Store, _ objects: (AnyID, StoredObject)...) throws {
    let session = try store.session()
    for (id, object) in objects { try session.put(id, object) }
    try session.publish { (_) throws(DSVError) in }
  }

  func collect(_ store: Store, keeping live: Set<UInt64>, share: Double = 0) throws {
    let live = Set(live.map { testID($0) as AnyID })
    try store.collectGarbage(garbageShareMin: share) { () throws(DSVError) in { live.contains($0) } }
  }

  @Test("an object and its base's name come back from the session, the pack, a copy by gc, and a new index")
  func reading() throws {
    let store = try scratch.create()
    try publish(store, testObject(1), testObject(9))
    let (id, extended) = object(2, base: 1, depth: 1)
    let session = try store.session()
    #expect(try session.baseForNew(testID(1)) == ObjectBase(testID(1), depth: 1))
    try session.put(id, extended)
    #expect(try session.read(id) == extended)
    #expect(try session.baseForNew(id) == nil, "what is not published is no base")
    try session.publish { (_) throws(DSVError) in }
    #expect(try store.read(id) == extended && store.baseDepth(of: id) == 1)
    #expect(try session.baseForNew(id) == ObjectBase(id, depth: 2))
    withExtendedLifetime(session) {}
  }

  @Test("what gc copies keeps its base, and nothing may build on an eighth")
  func copies() throws {
    let store = try scratch.create()
    try publish(store, testObject(0), testObject(100))
    for number: UInt64 in 1...8 { try publish(store, object(number, base: number - 1, depth: Int(number))) }
    try collect(store, keeping: Set(0...8))
    #expect(try store.objectCount == 9)
    try store.rebuildIndex()
    for number: UInt64 in 1...8 {
      let (id, extended) = object(number, base: number - 1, depth: Int(number))
      #expect(try store.read(id) == extended && store.baseDepth(of: id) == Int(number))
    }
    let session = try store.session()
    #expect(try session.baseForNew(testID(7))?.depth == 8 && session.baseForNew(testID(8)) == nil)
    withExtendedLifetime(session) {}
    #expect(try store.checkPacks().problems == [])
  }

  @Test("a dead object whose base goes is no longer there, so that it is written again")
  func deadExtension() throws {
    let store = try scratch.create()
    // In packs of their own, so that gc takes the base's and leaves the other's.
    try publish(store, testObject(1, byteCount: 1_200_000), testObject(3, byteCount: 30_000))
    let (id, extended) = object(2, base: 1, depth: 1)
    try publish(store, (id, extended), testObject(4, byteCount: 1_200_000))
    try collect(store, keeping: [3, 4], share: 0.5)
    #expect(try !store.contains(testID(1)) && !store.contains(id))
    #expect(try store.checkPacks(verify: { $1.base == nil ? nil : "it has no base" }).problems == [])
    // Nor does it come back from its pack, where it still is.
    try store.rebuildIndex()
    #expect(try !store.contains(id) && store.contains(testID(4)))
    try publish(store, testObject(2))
    try store.rebuildIndex()
    #expect(try store.read(id) == testObject(2).1)
  }

  @Test("a record that gc has left behind without its base hides no good one from an index made anew")
  func staleRecord() throws {
    let store = try scratch.create()
    try publish(store, testObject(1, byteCount: 1_200_000), testObject(3, byteCount: 30_000))
    try publish(store, object(2, base: 1, depth: 1), testObject(4, byteCount: 1_200_000))
    try collect(store, keeping: [3, 4], share: 0.5)
    // The same object again, deeper than the record that lies beside 4.
    try publish(store, testObject(5))
    try publish(store, object(6, base: 5, depth: 1))
    let (id, again) = object(2, base: 6, depth: 2)
    try publish(store, (id, again))
    try store.rebuildIndex()
    #expect(try store.read(id) == again && store.baseDepth(of: id) == 2)
    #expect(try store.checkPacks().problems == [])
  }

  @Test("a pack with nothing but dead objects that build on others leaves the index before it goes")
  func deadPack() throws {
    let store = try scratch.create()
    try publish(store, testObject(1))
    try publish(store, object(2, base: 1, depth: 1), testObject(5, byteCount: 1_200_000))
    try collect(store, keeping: [1])
    #expect(try store.allIDs() == [testID(1)])
    try publish(store, object(3, base: 1, depth: 1))
    try collect(store, keeping: [])
    #expect(try store.allIDs() == [] && store.checkPacks().problems == [])
  }

  @Test(
    "of an object's records in an index made anew the one with the fewest bases counts: no two name each other"
  )
  func noCycle() throws {
    let store = try scratch.create()
    try publish(store, testObject(1), testObject(10, byteCount: 1_200_000))
    try publish(store, object(2, base: 1, depth: 1), testObject(11, byteCount: 1_200_000))
    // 1 and 2 go, and their records stay.
    try collect(store, keeping: [10, 11], share: 1)
    try publish(store, testObject(2))
    try publish(store, object(1, base: 2, depth: 1))
    try store.rebuildIndex()
    for number: UInt64 in [1, 2] {
      var (id, depth) = (testID(number) as AnyID, 0)
      while let base = try store.read(id).base {
        (id, depth) = (base.id, depth + 1)
        try #require(depth < 3)
      }
    }
  }

  @Test("where two sessions put one object, what is there does not get more bases")
  func race() throws {
    let store = try scratch.create()
    try publish(store, testObject(1))
    let (first, second) = (try store.session(), try store.session())
    let (id, extended) = object(2, base: 1, depth: 1)
    try second.put(id, extended)
    try first.put(id, testObject(2).1)
    try first.publish { (_) throws(DSVError) in }
    try second.publish { (_) throws(DSVError) in }
    #expect(try store.baseDepth(of: id) == 0 && store.read(id) == testObject(2).1)
    #expect(try store.checkPacks().problems == [])
  }
}
