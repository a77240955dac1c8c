import DSVFormat
import DSVRemote

/// Reads bytes as what a server of S3 sends, head and body, behind a byte that says what it was asked.
struct AnswerReader: HTTPTransport {
  private let bytes: [UInt8]

  static func read(_ bytes: UnsafeRawBufferPointer) throws(DSVError) {
    guard let asked = bytes.first else { return }
    let transport = AnswerReader(bytes: Array(bytes.dropFirst()))
    var policy = RetryPolicy()
    (policy.attemptCountMax, policy.strangeAttemptCountMax) = (2, 2)
    var world = S3Client.World(transport) { () throws(DSVError) in
      AWSCredentials(accessKeyID: "id", secretKey: "secret", sessionToken: "token")
    }
    world.now = { 1_369_353_600_000_000_000 }
    world.sleep = { _ in }
    let bucket = S3Bucket(try S3Client(S3Place(bucket: "bucket", prefix: "p"), world, policy: policy))
    switch asked % 5 {
    case 0:
      let keys = try bucket.list(prefix: "", after: "a", limit: 3)
      precondition(keys.count <= 3 && keys.allSatisfy { BucketKey.isValid($0.key) && $0.key > "a" })
    case 1:
      let value = try bucket.get("k", limit: 100)
      precondition((value?.count ?? 0) <= 100)
    case 2:
      let part = try bucket.get("k", range: 10..<30)
      precondition(part.count == 20)
    case 3: _ = try bucket.create("k", [1, 2, 3])
    default: try bucket.delete(["a", "b"])
    }
  }

  func send(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
    var receiver = HTTPReceiver(limit: request.limit, range: request.range)
    var rest = bytes[...]
    var goesOn = true
    while goesOn, let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      let line = Array(rest[...end])
      rest = rest[rest.index(after: end)...]
      goesOn = line.withUnsafeBytes { receiver.receive(line: $0) }
      if line.count <= 2 && receiver.status >= 200 { break }
    }
    // In pieces, as a network has them.
    while goesOn, !rest.isEmpty {
      goesOn = Array(rest.prefix(50)).withUnsafeBytes { receiver.receive(body: $0) }
      rest = rest.dropFirst(50)
    }
    if let failure = receiver.failure { throw failure }
    guard receiver.status > 0 else { throw HTTPFailure(.malformed, "no head") }
    return receiver.response
  }
}
