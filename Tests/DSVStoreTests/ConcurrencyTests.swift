import DSVFormat
import DSVStore
import DSVSystem
import DSVTesting
import Dispatch
import Glibc
import Testing

/// Several threads and processes at one repository.
@Suite struct ConcurrencyTests {
  /// Publishes `count` times: each time the branch `shared` goes to the commit after the one that it is at.
  static func increment(_ store: Store, _ count: Int, worker: UInt64) throws(DSVError) {
    for round in 0..<UInt64(count) {
      let session = try store.session()
      let large = round % 8 == 7
      for part: UInt64 in 0..<(large ? 30 : 3) {
        let (id, object) = testObject(worker << 40 | round << 20 | part, byteCount: large ? 50_000 : 500)
        try session.put(id, object)
      }
      try session.publish { (publication) throws(DSVError) in
        let old = try publication.ref("heads/shared")
        let next = publication.nextNumber
        let commit: CommitID = testID(UInt64(next))
        try publication.move(
          RefMove("heads/shared", expected: .anything, new: .commit(commit), action: "worker \(worker)"))
        guard try publication.number(commit) == next,
          old == (next == 1 ? nil : .commit(testID(UInt64(next - 1))))
        else {
          throw DSVError(
            .corrupt, "round \(round) of worker \(worker): \(next) does not follow \(old as Any)")
        }
      }
    }
  }

  static func check(_ root: String, total: Int) throws {
    let store = try TestStore.open(at: root)
    #expect(try store.versionCount == total)
    #expect(try store.ref("heads/shared") == .commit(testID(UInt64(total))))
    let reflog = try store.reflog()
    #expect(reflog.count == total + 1)
    for (index, entry) in reflog.dropFirst().enumerated() {
      #expect(entry.number == index + 1 && entry.new == .commit(testID(UInt64(index + 1))))
    }
    let report = try store.checkPacks()
    #expect(report.problems == [])
    #expect(try report.recordCount - report.unindexedRecordCount == store.objectCount)
  }

