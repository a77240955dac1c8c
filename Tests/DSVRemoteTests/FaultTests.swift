import DSVFormat
import DSVRemote
import DSVSystem
import DSVTesting
import Dispatch
import Foundation
import Synchronization
import Testing

/// What a network and a server can do to a request, done on purpose by a proxy before a real server.
@Suite struct FaultTests {
  let server: S3Server
  let proxy: FaultProxy
  let bucket: S3Bucket

  init() throws {
    server = try S3Server.shared()
    proxy = try FaultProxy(before: server.endpoint)
    bucket = try server.openBucket(prefix: "p", endpoint: proxy.endpoint)
  }

  /// The requests that `body` took under a plan.
  @discardableResult
  func requests(_ plan: String, _ body: () throws -> Void) throws -> FaultProxy.Counts {
    try proxy.plan(plan)
    try body()
    return try proxy.plan("{}")
  }

  @Test("a server that is busy is asked again", arguments: ["500", "503", "429"])
  func busy(fault: String) throws {
    let counts = try requests(#"{"script": ["\#(fault)", "\#(fault)"]}"#) { () throws in
      try bucket.put("a", [1])
    }
    #expect(counts["requests"] == 3)
    let reads = try requests(#"{"script": ["\#(fault)"]}"#) { () throws in
      #expect(try bucket.get("a", limit: 1) == [1])
    }
    #expect(reads["requests"] == 2)
    #expect(bucket.traffic.retryCount == 3)
  }

  @Test("a server that says how long to wait is waited for")
  func retryAfter() throws {
    let slept = Mutex<UInt64>(0)
    let patient = try server.openBucket(endpoint: proxy.endpoint, policy: RetryPolicy()) { world in
      world.sleep = { nanoseconds in slept.withLock { $0 += nanoseconds } }
    }
    _ = try requests(#"{"script": ["503"], "retryAfter": ["503"]}"#) { () throws in try patient.put("a", [1])
    }
    #expect((1_000_000_000...1_050_000_000).contains(slept.withLock { $0 }))
  }

  @Test("a conflict of two creations under way is no lost race")
  func conditionalConflict() throws {
    let counts = try requests(#"{"script": ["409", "409"]}"#) { () throws in
      #expect(try bucket.create("c", [1]))
    }
    #expect(counts["PUT"] == 3)
  }

