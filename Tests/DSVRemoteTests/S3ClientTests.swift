import DSVFormat
import DSVRemote
import DSVTesting
import Foundation
import Synchronization
import Testing

/// The client against answers that are made up: what no server at hand gives, and what time has to stand still for.
@Suite struct S3ClientTests {
  /// Gives the answers of a script, then 200 for ever.
  final class Script: HTTPTransport {
    enum Step: Sendable {
      case answer(HTTPResponse)
      case failure(HTTPFailure.Kind)
    }
    private let rest: Mutex<[Step]>
    let requests = Mutex<[HTTPRequest]>([])

    init(_ steps: [Step]) { rest = Mutex(steps) }

    func send(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
      requests.withLock { $0.append(request) }
      switch rest.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
      case .answer(let response): return response
      case .failure(let kind): throw HTTPFailure(kind, "on purpose")
      case nil: return HTTPResponse(200)
      }
    }
  }

  static func error(_ status: Int, _ code: String?, _ more: String = "", headers: [(String, String)] = [])
    -> Script.Step
  {
    let text = code.map {
      "<?xml version='1.0'?><Error><Code>\($0)</Code><Message>secret text</Message>\(more)</Error>"
    }
    return .answer(HTTPResponse(status, headers: headers, body: Array((text ?? "<html>no").utf8)))
  }

  struct Outcome {
    var code: DSVError.Code?
    var message = ""
    var requests: [HTTPRequest] = []
    var slept: [UInt64] = []
  }

  /// What comes of reading one key.
  static func run(
    _ steps: [Script.Step], place: S3Place? = nil, policy: RetryPolicy = RetryPolicy(),
    isAnonymous: Bool = false, call: (S3Bucket) throws -> Void = { _ = try $0.get("k", limit: 100) }
  ) throws -> Outcome {
    let script = Script(steps)
    let slept = Mutex<[UInt64]>([])
    let who = AWSCredentials(accessKeyID: "AKIAEXAMPLE", secretKey: "the-secret", sessionToken: "the-token")
    var world = S3Client.World(script) { () throws(DSVError) in isAnonymous ? nil : who }
    world.now = { 1_369_353_600 * 1_000_000_000 }
    world.random = { 1 }
    world.sleep = { nanoseconds in slept.withLock { $0.append(nanoseconds) } }
    let bucket = S3Bucket(
      try S3Client(place ?? S3Place(bucket: "bucket", prefix: "p"), world, policy: policy))
    var outcome = Outcome()
    do { try call(bucket) } catch let error as DSVError {
      (outcome.code, outcome.message) = (error.code, error.description)
    }
    outcome.requests = script.requests.withLock { $0 }
    outcome.slept = slept.withLock { $0 }
    return outcome
  }

  @Test(
    "where there are no credentials, a refusal says where they were looked for; a public bucket asks for none"
  )
  func anonymous() throws {
    for (status, code) in [(403, "AccessDenied"), (401, "AccessDenied"), (403, "InvalidAccessKeyId")] {
      let outcome = try Self.run([Self.error(status, code)], isAnonymous: true)
      #expect(outcome.code == .denied && outcome.requests.count == 1)
      for word in [
        "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "/.aws/credentials", "/.aws/config", "s3://bucket/p/k",
      ] {
        #expect(outcome.message.contains(word), "\(outcome.message)")
      }
    }
    let bare = try Self.run([.answer(HTTPResponse(403))], isAnonymous: true)
    #expect(bare.code == .denied && bare.requests.count == 1 && bare.message.contains("AWS_ACCESS_KEY_ID"))
    #expect(try Self.run([.answer(HTTPResponse(200))], isAnonymous: true).code == nil)
    let environment = ["AWS_PROFILE": "work", "HOME": "/people/a", "AWS_CONFIG_FILE": "/b/config"]
    let text = AWSProfile.noCredentials { environment[$0] }
    #expect(text.contains("profile 'work' in /people/a/.aws/credentials or /b/config"))
  }

  @Test("causes are told once each, and not in brackets what the message says already")
  func causes() {
    let inner = DSVError(.io, "the disk is slow", cause: HTTPFailure(.broken, "a wire"))
    #expect(
      DSVError(.io, "here: the disk is slow", cause: inner).description
        == "io: here: the disk is slow (a wire)")
    #expect(DSVError(.io, "x", cause: inner).description == "io: x (the disk is slow) (a wire)")
    // What it is about is told once.
    let named = DSVError(.io, "a/b: line 3: it is torn")
    #expect(DSVError(.io, "a/b: no list", cause: named).text == "a/b: no list (line 3: it is torn)")
  }

  @Test(
    "each refusal has the code that a caller can act on, the key's name and S3's word, and nothing of who asked"
  )
  func refusals() throws {
    let cases: [(Int, String?, DSVError.Code, Int)] = [
      (403, "AccessDenied", .denied, 1), (403, "SignatureDoesNotMatch", .denied, 1),
      (403, "InvalidAccessKeyId", .denied, 1), (400, "ExpiredToken", .denied, 1),
      (404, "NoSuchBucket", .notFound, 1), (400, "InvalidRequest", .io, 1), (501, "NotImplemented", .io, 1),
      (507, "InsufficientStorage", .full, 1), (403, "QuotaExceeded", .full, 1),
      (500, "InternalError", .busy, 10),
      (502, nil, .busy, 10), (503, "SlowDown", .busy, 10), (504, nil, .busy, 10), (429, nil, .busy, 10),
      (400, "RequestTimeout", .busy, 10), (400, "BadDigest", .io, 10), (409, "OperationAborted", .busy, 10),
      (403, nil, .denied, 3), (404, nil, .io, 3), (418, nil, .io, 3), (301, nil, .io, 1),
    ]
    for (status, code, wanted, count) in cases {
      let outcome = try Self.run(Array(repeating: Self.error(status, code), count: 20))
      #expect(outcome.code == wanted && outcome.requests.count == count, "\(status) \(code ?? "")")
      #expect(outcome.message.contains("s3://bucket/p/k"))
      for secret in ["the-secret", "the-token", "secret text", "AKIAEXAMPLE"] {
        #expect(!outcome.message.contains(secret))
      }
    }
    for (kind, wanted, count) in [
      (HTTPFailure.Kind.unreachable, DSVError.Code.io, 3), (.timeout, .io, 10), (.broken, .io, 10),
      (.untrusted, .io, 1), (.tooLarge, .corrupt, 1), (.malformed, .io, 3), (.interrupted, .interrupted, 1),
    ] {
      let outcome = try Self.run(Array(repeating: .failure(kind), count: 20))
      #expect(outcome.code == wanted && outcome.requests.count == count, "\(kind)")
    }
  }

  @Test("pauses double up to a bound, and a retry trusts no old connection")
  func pauses() throws {
    var policy = RetryPolicy()
    (policy.firstDelay, policy.longestDelay, policy.attemptCountMax) = (0.02, 0.1, 6)
    let outcome = try Self.run(Array(repeating: .failure(.broken), count: 9), policy: policy)
    let bounds: [UInt64] = [20, 40, 80, 100, 100]
    // Slept in steps, so that who wants to stop is heard.
    #expect(outcome.slept.reduce(0, +) / 1_000_000 == bounds.reduce(0, +))
    #expect(outcome.slept.allSatisfy { $0 <= 50_000_000 })
    #expect(outcome.requests.map(\.isNewConnection) == [false, true, true, true, true, true])
    #expect(try Self.run([]).code == nil)
  }

  @Test("a region is taken from an answer, a host never")
  func regions() throws {
    for step in [
      Self.error(
        301, "PermanentRedirect", "<Endpoint>evil.example.org</Endpoint>",
        headers: [
          ("location", "https://evil.example.org/"), ("x-amz-bucket-region", "eu-west-3"),
        ]),
      Self.error(400, "AuthorizationHeaderMalformed", "<Region>eu-west-3</Region>"),
    ] {
      let outcome = try Self.run([step])
      #expect(outcome.code == nil)
      #expect(
        outcome.requests.map(\.url) == [
          "https://bucket.s3.us-east-1.amazonaws.com/p/k", "https://bucket.s3.eu-west-3.amazonaws.com/p/k",
        ])
      let signed = outcome.requests[1].headers.first { $0.name == "authorization" }?.value ?? ""
      #expect(signed.contains("/eu-west-3/s3/"))
    }
    let bad = Self.error(301, "PermanentRedirect", headers: [("x-amz-bucket-region", "x.evil.org/")])
    #expect(try Self.run([bad]).code == .io)
    let circle = Array(
      repeating: Self.error(301, "P", headers: [("x-amz-bucket-region", "eu-west-3")]), count: 9)
    #expect(try Self.run(circle).requests.count == 2)
  }

  @Test("a clock is put right once, by a date that can be read")
  func clock() throws {
    let date = ("date", "Fri, 24 May 2013 02:00:00 GMT")
    let outcome = try Self.run([Self.error(403, "RequestTimeTooSkewed", headers: [date])])
    #expect(outcome.code == nil)
    #expect(
      outcome.requests.map { $0.headers.first { $0.name == "x-amz-date" }?.value } == [
        "20130524T000000Z", "20130524T020000Z",
      ])
    let again = Array(repeating: Self.error(403, "RequestTimeTooSkewed", headers: [date]), count: 5)
    #expect(try Self.run(again).requests.count == 2)
    #expect(try Self.run([Self.error(403, "RequestTimeTooSkewed", headers: [("date", "soon")])]).code == .io)
  }

  @Test("a part that is another than was asked for is asked for again; one that is too short is corrupt")
  func ranges() throws {
    func part(_ told: String, _ bytes: [UInt8], _ status: Int = 206) -> Script.Step {
      .answer(HTTPResponse(status, headers: [("content-range", told)], body: bytes))
    }
    func get(_ steps: [Script.Step]) throws -> Outcome {
      try Self.run(steps) { bucket throws in #expect(try bucket.get("k", range: 3..<6) == [1, 2, 3]) }
    }
    #expect(try get([part("bytes 3-5/9", [1, 2, 3])]).requests.count == 1)
    #expect(try get([part("bytes 4-6/9", [1, 2, 9]), part("bytes 3-5/9", [1, 2, 3])]).requests.count == 2)
    #expect(try get([part("bytes 3-5/9", [1, 2, 3], 200)]).requests.count == 1, "as rclone says it")
    #expect(
      try get([part("bytes 4-6/9", [1, 2, 9], 200), part("bytes 3-5/9", [1, 2, 3])]).requests.count == 2)
    #expect(try get([part("bytes 3-4/5", [1, 2])]).code == .corrupt)
    #expect(try get([Self.error(416, "InvalidRange")]).code == .corrupt)
    #expect(try get([Self.error(404, "NoSuchKey")]).code == .notFound)
  }

  @Test("lists that are none, lead nowhere or lie are corrupt")
  func lists() throws {
    func list(_ text: String) -> Script.Step { .answer(HTTPResponse(200, body: Array(text.utf8))) }
    func code(_ texts: String..., prefix: String = "") throws -> Outcome {
      try Self.run(texts.map(list)) { _ = try $0.list(prefix: prefix, after: nil, limit: 5) }
    }
    let key = "<Contents><Key>p/a</Key><Size>1</Size></Contents>"
    func page(_ inner: String, isTruncated: Bool = false) -> String {
      "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\(inner)<IsTruncated>\(isTruncated)</IsTruncated></ListBucketResult>"
    }
    #expect(try code(page(key)).code == nil)
    #expect(try code(page(key, isTruncated: true), page("")).requests.count == 2)
    #expect(try code(page(key, isTruncated: true), page(key, isTruncated: true)).code == .corrupt)
    #expect(try code(page("", isTruncated: true)).code == .corrupt)
    #expect(try code("<Other/>").code == .corrupt)
    #expect(try code("no XML").code == .corrupt)
    #expect(try code(page("<Contents><Key>p/a</Key></Contents>")).code == .corrupt)
    #expect(try code(page("<Contents><Key>p/a</Key><Size>-1</Size></Contents>")).code == .corrupt)
    let smaller = "<Contents><Key>p/A</Key><Size>1</Size></Contents>"
    #expect(try code(page(key + smaller)).code == .corrupt, "not in order")
    #expect(try code(page(smaller + key)).code == nil)
    // What cannot be ours may be with a bit flipped: left out, it would seem not to be there. Where all is listed, others' may be there.
    for other in ["p/a b", "q/a"] {
      let more = "<Contents><Key>\(other)</Key><Size>1</Size></Contents>"
      #expect(try code(page(key + more), prefix: "a").code == .corrupt, "\(other)")
      #expect(try code(page(key + more)).code == (other == "q/a" ? .corrupt : nil), "\(other)")
    }
    #expect(try code(page(key).replacing("false", with: "falsd")).code == .corrupt)
  }

  @Test("deletions that failed among many are tried one by one")
  func deletions() throws {
    let partly = "<DeleteResult><Error><Key>p/a</Key><Code>InternalError</Code></Error></DeleteResult>"
    let outcome = try Self.run([
      .answer(HTTPResponse(200, body: Array(partly.utf8))), Self.error(403, "AccessDenied"),
    ]) {
      try $0.delete(["a", "b"])
    }
    #expect(outcome.code == .denied && outcome.requests.map(\.method) == ["POST", "DELETE"])
    #expect(outcome.requests[0].headers.contains { $0.name == "content-md5" })
  }

  @Test("what a request says about its body, it says of every body")
  func digests() throws {
    let outcome = try Self.run([]) { bucket in
      try bucket.put("k", Array("hello".utf8))
      _ = try bucket.create("k", [])
    }
    let headers = Dictionary(uniqueKeysWithValues: outcome.requests[0].headers.map { ($0.name, $0.value) })
    let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    #expect(headers["x-amz-content-sha256"] == digest && headers["x-amz-meta-dsv-sha256"] == digest)
    #expect(headers["content-md5"] == "XUFAKrxLKna5cZ2REBfFkg==")
    #expect(headers["x-amz-security-token"] == "the-token" && headers["if-none-match"] == nil)
    #expect(outcome.requests[1].headers.contains { $0 == ("if-none-match", "*") })
    let signed = headers["authorization"] ?? ""
    for name in [
      "content-md5", "host", "x-amz-content-sha256", "x-amz-date", "x-amz-meta-dsv-sha256",
      "x-amz-security-token",
    ] {
      #expect(signed.contains(name))
    }
  }
}
