import DSVFormat
import DSVSystem
import DSVTesting
import Testing

@testable import DSVStore

/// A publication that a crash broke off between reflog and index may happen later on: when the index is made again. So it
/// must be whole then, or have left the reflog before anything that it needs is taken away.
@Suite struct BrokenOffTests {
  /// Publishes object and version `number`; killed at durable step `step` of that, and at its end at the latest.
  static func publish(_ number: UInt64, at root: String, byteCount: Int, killedAt step: Int) async {
    await #expect(processExitsWith: .signal(9)) {
      [root = root as String, number = number as UInt64, byteCount = byteCount as Int, step = step as Int] in
      let store = try TestStore.open(at: root)
      Faults.arm(under: root, first: step, outcome: .kill)
      try store.publishTest(number, byteCount: byteCount)
      Faults.arm(under: root, first: 0, outcome: .kill)
      try FileSystem.makeFolder("\(root)/end")
    }
  }

  /// Loses the index; what the branch leads to then must be one of these, whole.
  static func loseIndex(_ scratch: Scratch, _ numbers: ClosedRange<UInt64>, _ context: String) throws {
    try FileSystem.removeTree("\(scratch.root)/index")
    let store = try scratch.open()
    let main = try store.ref("heads/main")
    let number = try #require(numbers.first { main == .commit(testID($0)) }, "\(context)")
    #expect(try store.contains(testID(number)), "\(context): main leads to what is not there")
    #expect(try store.read(testID(number)).kind == .chunk, "\(context)")
    #expect(try store.checkPacks().problems == [], "\(context)")
  }

  @Test(
    "gc takes nothing away that a publication which was broken off needs, while that can still happen",
    arguments: [100, 1_500_000])
  func collected(byteCount: Int) async throws {
    for step in 0..<10 {
      let scratch = try Scratch()
      try scratch.create().publishTest(1)
      await Self.publish(2, at: scratch.root, byteCount: byteCount, killedAt: step)
      let store = try scratch.open()
      let main = try store.ref("heads/main")
      try store.collectGarbage(garbageShareMin: 0) { () throws(DSVError) in { .commit(CommitID($0)) == main }
      }
      try Self.loseIndex(scratch, 1...2, "\(byteCount) bytes, step \(step)")
    }
  }

  @Test(
    "the next publication writes over nothing that one which was broken off needs, while that can still happen"
  )
  func writtenOver() async throws {
    for first in 0..<6 {
      for second in 0..<8 {
        let scratch = try Scratch()
        try scratch.create().publishTest(1)
        await Self.publish(2, at: scratch.root, byteCount: 100, killedAt: first)
        await Self.publish(3, at: scratch.root, byteCount: 90, killedAt: second)
        try Self.loseIndex(scratch, 1...3, "steps \(first) and \(second)")
      }
    }
  }

  @Test("a publication whose reflog record may be there keeps its packs until it is taken back")
  func failed() throws {
    for step in 0..<30 {
      let scratch = try Scratch()
      let store = try scratch.create()
      try store.publishTest(1)
      Faults.arm(under: scratch.root, first: step, isForever: true)
      let result = Result { try store.publishTest(2, byteCount: 1_500_000) }
      let stepCount = Faults.disarm(under: scratch.root)
      try Self.loseIndex(scratch, 1...2, "step \(step)")
      if stepCount <= step {
        #expect(throws: Never.self) { try result.get() }
        return
      }
    }
    Issue.record("the sweep has no end")
  }

  /// Makes it look as if who wrote transaction `number + 1` was killed before LMDB told the others.
  static func untell(_ number: UInt64, _ scratch: Scratch, _ store: Store) async throws {
    // Killed as it holds LMDB's mutex; and what it would have said last is as it was before.
    await publish(9, at: scratch.root, byteCount: 100, killedAt: 4)
    let file = try File("\(scratch.root)/index/lock.mdb", .update)
    let header = try file.read(128, at: 0)
    let offset = try #require(
      stride(from: 8, to: 128, by: 8).first { header.number($0, 8) == number + 1 }, "\(header)")
    try withUnsafeBytes(of: number) { try file.write($0, at: offset) }
    #expect(try store.index.transactionID == number, "that is what these tests are about")
  }

  @Test("what a gc has deleted that was killed after its commit is not taken for there")
  func untoldCollection() async throws {
    let scratch = try Scratch()
    let store = try scratch.create()
    try store.publishTest(1)
    try store.publishTest(2, ref: "heads/waste", byteCount: 1_500_000)
    let before = try store.index.transactionID
    try store.collectGarbage { () throws(DSVError) in { $0 == testID(1) } }
    try await Self.untell(before, scratch, store)
    #expect(try store.publishTest(2, byteCount: 1_500_000) == 2)
    #expect(try store.read(testID(2)).bytes.count == 1_500_000)
    #expect(try store.checkPacks().problems == [])
  }

  @Test("a writer that was killed after its commit, before LMDB told the others, is not written over")
  func untold() async throws {
    let scratch = try Scratch()
    let store = try scratch.create()
    try store.publishTest(1)
    let before = try store.index.transactionID
    try store.publishTest(2)
    try await Self.untell(before, scratch, store)
    #expect(try store.publishTest(3) == 3)
    #expect(try store.commit(number: 2) == testID(2))
    for number: UInt64 in 1...3 { #expect(try store.read(testID(number)) == testObject(number).1) }
    #expect(try store.checkPacks().problems == [])
    try Self.loseIndex(scratch, 3...3, "untold")
    #expect(try scratch.open().contains(testID(2)))
  }

  @Test("no pack's number is used again: who has the old one open does not take it for the new one")
  func packNumbers() throws {
    let scratch = try Scratch()
    let store = try scratch.create()
    try store.publishTest(1)
    try store.publishTest(2, ref: "heads/waste", byteCount: 1_500_000)
    let reader = try scratch.open()
    _ = try reader.read(testID(2))
    try store.collectGarbage { () throws(DSVError) in { $0 == testID(1) } }
    try store.publishTest(3, byteCount: 1_500_000)
    // Another process's reader, which nobody tells that a pack went.
    let script = try #require(try store.place(of: testID(3)))
    #expect(script.pack > 2, "pack 2 was the waste's")
    #expect(try reader.read(testID(3)).bytes.count == 1_500_000)
  }
}
