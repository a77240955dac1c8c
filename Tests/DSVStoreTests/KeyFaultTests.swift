import DSVFormat
import DSVSystem
import DSVTesting
import Testing

@testable import DSVStore

/// Every durable step of what changes keys is made to fail, or to be the process's last.
@Suite struct KeyFaultTests {
  private static let operationCount = 8

  /// Performs operation `number` on an encrypted repository that ``SealedStoreTests/key(_:)`` 1 or 2 opens.
  private static func perform(_ number: Int, at root: String) throws(DSVError) {
    if number == 0 {
      _ = try Store.create(at: root, refs: [("HEAD", .symbolic("heads/main"))], key: SealedStoreTests.key(1))
      return
    }
    let store = try open(at: root)
    switch number {
    case 2:
      _ = try store.rotateKey(to: SealedStoreTests.key(2))
    case 4:
      let id = try store.addKey(SealedStoreTests.key(3))
      try store.revokeKey(id)
    case 5:
      let session = try store.session()
      for number in Workload.largeRange {
        if let (id, object) = Workload.objects[number] { try session.put(id, object) }
      }
      try session.publish { (_) throws(DSVError) in }
    case 6: try store.reencrypt()
    default: try store.publishTest(UInt64(number))
    }
  }

  private static func open(at root: String) throws(DSVError) -> Store {
    do throws(DSVError) {
      return try Store.open(at: root, keys: { () throws(DSVError) in SealedStoreTests.key(1) })
    } catch {
      guard error.code == .wrongKey else { throw error }
      return try Store.open(at: root, keys: { () throws(DSVError) in SealedStoreTests.key(2) })
    }
  }

  /// What was acknowledged is there, and the repository goes on: what was broken off is done, and then another thing.
  private static func check(after count: Int, at root: String, _ context: String) throws {
    guard try FileSystem.exists(root) else {
      #expect(count == 0, "\(context)")
      return
    }
    let store = try open(at: root)
    for number in [1, 3] as [UInt64] where number < count {
      #expect(try store.read(testID(number)) == Workload.objects[number]?.1, "\(context)")
    }
    if count > 5 {
      for number in Workload.largeRange {
        #expect(try store.read(testID(number)) == Workload.objects[number]?.1, "\(context)")
      }
    }
    if count > 2 {
      let error = #expect(throws: DSVError.self, "\(context)") {
        try Store.open(at: root, keys: { () throws(DSVError) in SealedStoreTests.key(1) })
      }
      #expect(error?.code == .wrongKey, "\(context)")
    }
    #expect(try store.checkPacks().problems == [], "\(context)")
    if try store.isReencrypting { try store.reencrypt() }
    try store.publishTest(9)
    try store.collectGarbage { () throws(DSVError) in { _ in true } }
    let after = try open(at: root)
    #expect(try after.read(testID(9)) == testObject(9).1, "\(context)")
    #expect(try after.ref("heads/main") == .commit(testID(9)), "\(context)")
    #expect(try after.checkPacks().problems == [], "\(context)")
    // Nothing is left of keyrings that were begun, nor keys of packs that are not there.
    let names = try FileSystem.list(root)
    #expect(names.filter { $0.hasPrefix("keyring") } == ["keyring"], "\(context): \(names)")
  }

  @Test("whatever step of a change of keys fails, what was acknowledged is there", arguments: [false, true])
  func sweep(isForever: Bool) throws {
    var step = 0
    while true {
      let scratch = try Scratch()
      Faults.arm(under: scratch.root, first: step, isForever: isForever)
      var count = 0
      do {
        while count < Self.operationCount {
          try Self.perform(count, at: scratch.root)
          count += 1
        }
      } catch {}
      let stepCount = Faults.disarm(under: scratch.root)
      if stepCount <= step { break }
      try Self.check(after: count, at: scratch.root, "step \(step), forever \(isForever)")
      step += 1
    }
    #expect(step > 100)
    print("fault sweep of keys: \(step) steps, forever: \(isForever)")
  }

  /// Exchanges the key in order to write everything again, in a repository that key 1 opens.
  private static func rotate(at root: String) throws(DSVError) {
    let store = try open(at: root)
    _ = try store.rotateKey(to: SealedStoreTests.key(2), reencrypts: true)
    try store.reencrypt()
  }

  /// Either the exchange has not happened, or it is known that everything is still to be written again, or that is done.
  private static func checkIntention(at root: String, _ context: String) throws {
    let isRotated: Bool
    do throws(DSVError) {
      _ = try Store.open(at: root, keys: { () throws(DSVError) in SealedStoreTests.key(1) })
      isRotated = false
    } catch {
      #expect(error.code == .wrongKey, "\(context)")
      isRotated = true
    }
    let store = try open(at: root)
    func epoch() throws -> UInt32 { try #require(store.keys?.keyring.currentLogKey.epoch) }
    let isMeant = try store.isReencrypting
    if isRotated { #expect(try isMeant || epoch() == firstEpoch + 2, "\(context)") }
    if isMeant { try store.reencrypt() }
    // What was only meant when the process ended is under keys all the same that no keyring from before has.
    if isRotated || isMeant { #expect(try epoch() >= firstEpoch + (isRotated ? 2 : 1), "\(context)") }
    #expect(try store.read(testID(1)) == Workload.objects[1]?.1, "\(context)")
    #expect(try store.checkPacks().problems == [], "\(context)")
  }

  private static let firstEpoch: UInt32 = 1

  @Test("whatever step of a rotation fails that is to write everything again, that is not forgotten")
  func intention() throws {
    var step = 0
    while true {
      let scratch = try Scratch()
      try Self.perform(0, at: scratch.root)
      try Self.perform(1, at: scratch.root)
      Faults.arm(under: scratch.root, first: step, isForever: true)
      do { try Self.rotate(at: scratch.root) } catch {}
      if Faults.disarm(under: scratch.root) <= step { break }
      try Self.checkIntention(at: scratch.root, "step \(step)")
      step += 1
    }
    #expect(step > 20)
  }

  @Test("killed at any step of a rotation that is to write everything again, that is not forgotten")
  func intentionKilled() async throws {
    for step in 0..<20 {
      let scratch = try Scratch()
      try Self.perform(0, at: scratch.root)
      try Self.perform(1, at: scratch.root)
      await #expect(processExitsWith: .signal(9)) {
        [root = scratch.root as String, step = step as Int] in
        Faults.arm(under: root, first: step, outcome: .kill)
        try Self.rotate(at: root)
      }
      try Self.checkIntention(at: scratch.root, "killed at step \(step)")
    }
  }

  @Test("killed at any step of a change of keys, what was acknowledged is there", arguments: Array(0..<10))
  func kill(part: Int) async throws {
    for step in stride(from: part, to: 160, by: 10) {
      let scratch = try Scratch()
      await #expect(processExitsWith: .signal(9)) {
        [root = scratch.root as String, step = step as Int] in
        Faults.arm(under: root, first: step, outcome: .kill)
        for number in 0..<Self.operationCount {
          try Self.perform(number, at: root)
          try FileSystem.replace("\(FileSystem.parent(of: root))/acknowledged", with: [UInt8(number + 1)])
        }
        Faults.arm(under: root, first: 0, outcome: .kill)
        try FileSystem.makeFolder("\(root)/end")
      }
      let count = try? FileSystem.read("\(scratch.path)/acknowledged", limit: 1)[0]
      try Self.check(after: Int(count ?? 0), at: scratch.root, "killed at step \(step)")
    }
  }
}
