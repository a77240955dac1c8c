import DSVFormat
import DSVStore
import DSVSystem
import DSVTesting
import Testing

/// A fixed run of durable operations on one repository, and what must be there after each.
///
/// Used by the tests that make it fail, or kill it, on the way.
enum Workload {
  /// What a repository shows to its users. Dead objects may be there or not.
  struct State: Equatable {
    var live: Set<UInt64> = []
    var main: RefTarget?
    var tag: RefTarget?
    var versionCount = 0
  }

  static let operationCount = 8
  static let largeRange: Range<UInt64> = 100..<130
  /// All objects of the workload, made once.
  static let objects: [UInt64: (AnyID, StoredObject)] = Dictionary(
    uniqueKeysWithValues: (Array(0..<10) + Array(largeRange)).map { number in
      (number, testObject(number, byteCount: number < 100 ? 100 : 50_000))
    })

  /// The state after the first `count` operations.
  static func state(after count: Int) -> State {
    var state = State()
    for operation in 0..<count {
      switch operation {
      case 0: break
      case 1, 2, 5, 7:
        state.versionCount += 1
        state.main = .commit(testID(UInt64(operation)))
        state.live.insert(UInt64(operation))
      case 3:
        state.versionCount += 1
        state.tag = .commit(testID(103))
        state.live.formUnion(largeRange)
      case 4:
        state.tag = nil
        state.live.subtract(largeRange)
        state.live.insert(104)
      default: break
      }
    }
    return state
  }

  /// Performs operation `number`.
  static func perform(_ number: Int, at root: String) throws(DSVError) {
    if number == 0 {
      _ = try TestStore.create(at: root, refs: [("HEAD", .symbolic("heads/main"))])
      return
    }
    let store = try TestStore.open(at: root)
    switch number {
    case 3:
      let session = try store.session()
      for number in largeRange {
        if let (id, object) = objects[number] { try session.put(id, object) }
      }
      try session.publish { (publication) throws(DSVError) in
        try publication.move(RefMove("tags/a", expected: .nothing, new: .commit(testID(103)), action: "tag"))
        _ = try publication.number(testID(103))
      }
    case 4:
      try store.session().publish { (publication) throws(DSVError) in
        try publication.move(RefMove("tags/a", expected: .anything, new: nil, action: "untag"))
      }
    case 6:
      let live = state(after: 6).live
      let ids = Set(live.map { testID($0) as AnyID })
      try store.collectGarbage { () throws(DSVError) in { ids.contains($0) } }
    default: try store.publishTest(UInt64(number))
    }
  }

  /// What the repository at `root` shows, all of it read and checked.
  static func observe(_ root: String) throws -> State {
    let store = try TestStore.open(at: root)
    var state = State()
    for (number, (id, object)) in objects {
      guard try store.contains(id) else { continue }
      #expect(try store.read(id) == object)
      state.live.insert(number)
    }
    state.main = try store.ref("heads/main")
    state.tag = try store.ref("tags/a")
    state.versionCount = try store.versionCount
    #expect(try store.ref("HEAD") == .symbolic("heads/main"))
    #expect(try store.checkPacks().problems == [])
    return state
  }

  /// Whether `found` is what must be there after `count` operations.
  static func matches(_ found: State, after count: Int) -> Bool {
    let expected = state(after: count)
    return found.main == expected.main && found.tag == expected.tag
      && found.versionCount == expected.versionCount && found.live.isSuperset(of: expected.live)
  }

  /// Checks a repository in which the first `count` operations were acknowledged and the next one was broken off,
  /// and that it can be used further.
  static func checkBrokenOff(after count: Int, at root: String, _ context: String) throws {
    if count == 0, try !FileSystem.exists(root) { return }
    let found = try observe(root)
    #expect(matches(found, after: max(1, count)) || matches(found, after: count + 1), "\(context): \(found)")
    let store = try TestStore.open(at: root)
    let number = try store.publishTest(9)
    #expect(number == found.versionCount + 1, "\(context)")
    #expect(try store.collectGarbage { () throws(DSVError) in { _ in true } }.keptObjectCount > 0)
    let after = try observe(root)
    #expect(after.main == .commit(testID(9)) && after.live.isSuperset(of: found.live), "\(context)")
    #expect(try FileSystem.list("\(root)/tmp") == [])
    #expect(
      try Set(FileSystem.list(root)).isSubset(of: [
        "format", "index", "index.open", "index.stamp", "keyring", "locks", "packs", "reflog", "tmp",
      ]))
  }
}
