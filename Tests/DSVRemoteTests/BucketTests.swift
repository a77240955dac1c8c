import DSVFormat
import DSVRemote
import DSVSystem
import DSVTesting
import Foundation
import Testing

@Suite struct BucketTests {
  @Test("memory keeps a bucket's promises")
  func memory() throws {
    let bucket = MemoryBucket()
    #expect(try checkBucket(bucket) == [])
    #expect(bucket.contents.isEmpty)
  }

  @Test("a bucket that fails never keeps its promises, and one that fails after the deed has done it")
  func faulty() throws {
    let bucket = FaultyBucket(MemoryBucket())
    #expect(try checkBucket(bucket) == [])
    let callCount = bucket.callCount
    #expect(bucket.faultCount == 0 && callCount > 100)
    for number in stride(from: 0, to: callCount, by: 29) {
      bucket.plan(.call(number))
      #expect(throws: DSVError.self, "call \(number)") {
        let broken = try checkBucket(bucket)
        // Some failures are what a call is expected to have.
        if !broken.isEmpty || bucket.faultCount == 1 { throw DSVError(.io, "\(broken)") }
      }
    }
    let memory = MemoryBucket()
    let after = FaultyBucket(memory, .call(0), .after)
    #expect(throws: DSVError.self) { try after.put("a", [1]) }
    #expect(memory.contents == ["a": [1]])
    after.plan(.call(0), .before)
    #expect(throws: DSVError.self) { try after.put("a", [2]) }
    #expect(memory.contents == ["a": [1]])
    after.plan(.chance(0.5, seed: 7), .either)
    for number in 0..<400 { try? after.put("k\(number)", []) }
    #expect((150..<250).contains(after.faultCount))
    #expect((260..<340).contains(memory.contents.count - 1))
  }

  @Test("keys are names with slashes between them, and nothing that a path could be led astray with")
  func keys() {
    for key in ["a", "log/0000000000000001", "packs/0a.pack", "a/b/c", "A-_.9"] {
      #expect(BucketKey.isValid(key), "\(key)")
    }
    let long = String(repeating: "n", count: 200)
    for key in [
      "", "/a", "a/", "a//b", "..", "a/../b", ".tmp/a", "a/.b", "a b", "ä", "a\0b", "a%2Fb", long + "n",
      [long, long, long].joined(separator: "/"),
    ] {
      #expect(!BucketKey.isValid(key), "\(key)")
    }
  }
}
