import DSVFormat
import DSVRemote
import DSVSystem
import DSVTesting
import Testing

@Suite struct BucketProbeTests {
  @Test("a server that keeps conditions is fit to push to, and nothing of the probe stays")
  func fit() throws {
    let bucket = try S3Server.shared().openBucket(prefix: "p")
    let probe = try BucketProbe.run(bucket)
    #expect(probe.verdict == .fit)
    #expect(probe.isCreateOnly == true && probe.winnerCount == 1 && probe.replacement != nil)
    #expect(try bucket.list(prefix: "", after: nil, limit: 10).isEmpty)
    #expect(try BucketProbe(text: probe.text) == probe)
    #expect(bucket.traffic.requestCount < 80)
    print(probe.text)
  }

  @Test("a folder and memory are fit")
  func local() throws {
    let folder = try TemporaryFolder()
    #expect(try BucketProbe.run(FolderBucket(folder.path)).verdict == .fit)
    #expect(try BucketProbe.run(MemoryBucket()).verdict == .fit)
  }

  @Test("a server that ignores conditions is for reading only, and the reason is told")
  func loose() throws {
    let bucket = try LooseS3Server().open()
    let probe = try BucketProbe.run(bucket)
    #expect(probe.isCreateOnly == false && (probe.winnerCount ?? 0) > 1)
    #expect(probe.readsRanges == true && probe.listsAtOnce == true)
    #expect(
      probe.checksSHA256 == false && probe.checksMD5 == false
        && probe.replacement == BucketProbe.Replacement.none)
    guard case .readOnly(let reason) = probe.verdict else {
      Issue.record("fit")
      return
    }
    #expect(reason.contains("If-None-Match"))
    #expect(try BucketProbe(text: probe.text) == probe)
    #expect(try bucket.list(prefix: "", after: nil, limit: 10).isEmpty)
  }

  @Test(
    "a server that gives whole values for ranges is read from, and one that cannot delete many deletes one by one"
  )
  func looseReads() throws {
    let bucket = try LooseS3Server().open()
    let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    try bucket.put("a", bytes)
    for range in [0..<1, 1000..<200_000, 299_999..<300_000, 0..<300_000] {
      #expect(try bucket.get("a", range: range) == Array(bytes[range]))
    }
    #expect(try #require(throws: DSVError.self) { try bucket.get("a", range: 5..<300_001) }.code == .corrupt)
    try bucket.put("b", [])
    try bucket.delete(["a", "b", "c"])
    #expect(try bucket.list(prefix: "", after: nil, limit: 10).isEmpty)
  }

  @Test("a bucket that takes nothing is for reading only; one that cannot be read is not probed")
  func refusals() throws {
    let refusing = FaultyBucket(MemoryBucket(), code: .denied) { (call, key) throws(DSVError) in
      if call == .put {
        throw DSVError(.denied, "memory://bucket/\(key): these credentials may not do that")
      }
    }
    let probe = try BucketProbe.run(refusing)
    guard case .readOnly(let reason) = probe.verdict else {
      Issue.record("fit")
      return
    }
    #expect(reason.contains("may not"))
    #expect(try BucketProbe(text: probe.text) == probe)
    let gone = FaultyBucket(MemoryBucket(), .call(0, isForever: true))
    #expect(throws: DSVError.self) { try BucketProbe.run(gone) }
  }

  @Test("a probe's text is read strictly, but what a newer dsv found is passed over")
  func text() throws {
    #expect(try BucketProbe(text: "create-only yes\nfuture-finding 17\n").isCreateOnly == true)
    for text in ["create-only", "create-only maybe\n", "race-winners x\n", "replace-if-match sometimes\n"] {
      #expect(try #require(throws: DSVError.self) { try BucketProbe(text: text) }.code == .corrupt)
    }
  }
}
