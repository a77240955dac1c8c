import DSVFormat
import DSVStore
import DSVSystem
import DSVTesting
import Glibc
import Testing

@Suite struct ForkTests {
  @Test(
    "a store that was opened before fork says so in the child, which can open its own; the parent goes on")
  func fork() async throws {
    let scratch = try Scratch()
    try scratch.create().publishTest(1)
    await #expect(processExitsWith: .success) { [root = scratch.root as String] in
      let store = try TestStore.open(at: root)
      let session = try store.session()
      // Swift hides fork, which most programs should not call; Python's multiprocessing does.
      typealias Fork = @convention(c) () -> Int32
      let fork = unsafeBitCast(try #require(dlsym(nil, "fork")), to: Fork.self)
      let child = fork()
      if child == 0 {
        var code: Int32 = 1
        do throws(DSVError) {
          _ = try store.read(testID(1))
        } catch {
          code = error.code == .badInput ? 2 : 3
        }
        do throws(DSVError) {
          try session.put(testID(2), kind: .chunk, plainByteCount: 0, bytes: [])
          code = 4
        } catch {
          if error.code != .badInput { code = 5 }
        }
        do throws(DSVError) {
          let own = try TestStore.open(at: root)
          if code == 2, try own.contains(testID(1)) { try own.publishTest(3) } else { code += 10 }
        } catch {
          code += 20
        }
        _exit(code)
      }
      var status: Int32 = 0
      waitpid(child, &status, 0)
      guard status == 2 << 8, try store.contains(testID(3)), try store.checkPacks().problems.isEmpty else {
        print("child's status: \(status)")
        exit(9)
      }
      try session.put(testID(2), kind: .chunk, plainByteCount: 0, bytes: [])
      try session.publish { (_) throws(DSVError) in }
      try store.publishTest(4)
    }
    #expect(try scratch.open().objectCount == 4)
  }
}