  @Test("who comes second is told so, whatever bytes it brings")
  func lostRace() throws {
    let other = try server.open(bucket.place)
    #expect(try other.create("c", [1, 2]))
    for bytes: [UInt8] in [[1, 2], [3], [1, 2, 3, 4]] {
      let counts = try requests("{}") { () throws in #expect(try !bucket.create("c", bytes)) }
      #expect(counts["requests"] == 2, "one to create, one to see whose it is")
    }
    // Whose answer is lost, and finds somebody else's value.
    _ = try requests(#"{"script": ["reset"]}"#) { () throws in #expect(try !bucket.create("c", [1, 2])) }
    #expect(try bucket.get("c", limit: 9) == [1, 2])
  }

  @Test("a refusal of what is not there is asked again")
  func falseRefusal() throws {
    let counts = try requests(#"{"script": ["412", "ok", "412"]}"#) { () throws in
      #expect(try bucket.create("c", [1]))
    }
    #expect(counts["PUT"] == 3 && counts["GET"] == 2)
  }

  @Test("a creation whose answer is lost has succeeded", arguments: ["lost", "truncated"])
  func lostAnswer(fault: String) throws {
    // An answer without a body cannot be cut short.
    let faults = fault == "lost" ? #"["lost", "lost"]"# : #"["lost", "truncated@GET"]"#
    let counts = try requests(#"{"script": \#(faults)}"#) { () throws in
      #expect(try bucket.create("c", [1, 2, 3]))
    }
    #expect(counts["PUT"] >= 2 && counts["GET"] >= 1)
    #expect(try bucket.get("c", limit: 9) == [1, 2, 3])
  }

  @Test("a clock that is off is put right by the server's, once", arguments: [3600, -86_400 * 400])
  func clockSkew(seconds: Int) throws {
    // The proxy looks at the date as real servers do, if the one behind it does not.
    let early = try server.open(bucket.place) { world in
      world.now = { Clock.nanosecondsSince1970() + seconds * 1_000_000_000 }
    }
    let counts = try requests(#"{"clock": 0}"#) { () throws in
      try early.put("a", [1])
      #expect(try early.get("a", limit: 1) == [1])
    }
    #expect(counts["requests"] == 3)
  }

  @Test(
    "a bucket in another region is asked there, and nothing goes where a redirect points",
    arguments: [301, 307])
  func redirect(status: Int) throws {
    let counts = try requests(#"{"region": "eu-west-1", "redirect": \#(status)}"#) { () throws in
      try bucket.put("a", [1])
      #expect(try bucket.get("a", limit: 1) == [1])
    }
    #expect(counts["requests"] == 3 && counts["trapped"] == 0)
    // One that sends in circles.
    let refused = try requests(#"{"script": ["301", "301", "301"]}"#) { () throws in
      #expect(try #require(throws: DSVError.self) { try bucket.get("a", limit: 1) }.code == .io)
    }
    #expect(refused["requests"] == 1)
  }

  @Test("a body that ends too early is not taken for a whole one")
  func truncated() throws {
    let bytes = (0..<50_000).map { UInt8(truncatingIfNeeded: $0) }
    try bucket.put("a", bytes)
    let counts = try requests(#"{"script": ["truncated", "truncated"], "seed": 3}"#) { () throws in
      #expect(try bucket.get("a", limit: 50_000) == bytes)
    }
    #expect(counts["requests"] == 3)
    let ranges = try requests(#"{"script": ["truncated"], "seed": 4}"#) { () throws in
      #expect(try bucket.get("a", range: 100..<40_000) == Array(bytes[100..<40_000]))
    }
    #expect(ranges["requests"] == 2)
    let lists = try requests(#"{"script": ["truncated"], "seed": 5}"#) { () throws in
      #expect(try bucket.list(prefix: "", after: nil, limit: 9).count == 1)
    }
    #expect(lists["requests"] == 2)
  }

  @Test("a byte that changed on the way here is noticed, and the value is read again")
  func corrupted() throws {
    let bytes = (0..<5000).map { UInt8(truncatingIfNeeded: $0) }
    try bucket.put("a", bytes)
    for seed in 0..<20 {
      let counts = try requests(#"{"script": ["corrupted"], "seed": \#(seed)}"#) { () throws in
        #expect(try bucket.get("a", limit: 5000) == bytes)
      }
      #expect(counts["requests"] == 2)
    }
    _ = try requests(#"{"faults": ["corrupted"], "chance": 1}"#) { () throws in
      #expect(try #require(throws: DSVError.self) { try bucket.get("a", limit: 5000) }.code == .corrupt)
    }
  }

  @Test("a list that came broken is asked for again, and so is what came of deleting")
  func corruptedList() throws {
    for name in ["a", "b", "c"] { try bucket.put(name, [1]) }
    for seed in 0..<40 {
      // Nothing vouches for a list: a name or a length that is another goes through, and nothing that is no list.
      try requests(#"{"script": ["corrupted"], "seed": \#(seed)}"#) { () throws in
        #expect(try bucket.list(prefix: "", after: nil, limit: 9).count == 3)
      }
    }
    for seed in 0..<20 {
      for name in ["d", "e"] { try bucket.put(name, [1]) }
      try requests(#"{"script": ["corrupted"], "seed": \#(seed)}"#) { () throws in
        try bucket.delete(["d", "e"])
      }
      #expect(try bucket.get("d", limit: 1) == nil)
    }
    #expect(bucket.traffic.retryCount > 30)
    // The same again is what the server has.
    try requests(#"{"faults": ["empty"], "chance": 1}"#) { () throws in
      let error = try #require(throws: DSVError.self) { try bucket.list(prefix: "", after: nil, limit: 9) }
      #expect(error.code == .corrupt)
    }
  }

  @Test("a byte that changed on the way there is noticed, and the value is put again")
  func corruptedUpload() throws {
    let bytes = (0..<5000).map { UInt8(truncatingIfNeeded: $0) }
    for seed in 0..<10 {
      _ = try requests(#"{"script": ["corrupted-upload"], "seed": \#(seed)}"#) { () throws in
        try bucket.put("a", bytes)
      }
      #expect(try bucket.get("a", limit: 5000) == bytes)
      _ = try requests(#"{"script": ["corrupted-upload"], "seed": \#(seed)}"#) { () throws in
        #expect(try bucket.create("c/\(seed)", bytes))
      }
      #expect(try bucket.get("c/\(seed)", limit: 5000) == bytes)
    }
  }

  @Test("a peer that is slow beyond use is left", arguments: ["slow", "stuck"])
  func slow(fault: String) throws {
    var settings = Curl.Settings()
    (settings.lowSpeedSeconds, settings.lowSpeed) = (1, 1024)
    let hasty = try server.open(bucket.place, settings: settings)
    try hasty.put("a", Array(repeating: 7, count: 3000))
    let start = Clock.monotonicNanoseconds()
    let counts = try requests(#"{"script": ["\#(fault)"]}"#) { () throws in
      #expect(try hasty.get("a", limit: 3000) == Array(repeating: 7, count: 3000))
    }
    let seconds = Double(Clock.monotonicNanoseconds() - start) / 1e9
    #expect(counts["requests"] == 2 && (0.5...4.5).contains(seconds), "\(seconds) s")
  }

  @Test("a connection that is reset is made again")
  func reset() throws {
    let counts = try requests(#"{"script": ["reset", "reset"]}"#) { () throws in try bucket.put("a", [1]) }
    // libcurl may have asked by itself once, where the connection was an old one.
    #expect((3...4).contains(counts["requests"]))
  }

  @Test("credentials that have expired are read again, and the same ones again are of no use")
  func expired() throws {
    let (old, new) = (AWSCredentials(accessKeyID: "AKIAOLD", secretKey: "old"), server.credentials)
    let reads = Mutex(0)
    let renewed = try server.open(bucket.place) { world in
      world.credentials = { () throws(DSVError) in
        reads.withLock { count in
          count += 1
          return count == 1 ? old : new
        }
      }
    }
    let counts = try requests(#"{"expired": ["AKIAOLD"]}"#) { () throws in try renewed.put("a", [1]) }
    #expect(counts["requests"] == 2 && reads.withLock { $0 } == 2)
    let stale = try server.open(bucket.place) { world in world.credentials = { () throws(DSVError) in old } }
    let refused = try requests(#"{"expired": ["AKIAOLD"]}"#) { () throws in
      #expect(try #require(throws: DSVError.self) { try stale.put("a", [1]) }.code == .denied)
    }
    #expect(refused["requests"] == 1)
  }

  @Test(
    "an answer that is not S3's says nothing about a key", arguments: ["bare-403", "bare-404", "bare-400"])
  func strangers(fault: String) throws {
    try bucket.put("a", [1])
    let counts = try requests(#"{"script": ["\#(fault)", "\#(fault)"]}"#) { () throws in
      #expect(try bucket.get("a", limit: 1) == [1])
    }
    #expect(counts["requests"] == 3)
    let wanted: DSVError.Code = fault == "bare-403" ? .denied : .io
    _ = try requests(#"{"faults": ["\#(fault)"], "chance": 1}"#) { () throws in
      #expect(try #require(throws: DSVError.self) { try bucket.get("a", limit: 1) }.code == wanted)
    }
  }

  @Test("an answer with headers without end is broken off")
  func headerFlood() throws {
    try bucket.put("a", [1])
    _ = try requests(#"{"script": ["headers"]}"#) { () throws in
      #expect(try #require(throws: DSVError.self) { try bucket.get("a", limit: 1) }.code == .corrupt)
    }
    #expect(try bucket.get("a", limit: 1) == [1])
  }

  @Test("a server that stays busy is given up, and a bucket in trouble does not ask again at all")
  func budget() throws {
    var policy = RetryPolicy.forTests
    (policy.attemptCountMax, policy.budget, policy.retryCost, policy.refill) = (4, 20, 5, 0)
    let poor = try server.open(bucket.place, policy: policy)
    try poor.put("a", [1])
    try proxy.plan(#"{"faults": ["503"], "chance": 1}"#)
    var counts: [Int] = []
    for _ in 0..<4 {
      let error = try #require(throws: DSVError.self) { try poor.get("a", limit: 1) }
      #expect(error.code == .busy)
      counts.append(try proxy.plan(#"{"faults": ["503"], "chance": 1}"#)["requests"])
    }
    #expect(counts == [4, 2, 1, 1], "three retries, one more, none")
    try proxy.plan("{}")
    for _ in 0..<5 { _ = try poor.get("a", limit: 1) }
    let paid = try requests(#"{"script": ["503"]}"#) { () throws in _ = try poor.get("a", limit: 1) }
    #expect(paid["requests"] == 2, "successes pay for a retry")
  }

  @Test("who wants to stop does not wait for a server or for the next attempt", arguments: ["stuck", "503"])
  func interruption(fault: String) throws {
    var policy = RetryPolicy()
    policy.firstDelay = 10
    let start = Clock.monotonicNanoseconds()
    let plan = #"{"faults": ["\#(fault)"], "chance": 1}"#
    try proxy.plan(plan)
    let asked: @Sendable () -> Bool = { Clock.monotonicNanoseconds() - start > 300_000_000 }
    let place = bucket.place
    let credentials = server.credentials
    var world = S3Client.World(Curl(isInterrupted: asked)) { () throws(DSVError) in credentials }
    world.isInterrupted = asked
    world.random = { 1 }
    let stopping = S3Bucket(try S3Client(place, world, policy: policy))
    #expect(try #require(throws: DSVError.self) { try stopping.get("a", limit: 1) }.code == .interrupted)
    let seconds = Double(Clock.monotonicNanoseconds() - start) / 1e9
    #expect((0.3...3).contains(seconds), "\(seconds) s")
  }

  @Test("a server that is gone is told soon")
  func unreachable() throws {
    let place = try S3Place(
      bucket: "bucket", endpoint: try S3Place.Endpoint("http://127.0.0.1:1"), isPathStyle: true)
    var policy = RetryPolicy()
    policy.firstDelay = 0.01
    let gone = try server.open(place, policy: policy)
    let error = try #require(throws: DSVError.self) { try gone.put("a", [1]) }
    #expect(error.code == .io && error.message.contains("3 times"))
    #expect(gone.traffic.requestCount == 3)
  }

  @Test(
    "calls through all faults at once, each with probability 0.2, come to what they would have come to without"
  )
  func everything() throws {
    let seedCount = Machine.environment("DSV_FAULT_SEEDS").flatMap { Int($0) } ?? 1
    for seed in 0..<seedCount {
      try proxy.planEverything(seed: seed, before: server)
      let place = bucket.place
      let failed = Mutex<[String]>([])
      DispatchQueue.concurrentPerform(iterations: 5) { thread in
        do {
          let own = try server.openPatiently(place)
          for round in 0..<10 {
            let value = (0..<(round * 200)).map { UInt8(truncatingIfNeeded: $0 &+ thread) }
            let key = "s\(seed)/t\(thread)/\(round)"
            try own.put(key, value)
            if try own.get(key, limit: 10_000) != value { failed.withLock { $0.append("\(key): get") } }
            if try !own.create(key + "c", value) { failed.withLock { $0.append("\(key): create") } }
            if try own.create(key + "c", value) { failed.withLock { $0.append("\(key): twice") } }
            if try own.get(key + "c", limit: 10_000) != value {
              failed.withLock { $0.append("\(key): get c") }
            }
          }
        } catch { failed.withLock { $0.append("thread \(thread): \(error)") } }
      }
      #expect(failed.withLock { $0 } == [], "seed \(seed)")
      let counts = try proxy.plan("{}")
      #expect(FaultProxy.missing(in: counts, before: server) == [] && counts["trapped"] == 0)
      print("seed \(seed): 250 calls, \(counts["requests"]) requests, \(counts.faultCount) faults")
      let keys = try bucket.list(prefix: "s\(seed)/", after: nil, limit: 1000)
      #expect(keys.count == 100)
    }
  }

  @Test(
    "a bucket keeps its promises through all faults at once, each with probability 0.2", arguments: [21, 22])
  func promises(seed: Int) throws {
    let patient = try server.openPatiently(bucket.place)
    try proxy.planEverything(seed: seed, before: server, sparesParts: true)
    #expect(try checkBucket(patient) == [])
    let counts = try proxy.plan("{}")
    #expect(FaultProxy.missing(in: counts, before: server) == [] && counts["trapped"] == 0)
    #expect(counts.faultCount > counts["requests"] / 2)
    print("seed \(seed): \(counts["requests"]) requests, \(counts.faultCount) faults")
  }
}
