import DSVFormat
import DSVStore
import DSVSystem
import Dispatch
import Synchronization
import Testing

/// How the index is opened, where others do so at the same time and may be killed.
@Suite struct OpeningTests {
  @Test("nobody opens the index while another does")
  func turns() throws {
    let scratch = try Scratch()
    _ = try scratch.create().publishTest(1)
    let turn = try File("\(scratch.root)/index.open", .updateOrCreate)
    #expect(try turn.tryLock(.exclusive))
    let done = DispatchSemaphore(value: 0)
    let isOpen = Atomic<Bool>(false)
    DispatchQueue.global().async {
      #expect(throws: Never.self) {
        let count = try scratch.open().versionCount
        #expect(count == 1)
      }
      isOpen.store(true, ordering: .releasing)
      done.signal()
    }
    Clock.sleep(nanoseconds: 50_000_000)
    let wasOpen = isOpen.load(ordering: .acquiring)
    #expect(!wasOpen)
    try turn.unlock()
    #expect(done.wait(timeout: .now() + 600) == .success)
  }

  /// What a process leaves that is killed as it makes LMDB's lock file anew: byte 48 of it has the last transaction's number.
  @Test(
    "no writer trusts a lock file that does not know the last transaction; who next opens alone makes it anew"
  )
  func staleLockFile() throws {
    let scratch = try Scratch()
    do {
      let store = try scratch.create()
      for number: UInt64 in 1...5 { try store.publishTest(number) }
      let lockFile = try File("\(scratch.root)/index/lock.mdb", .update)
      #expect(try lockFile.read(upTo: 8, at: 48) != [UInt8](repeating: 0, count: 8))
      try lockFile.write([UInt8](repeating: 0, count: 8), at: 48)
      let error = #expect(throws: DSVError.self) { try store.publishTest(6) }
      #expect(error?.code == .busy && error?.message.contains("lock file") == true)
    }
    let store = try scratch.open()
    #expect(try store.versionCount == 5)
    try store.publishTest(6)
    #expect(try store.versionCount == 6)
  }
}
