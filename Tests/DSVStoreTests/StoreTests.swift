import DSVFormat
import DSVStore
import DSVSystem
import DSVTesting
import Glibc
import Testing

@Suite struct StoreTests {
  let scratch: Scratch

  private static var isSanitized: Bool {
    dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil
  }

  init() throws { scratch = try Scratch() }

  @Test("memory and a session keep the promises of an object store")
  func conformance() throws {
    #expect(try checkObjectStore(MemoryObjectStore()) == [])
    let store = try scratch.create()
    let session = try store.session()
    #expect(try checkObjectStore(session) == [])
    #expect(try store.objectCount == 0, "nothing is visible before it is published")
    try session.publish { (_) throws(DSVError) in }
    #expect(try checkObjectStore(session) == [], "the promises hold for published objects too")
    #expect(try store.objectCount == 20)
  }

  @Test("what was published is there after opening again: objects, refs, versions, reflog")
  func roundTrip() throws {
    do {
      let store = try scratch.create()
      for number: UInt64 in 1...20 { #expect(try store.publishTest(number) == Int(number)) }
    }
    let store = try scratch.open()
    #expect(scratch.notes == [])
    #expect(try store.objectCount == 20)
    for number: UInt64 in 1...20 {
      let (id, object) = testObject(number)
      #expect(try store.read(id) == object)
      #expect(try store.commit(number: Int(number)) == testID(number))
      #expect(try store.number(of: testID(number)) == Int(number))
      let commit: CommitID = testID(number)
      #expect(try store.commits(hexPrefix: String(commit.description.prefix(7))) == [commit])
    }
    #expect(try store.versionCount == 20)
    #expect(try store.ref("HEAD") == .symbolic("heads/main"))
    #expect(try store.ref("heads/main") == .commit(testID(20)))
    #expect(try store.refs(prefix: "heads/").map(\.0) == ["heads/main"])
    let reflog = try store.reflog()
    #expect(reflog.count == 21)
    #expect(reflog.last?.number == 20)
    #expect(reflog.last?.old == .commit(testID(19)))
    #expect(reflog.last?.action == "test 20")
    let report = try store.checkPacks()
    #expect(report.problems == [])
    #expect(report.recordCount == 20)
    #expect(report.packCount == 1, "small publications share a pack")
  }

  @Test("a large session fills packs of its own, reads from them, and removes them if it is given up")
  func largeSession() throws {
    let store = try scratch.create()
    try store.publishTest(1)
    let before = try store.byteCount
    do {
      let session = try store.session()
      for number: UInt64 in 100..<140 {
        let (id, object) = testObject(number, byteCount: 100_000)
        try session.put(id, object)
      }
      #expect(try FileSystem.list("\(scratch.root)/packs").count == 2)
      for number: UInt64 in 100..<140 {
        let (id, object) = testObject(number, byteCount: 100_000)
        #expect(try session.read(id) == object)
      }
    }
    #expect(try store.byteCount == before)
    let session = try store.session()
    for number: UInt64 in 100..<140 {
      let (id, object) = testObject(number, byteCount: 100_000)
      try session.put(id, object)
    }
    try session.publish { (_) throws(DSVError) in }
    for number: UInt64 in 100..<140 {
      let (id, object) = testObject(number, byteCount: 100_000)
      #expect(try store.read(id) == object)
    }
    #expect(try store.checkPacks().problems == [])
    try store.publishTest(2)
    #expect(try store.objectCount == 42)
  }

  @Test("a pack is sealed at its size and the next one begun")
  func sealing() throws {
    let store = try scratch.create()
    let session = try store.session()
    for number: UInt64 in 0..<18 {
      let (id, object) = testObject(number, byteCount: 4 << 20)
      try session.put(id, object)
    }
    try session.publish { (_) throws(DSVError) in }
    #expect(try FileSystem.list("\(scratch.root)/packs").count == 2)
    #expect(try store.checkPacks().problems == [])
    #expect(try store.checkPacks().recordCount == 18)
  }

  @Test(
    "a ref that somebody else moved is a conflict that names it, and nothing of the publication is visible")
  func conflict() throws {
    let store = try scratch.create()
    try store.publishTest(1)
    let session = try store.session()
    let (id, object) = testObject(2)
    try session.put(id, object)
    let error = #expect(throws: DSVError.self) {
      try session.publish { (publication) throws(DSVError) in
        try publication.move(RefMove("tags/a", expected: .nothing, new: .commit(testID(2)), action: "tag"))
        try publication.move(
          RefMove("heads/main", expected: .target(.commit(testID(9))), new: .commit(testID(2)), action: "x"))
      }
    }
    #expect(error?.code == .conflict)
    #expect(error?.message.contains("heads/main") == true)
    #expect(try store.ref("tags/a") == nil)
    #expect(try !store.contains(id))
    try session.publish { (publication) throws(DSVError) in
      #expect(try! publication.ref("heads/main") == .commit(testID(1)))
      try publication.move(
        RefMove("heads/main", expected: .target(.commit(testID(1))), new: .commit(testID(2)), action: "x"))
      try publication.move(
        RefMove("heads/main", expected: .target(.commit(testID(2))), new: nil, action: "x"))
    }
    #expect(try store.ref("heads/main") == nil)
    #expect(try store.contains(id))
  }

