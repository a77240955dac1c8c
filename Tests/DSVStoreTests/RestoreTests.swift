import DSVFormat
import DSVStore
import DSVTesting
import Testing

/// Objects whose stored form is exchanged for another.
@Suite struct RestoreTests {
  let scratch: Scratch
  init() throws { scratch = try Scratch() }

  func form(_ number: UInt64, base: UInt64? = nil, depth: Int = 1, fill: UInt8) -> (AnyID, StoredObject) {
    let (id, whole) = testObject(number, byteCount: 60)
    let base = base.map { ObjectBase(testID($0), depth: depth) }
    return (
      id,
      StoredObject(
        kind: whole.kind, plainByteCount: whole.plainByteCount, base: base,
        bytes: [UInt8](repeating: fill, count: 40))
    )
  }

  func publish(_ store: Store, put: [(AnyID, StoredObject)] = [], restore: [(AnyID, StoredObject)] = [])
    throws
  {
    let session = try store.session()
    for (id, object) in put { try session.put(id, object) }
    for (id, object) in restore { try session.restore(id, object) }
    try session.publish { (_) throws(DSVError) in }
  }

  @Test("the new form is read from its publication on, and the old one is gone after gc")
  func exchange() throws {
    let store = try scratch.create()
    try publish(store, put: [form(1, fill: 1), form(2, fill: 2)])
    let new = form(1, base: 2, fill: 3)
    let session = try store.session()
    try session.restore(new.0, new.1)
    #expect(try store.read(new.0) == form(1, fill: 1).1)
    try session.publish { (_) throws(DSVError) in }
    #expect(try store.read(new.0) == new.1 && store.baseID(of: new.0) == testID(2))
    withExtendedLifetime(session) {}
  }

  @Test("an object that others build on, or that is a base beside it, is given no base")
  func used() throws {
    let store = try scratch.create()
    try publish(store, put: [form(1, fill: 1), form(2, fill: 2), form(3, fill: 3)])
    try publish(store, put: [form(4, base: 1, fill: 4)])
    // 4 builds on 1; 2 and 3 name each other.
    try publish(
      store, restore: [form(1, base: 2, fill: 5), form(2, base: 3, fill: 6), form(3, base: 2, fill: 7)])
    for number: UInt64 in 1...3 { #expect(try store.baseDepth(of: testID(number)) == 0) }
    // A whole form may come instead of anything.
    try publish(store, restore: [form(1, fill: 8), form(4, fill: 9)])
    #expect(try store.read(testID(1)) == form(1, fill: 8).1)
    #expect(try store.read(testID(4)) == form(4, fill: 9).1)
    // An index made from all the records, old and new ones, names no base that is as deep.
    try store.rebuildIndex()
    for number: UInt64 in 1...4 {
      let (depth, base) = (try store.baseDepth(of: testID(number)), try store.baseID(of: testID(number)))
      if let depth, let base { #expect(try #require(try store.baseDepth(of: base)) < depth) }
    }
  }

  @Test("what builds on an object that got a base meanwhile is a conflict, and succeeds when done again")
  func conflict() throws {
    let store = try scratch.create()
    try publish(store, put: [form(1, fill: 1), form(2, fill: 2)])
    let session = try store.session()
    let base = try #require(try session.baseForNew(testID(1)))
    try session.put(testID(4), StoredObject(kind: .chunk, plainByteCount: 9, base: base, bytes: [1]))
    try publish(store, restore: [form(1, base: 2, fill: 3)])
    #expect { try session.publish { (_) throws(DSVError) in } } throws: {
      ($0 as? DSVError)?.code == .conflict
    }
    try publish(store, put: [form(4, base: 1, depth: 2, fill: 4)])
    #expect(try store.baseDepth(of: testID(4)) == 2)
  }
}
