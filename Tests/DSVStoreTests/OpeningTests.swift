import DSVFormat
import DSVStore
import DSVSystem
import Dispatch
import Glibc
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

  @Test("who may not write is told why reading fails, and what to do")
  func unwritable() async throws {
    let scratch = try Scratch()
    _ = try scratch.create().publishTest(1)
    for path in [scratch.root, "\(scratch.root)/index", "\(scratch.root)/locks"] { chmod(path, 0o555) }
    for name in ["index.open", "index.stamp", "index/lock.mdb", "index/data.mdb"] {
      chmod("\(scratch.root)/\(name)", 0o444)
    }
    await #expect(processExitsWith: .success) { [root = scratch.root as String] in
      // Who may do everything does so as somebody else.
      let own = geteuid()
      if own == 0 { #expect(seteuid(65534) == 0) }
      // As itself again at the end: else a sanitizer may not look for leaks.
      defer { seteuid(own) }
      let error = try #require(throws: DSVError.self) { try TestStore.open(at: root) }
      #expect(error.code == .io && error.message.contains("opened for writing"), "\(error)")
      #expect(error.message.contains("Permission denied") && error.message.contains("copy"), "\(error)")
    }
    for path in [scratch.root, "\(scratch.root)/index", "\(scratch.root)/locks"] { chmod(path, 0o755) }
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