  @Test("a missing or rebuilt index gives the same answers")
  func rebuild() throws {
    var ids: [AnyID] = []
    do {
      let store = try scratch.create()
      for number: UInt64 in 1...30 { try store.publishTest(number, ref: "heads/\(number % 3)") }
      ids = try store.allIDs()
    }
    for step in 0..<3 {
      if step == 0 { try FileSystem.removeTree("\(scratch.root)/index") }
      if step == 1 { try FileSystem.remove("\(scratch.root)/index.stamp") }
      let store = try scratch.open()
      if step == 2 { try store.rebuildIndex() }
      #expect(scratch.notes.count == 1, "only the missing index was rebuilt")
      #expect(try store.allIDs() == ids)
      #expect(try store.versionCount == 30)
      #expect(try store.ref("HEAD") == .symbolic("heads/main"))
      for branch: UInt64 in 0..<3 {
        #expect(try store.ref("heads/\(branch)") == .commit(testID(branch == 0 ? 30 : 27 + branch)))
      }
      #expect(try store.reflog().count == 31)
      #expect(try store.checkPacks().problems == [])
    }
    let store = try scratch.open()
    #expect(try store.publishTest(31) == 31)
    #expect(try store.checkPacks().problems == [])
  }

  @Test("the map grows with the index")
  func growth() throws {
    let store = try scratch.create()
    let session = try store.session()
    for number: UInt64 in 0..<60_000 {
      try session.put(testID(number), kind: .node, plainByteCount: 0, bytes: [])
    }
    try session.publish { (_) throws(DSVError) in }
    let other = try scratch.open()
    for number: UInt64 in 60_000..<250_000 {
      try session.put(testID(number), kind: .node, plainByteCount: 0, bytes: [])
    }
    try session.publish { (_) throws(DSVError) in }
    #expect(try FileSystem.status("\(scratch.root)/index/data.mdb")!.byteCount > 16 << 20)
    #expect(try other.objectCount == 250_000)
  }

  @Test(
    "where there is no room for a larger map, the change is refused, and goes through once there is",
    .disabled(if: Self.isSanitized, "its shadow memory takes all room"))
  func growthRefused() async throws {
    await #expect(processExitsWith: .success) {
      let scratch = try Scratch()
      let environment = try Environment(scratch.path, tables: ["a"])
      func put(_ keys: Range<Int>) throws(DSVError) {
        try environment.write { (transaction) throws(DSVError) in
          for key in keys { try transaction.put(0, Array("\(key)".utf8), [UInt8](repeating: 1, count: 8000)) }
        }
      }
      try put(0..<100)
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
      let statistics = try File("/proc/self/statm", .read).read(upTo: 100, at: 0)
      let text = String(decoding: statistics, as: UTF8.self)
      let pageCount = try #require(text.split(separator: " ").first.flatMap { UInt($0) })
      var less = limit
      less.rlim_cur = rlim_t(pageCount * 4096 + 8 << 20)
      setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &less)
      for _ in 0..<2 {
        let error = #expect(throws: DSVError.self) { try put(100..<3000) }
        #expect(error?.code == .io)
      }
      setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
      try put(100..<3000)
      #expect(try FileSystem.status("\(scratch.path)/data.mdb")!.byteCount > 20 << 20)
    }
  }

  @Test("a repository of a newer dsv is refused, with its feature named")
  func format() throws {
    _ = try scratch.create()
    for (text, code) in [
      ("dsv 2\n", DSVError.Code.unsupportedFormat), ("dsv 1\nreader-required zebra\n", .unsupportedFormat),
      ("dsv 1", .corrupt), ("", .corrupt), ("dsv x\n", .corrupt), ("dsv 1\nzebra\n", .corrupt),
    ] {
      try FileSystem.replace("\(scratch.root)/format", with: Array(text.utf8))
      #expect(try #require(throws: DSVError.self) { try scratch.open() }.code == code)
    }
    let features = (TestStore.isEncrypted ? "reader-required encryption\n" : "") + "writer-required zebra\n"
    try FileSystem.replace("\(scratch.root)/format", with: Array("dsv 1\n\(features)".utf8))
    let store = try scratch.open()
    #expect(try store.ref("HEAD") != nil)
    #expect(try #require(throws: DSVError.self) { try store.session() }.code == .unsupportedFormat)
    #expect(try #require(throws: DSVError.self) { try Store.open(at: "/nowhere/.dsv") }.code == .notFound)
    #expect(try #require(throws: DSVError.self) { try scratch.create() }.code == .conflict)
  }
}
