import DSVFormat
import DSVStore
import DSVSystem
import DSVTesting
import Testing

@Suite struct GarbageTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  @Test("gc removes garbage, keeps the rest, gives space back and leaves a sound repository")
  func collect() throws {
    let store = try scratch.create()
    for pack: UInt64 in 0..<3 {
      let session = try store.session()
      for number in pack * 40..<pack * 40 + 40 {
        let (id, object) = testObject(number, byteCount: 40_000)
        try session.put(id, object)
      }
      try session.publish { (_) throws(DSVError) in }
    }
    try store.publishTest(1000)
    let reader = try scratch.open()
    let before = try store.byteCount
    // Pack 1 is all live, pack 2 half, pack 3 not at all; the open pack is.
    let live = Set((Array(0..<60) + [1000]).map { testID($0) as AnyID })
    let report = try store.collectGarbage { () throws(DSVError) in { live.contains($0) } }
    #expect(report.deletedObjectCount == 60)
    #expect(report.keptObjectCount == 61)
    #expect(report.deletedPackCount == 2 && report.rewrittenPackCount == 1)
    #expect(report.freedByteCount > 60 * 40_000)
    #expect(try before - store.byteCount > 59 * 40_000)
    for store in [store, reader, try scratch.open()] {
      #expect(try Set(store.allIDs()) == live)
      for number: UInt64 in 0..<60 {
        let (id, object) = testObject(number, byteCount: 40_000)
        #expect(try store.read(id) == object)
      }
      #expect(throws: DSVError.self) { try store.read(testID(70)) }
    }
    #expect(try store.checkPacks().problems == [])
    #expect(try store.checkPacks().unindexedRecordCount == 0)
    #expect(try store.collectGarbage { () throws(DSVError) in { live.contains($0) } }.deletedPackCount == 0)
    try store.publishTest(1001)
    try store.rebuildIndex()
    #expect(try Set(store.allIDs()) == live.union([testID(1001)]))
  }

  @Test("gc waits for sessions and leases, which wait for gc")
  func waits() throws {
    let store = try scratch.create()
    try store.publishTest(1)
    func collect() throws(DSVError) {
      try store.collectGarbage(waitSeconds: 0.01) { () throws(DSVError) in { _ in false } }
    }
    do {
      let lease = try store.lease()
      #expect(try #require(throws: DSVError.self) { try collect() }.code == .busy)
      withExtendedLifetime(lease) {}
    }
    do {
      let session = try scratch.open().session()
      #expect(try #require(throws: DSVError.self) { try collect() }.code == .busy)
      withExtendedLifetime(session) {}
    }
    try collect()
    #expect(try store.objectCount == 0)
    #expect(try FileSystem.list("\(scratch.root)/packs") == [])
    try store.publishTest(2)
    #expect(try FileSystem.list("\(scratch.root)/packs") == ["00000002.pack"], "no number is used twice")
    #expect(try store.checkPacks().problems == [])
  }

  @Test("packs and temporary files of the dead are swept, those of the living are not")
  func orphans() throws {
    let store = try scratch.create()
    try store.publishTest(1)
    try FileSystem.replace("\(scratch.root)/packs/0000002a.pack", with: [1, 2, 3])
    try FileSystem.replace("\(scratch.root)/tmp/dead", with: [1])
    let living = try store.keyFolder.temporaryFile()
    #expect(try store.checkPacks().problems == [], "what nobody points at is no damage")
    try store.collectGarbage { () throws(DSVError) in { _ in true } }
    #expect(try FileSystem.list("\(scratch.root)/packs") == ["00000001.pack"])
    #expect(try FileSystem.list("\(scratch.root)/tmp").count == 1)
    #expect(try FileSystem.exists(living.file.path))
    _ = consume living
    #expect(try FileSystem.list("\(scratch.root)/tmp").count == 0)
  }

  @Test("check names every object that a pack which was cut short has lost")
  func cutShort() throws {
    let store = try scratch.create()
    for number: UInt64 in 0..<10 { try store.publishTest(number, byteCount: 1000) }
    let place = try #require(try store.place(of: testID(6)))
    try File("\(scratch.root)/packs/00000001.pack", .update).truncate(to: place.offset + 10)
    let lost = Set(try store.checkPacks().problems.compactMap(\.id))
    #expect(lost == Set((6..<10).map { testID($0) }))
    #expect(try #require(throws: DSVError.self) { try store.read(testID(9)) }.code == .corrupt)
    try store.publishTest(10)
    #expect(try store.read(testID(10)).bytes.count == 100)
    #expect(try FileSystem.list("\(scratch.root)/packs").count == 2, "nothing is appended to a damaged pack")
  }

  @Test("a pack with a damaged live record is kept")
  func damaged() throws {
    let store = try scratch.create()
    for number: UInt64 in 0..<10 { try store.publishTest(number, byteCount: 1000) }
    let place = try #require(try store.place(of: testID(3)))
    let file = try File("\(scratch.root)/packs/00000001.pack", .update)
    try file.write([1, 2, 3], at: place.offset + 100)
    let live = Set((0..<5).map { testID($0) as AnyID })
    let report = try store.collectGarbage { () throws(DSVError) in { live.contains($0) } }
    #expect(report.deletedPackCount == 0)
    #expect(try #require(throws: DSVError.self) { try store.read(testID(3)) }.code == .corrupt)
    #expect(try store.read(testID(4)) == testObject(4, byteCount: 1000).1)
    let problems = try store.checkPacks().problems
    #expect(problems.contains { $0.id == testID(3) && $0.offset == place.offset })
    #expect(problems.count == 2, "\(problems)")
  }
}