  @Test("threads that publish at once take turns, and readers are never in the way")
  func threads() async throws {
    let scratch = try Scratch()
    let store = try scratch.create()
    let other = try scratch.open()
    await withTaskGroup { group in
      for worker: UInt64 in 0..<3 {
        group.addTask {
          #expect(throws: Never.self) { try Self.increment(worker == 0 ? other : store, 24, worker: worker) }
        }
      }
      group.addTask {
        #expect(throws: Never.self) {
          for _ in 0..<200 {
            try store.forEachObject { (id, _) throws(DSVError) in _ = try other.read(id) }
          }
        }
      }
    }
    try Self.check(scratch.root, total: 72)
  }

  @Test("a check finds nothing while others publish")
  func checkWhilePublishing() async throws {
    let scratch = try Scratch()
    let store = try scratch.create()
    await withTaskGroup { group in
      group.addTask {
        #expect(throws: Never.self) { try Self.increment(store, 40, worker: 1) }
      }
      group.addTask {
        #expect(throws: Never.self) {
          for _ in 0..<30 {
            guard try store.checkPacks().problems.isEmpty else { throw DSVError(.corrupt, "a problem") }
          }
        }
      }
    }
  }

  @Test("threads may put into one session at once")
  func sharedSession() async throws {
    let scratch = try Scratch()
    let store = try scratch.create()
    let session = try store.session()
    await withTaskGroup { group in
      for worker: UInt64 in 0..<4 {
        group.addTask {
          #expect(throws: Never.self) {
            for number: UInt64 in 0..<200 {
              let (id, object) = testObject(number * (worker % 2 + 1), byteCount: 20_000)
              try session.put(id, object)
              guard try session.read(id) == object else { throw DSVError(.corrupt, "read back") }
            }
          }
        }
      }
    }
    try session.publish { (_) throws(DSVError) in }
    #expect(try store.objectCount == 300)
    #expect(try store.checkPacks().problems == [])
    #expect(try store.checkPacks().recordCount == 300)
  }

  @Test("while a rebuild exchanges the index, who opens the store or begins a session waits for it")
  func exchange() async throws {
    let scratch = try Scratch()
    let store = try scratch.create()
    let (index, aside) = (scratch.root + "/index", scratch.root + "/index.damaged")
    let lock = try File(scratch.root + "/locks/writer", .updateOrCreate)
    #expect(try lock.tryLock(.exclusive))
    try FileSystem.rename(index, to: aside)
    DispatchQueue.global().asyncAfter(deadline: .now() + 0.2) {
      #expect(throws: Never.self) {
        try FileSystem.rename(aside, to: index)
        try lock.unlock()
      }
    }
    await withTaskGroup { group in
      group.addTask { #expect(throws: Never.self) { _ = try store.session() } }
      group.addTask { #expect(throws: Never.self) { _ = try TestStore.open(at: scratch.root) } }
    }
    #expect(try store.ref("HEAD") != nil)
  }

  @Test("processes that publish, collect garbage and rebuild the index at once lose nothing")
  func processes() async throws {
    let scratch = try Scratch()
    _ = try scratch.create()
    await withTaskGroup { group in
      for worker: UInt64 in 0..<3 {
        group.addTask {
          await #expect(processExitsWith: .success) {
            [root = scratch.root as String, worker = worker as UInt64] in
            let store = try TestStore.open(at: root)
            try ConcurrencyTests.increment(store, 24, worker: worker)
          }
        }
      }
      group.addTask {
        await #expect(processExitsWith: .success) { [root = scratch.root as String] in
          let store = try TestStore.open(at: root)
          for round in 0..<12 {
            try store.collectGarbage(garbageShareMin: 0) { () throws(DSVError) in { $0.w0 % 3 != 0 } }
            if round % 4 == 3 { try store.rebuildIndex() }
          }
        }
      }
    }
    try Self.check(scratch.root, total: 72)
  }

  @Test("killed at any moment while others go on, nothing acknowledged is lost", arguments: 0..<8)
  func killed(round: Int) async throws {
    let scratch = try Scratch()
    _ = try scratch.create()
    await withTaskGroup { group in
      group.addTask {
        await #expect(processExitsWith: .success) { [root = scratch.root as String] in
          let store = try TestStore.open(at: root)
          for number: UInt64 in 0..<30 { try store.publishTest(number, ref: "heads/other") }
        }
      }
      for _ in 0..<2 {
        await #expect(processExitsWith: .signal(SIGKILL)) {
          [root = scratch.root as String, acknowledged = "\(scratch.path)/acknowledged" as String] in
          let file = try File(acknowledged, .updateOrCreate)
          let store = try TestStore.open(at: root)
          let first =
            (try? file.read(8, at: 0)).map { $0.withUnsafeBytes { $0.load(as: UInt64.self) } } ?? 1000
          let delay = Int.random(in: 0..<60_000)
          DispatchQueue.global().asyncAfter(deadline: .now() + .microseconds(delay)) {
            kill(getpid(), SIGKILL)
          }
          for number in first + 1..<first + 100_000 {
            try store.publishTest(number, ref: "heads/main", byteCount: number % 10 == 0 ? 2 << 20 : 300)
            try file.write(withUnsafeBytes(of: number) { Array($0) }, at: 0)
          }
        }
      }
    }
    let file = try File("\(scratch.path)/acknowledged", .updateOrCreate)
    let last = (try? file.read(8, at: 0)).map { $0.withUnsafeBytes { $0.load(as: UInt64.self) } }
    let store = try scratch.open()
    for number: UInt64 in 0..<30 { #expect(try store.contains(testID(number))) }
    #expect(try store.ref("heads/other") == .commit(testID(29)))
    if let last {
      let head = try store.ref("heads/main")
      #expect(head == .commit(testID(last)) || head == .commit(testID(last + 1)))
      for number in 1001...last {
        let (id, object) = testObject(number, byteCount: number % 10 == 0 ? 2 << 20 : 300)
        #expect(try store.read(id) == object)
      }
    }
    #expect(try store.checkPacks().problems == [])
    try store.collectGarbage(waitSeconds: 1) { () throws(DSVError) in { _ in true } }
    #expect(try store.checkPacks().unindexedRecordCount == 0)
  }
}
