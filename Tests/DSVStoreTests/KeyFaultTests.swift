import DSVFormat
import DSVStore
import DSVSystem
import DSVTesting
import Testing

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
