import DSVFormat
import DSVRemote
import DSVSystem
import DSVTesting
import Dispatch
import Foundation
import Synchronization
import Testing

/// Against a real server: moto with authentication on, or what `DSV_TEST_S3` names.
@Suite struct S3BucketTests {
  @Test("S3 keeps a bucket's promises, with and without a prefix", arguments: ["", "a prefix/ä+=%/x"])
  func promises(prefix: String) throws {
    let bucket = try S3Server.shared().openBucket(prefix: prefix)
    #expect(try checkBucket(bucket) == [])
    let traffic = bucket.traffic
    #expect(traffic.retryCount == 0)
    #expect(traffic.requests[.create, default: 0] > 30 && traffic.sentByteCount > 1_500_000)
  }

  @Test("a bucket's name may stand before the host's")
  func virtualHost() throws {
    let server = try S3Server.shared()
    let made = try server.makeBucket()
    // libcurl knows that such names are this machine.
    let endpoint = server.endpoint.replacingOccurrences(of: "127.0.0.1", with: "s3.localhost")
    let place = try S3Place(
      bucket: made.bucket, prefix: "p q", endpoint: try S3Place.Endpoint(endpoint))
    #expect(!place.isPathStyle)
    #expect(try checkBucket(server.open(place)) == [])
    let byPath = try S3Place(bucket: made.bucket, prefix: "p q", endpoint: made.endpoint, isPathStyle: true)
    try server.open(place).put("a", [1])
    #expect(try server.open(byPath).get("a", limit: 1) == [1])
  }

  @Test("what is not ours in a bucket is not shown, and pages of it are walked through")
  func strangers() throws {
    let server = try S3Server.shared()
    let place = try server.makeBucket(prefix: "p")
    let bucket = try server.open(place)
    let whole = try server.open(
      try S3Place(bucket: place.bucket, endpoint: place.endpoint, isPathStyle: true))
    for number in 0..<5 { try whole.put("other/\(number)", [1]) }
    for key in ["a", "b/c"] { try bucket.put(key, [1, 2]) }
    let strange = try server.open(
      try S3Place(bucket: place.bucket, prefix: "p/ä & <b>+ %", endpoint: place.endpoint, isPathStyle: true))
    for number in 0..<3 { try strange.put("\(number)", []) }
    let wanted = [BucketEntry("a", byteCount: 2), BucketEntry("b/c", byteCount: 2)]
    #expect(try bucket.list(prefix: "", after: nil, limit: 1000) == wanted)
    #expect(try bucket.list(prefix: "", after: nil, limit: 2) == wanted)
    #expect(try bucket.list(prefix: "", after: "a", limit: 1) == [wanted[1]])
    #expect(try strange.list(prefix: "", after: nil, limit: 9).map(\.key) == ["0", "1", "2"])
    try strange.delete(["0", "2"])
    #expect(try strange.list(prefix: "", after: nil, limit: 9).map(\.key) == ["1"])
  }

  @Test("more than a thousand keys are deleted and listed")
  func thousands() throws {
    let bucket = try S3Server.shared().openBucket()
    let keys = (0..<1205).map { "n/\(String(10_000 + $0))" }
    DispatchQueue.concurrentPerform(iterations: 8) { number in
      for index in stride(from: number, to: keys.count, by: 8) {
        try? bucket.put(keys[index], [UInt8(number)])
      }
    }
    let first = try bucket.list(prefix: "n/", after: nil, limit: 1000)
    let rest = try bucket.list(prefix: "n/", after: first.last?.key, limit: 1000)
    #expect((first + rest).map(\.key) == keys)
    try bucket.delete(keys)
    #expect(try bucket.list(prefix: "", after: nil, limit: 10).isEmpty)
  }

  @Test("wrong credentials, none, and a bucket that is not there are told as what they are")
  func refusals() throws {
    let server = try S3Server.shared()
    let place = try server.makeBucket()
    let id = server.credentials.accessKeyID
    func code(_ place: S3Place, _ credentials: AWSCredentials?) throws -> (DSVError.Code, String) {
      let bucket = try server.open(place) { world in
        world.credentials = { () throws(DSVError) in credentials }
      }
      let error = try #require(throws: DSVError.self) { try bucket.get("a", limit: 10) }
      return (error.code, error.description)
    }
    let (wrong, message) = try code(place, AWSCredentials(accessKeyID: id, secretKey: "not-the-secret"))
    #expect(wrong == .denied)
    #expect(!message.contains("not-the-secret") && message.contains("s3://\(place.bucket)/a"))
    #expect(
      try code(place, AWSCredentials(accessKeyID: "AKIAUNKNOWNUNKNOWN00", secretKey: "x")).0 == .denied)
    // moto has no answer for who shows no credentials.
    if !server.isMoto { #expect(try code(place, nil).0 == .denied) }
    let missing = try S3Place(bucket: "no-such-bucket-here", endpoint: place.endpoint, isPathStyle: true)
    #expect(try code(missing, server.credentials).0 == .notFound)
  }

  @Test("connections are used again")
  func connections() throws {
    let server = try S3Server.shared()
    let proxy = try FaultProxy(before: server.endpoint)
    let bucket = try server.openBucket(endpoint: proxy.endpoint)
    try bucket.put("a", [1])
    let start = Clock.monotonicNanoseconds()
    for _ in 0..<50 { _ = try bucket.get("a", limit: 1) }
    print("a small get takes \((Clock.monotonicNanoseconds() - start) / 50_000) µs")
    #expect(try proxy.counts()["requests"] == 51)
    #expect(try proxy.counts()["connections"] == 1)
  }

  @Test("a server of https must show a certificate that is trusted")
  func certificates() throws {
    let folder = try TemporaryFolder()
    let server = try S3Server.shared()
    let proxy = try FaultProxy(before: server.endpoint, tlsFolder: folder.path)
    let place = try server.makeBucket(endpoint: proxy.endpoint)
    let refused = try #require(throws: DSVError.self) { try server.open(place).put("a", [1]) }
    #expect(refused.code == .io && refused.message.contains("DSV_CA_BUNDLE"))
    var settings = Curl.Settings()
    settings.certificates = "\(folder.path)/ca.pem"
    let bucket = try server.open(place, settings: settings)
    try bucket.put("a", [1])
    #expect(try bucket.get("a", limit: 1) == [1])
  }
}
