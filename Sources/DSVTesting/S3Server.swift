package import DSVFormat
package import DSVRemote
import DSVSystem
import Synchronization

/// A real S3 server for tests: the one that `DSV_TEST_S3` names (`endpoint key secret`, and perhaps more keys and
/// their secrets), or else moto's with authentication on.
///
/// moto is started once for a test process, on a free port, and ends with it.
package final class S3Server: Sendable {
  package let endpoint: String
  package let credentials: AWSCredentials
  /// Others that are taken as well, if there are any.
  package let otherCredentials: [AWSCredentials]
  /// Whether it is moto, which checks neither digests nor clocks.
  package let isMoto: Bool
  private let process: ChildProcess?

  private static let started = Mutex<S3Server?>(nil)
  private static let bucketCount = Atomic<Int>(0)

  private init(_ line: String, _ process: ChildProcess?) throws(DSVError) {
    let words = line.split(separator: " ").map(String.init)
    guard words.count > 2, words.count % 2 == 1 else {
      throw DSVError(.badInput, "'endpoint key secret' is wanted of an S3 server")
    }
    (endpoint, self.process, isMoto) = (words[0], process, process != nil)
    credentials = AWSCredentials(accessKeyID: words[1], secretKey: words[2])
    otherCredentials = stride(from: 3, to: words.count, by: 2).map { index in
      AWSCredentials(accessKeyID: words[index], secretKey: words[index + 1])
    }
  }

  /// The folder of what is started here, found from this file's place.
  static func script(_ name: String, file: String = #filePath) -> String {
    let root = FileSystem.parent(of: FileSystem.parent(of: FileSystem.parent(of: file)))
    return "\(root)/Tests/DSVRemoteTests/Support/\(name)"
  }

  package static func shared() throws -> S3Server {
    try started.withLock { server in
      if let server { return server }
      let made: S3Server
      if let line = Machine.environment("DSV_TEST_S3"), !line.isEmpty {
        made = try S3Server(line, nil)
      } else {
        let process = try ChildProcess(["python3", script("s3_by_moto.py")])
        made = try S3Server(try process.readLine(), process)
      }
      server = made
      return made
    }
  }

  /// Where a new bucket's keys lie; the bucket is made.
  ///
  /// - Parameter endpoint: another way to the same server, such as a proxy's.
  package func makeBucket(prefix: String = "", endpoint: String? = nil) throws(DSVError) -> S3Place {
    let number = Self.bucketCount.add(1, ordering: .relaxed).newValue
    let name = "dsv-\(Machine.processID)-\(number)-\(Random.hexDigits(8))"
    let own = try S3Place.Endpoint(self.endpoint)
    let digest = SigV4.digest([])
    let date = HTTPDate.compact(Clock.secondsSince1970())
    var headers = [("host", own.authority), ("x-amz-date", date), ("x-amz-content-sha256", digest)]
    let request = SigV4.Request("PUT", path: "/\(name)", query: [], headers: headers, payloadDigest: digest)
    headers.append(
      ("authorization", SigV4(credentials, region: "us-east-1").authorization(for: request, date: date)))
    let response = Result<HTTPResponse, HTTPFailure> { () throws(HTTPFailure) in
      try Curl().send(HTTPRequest("PUT", "\(own)/\(name)", headers: headers, body: [], limit: 1 << 16))
    }
    guard case .success(let answer) = response, answer.status == 200 else {
      throw DSVError(.io, "no bucket for tests: \(response)")
    }
    return try S3Place(
      bucket: name, prefix: prefix, endpoint: try S3Place.Endpoint(endpoint ?? self.endpoint),
      isPathStyle: true)
  }

  /// A new bucket, open.
  ///
  /// - Parameters:
  ///   - settings: of the connections; tests of slow servers have shorter limits.
  ///   - change: puts something else in the place of the world.
  package func openBucket(
    prefix: String = "", endpoint: String? = nil, policy: RetryPolicy = .forTests,
    settings: Curl.Settings = Curl.Settings(), change: (inout S3Client.World) -> Void = { _ in }
  ) throws(DSVError) -> S3Bucket {
    try open(
      makeBucket(prefix: prefix, endpoint: endpoint), policy: policy, settings: settings, change: change)
  }

  /// A bucket that was made already, open.
  package func open(
    _ place: S3Place, policy: RetryPolicy = .forTests, settings: Curl.Settings = Curl.Settings(),
    change: (inout S3Client.World) -> Void = { _ in }
  ) throws(DSVError) -> S3Bucket {
    let credentials = credentials
    var world = S3Client.World(Curl(settings)) { () throws(DSVError) in credentials }
    change(&world)
    return S3Bucket(try S3Client(place, world, policy: policy))
  }
}

extension RetryPolicy {
  /// Patient in number and short in time.
  package static var forTests: RetryPolicy {
    var policy = RetryPolicy()
    (policy.attemptCountMax, policy.strangeAttemptCountMax) = (30, 12)
    (policy.firstDelay, policy.longestDelay) = (0.002, 0.05)
    (policy.budget, policy.refill) = (100_000, 1000)
    return policy
  }
}
