package import DSVFormat
import DSVSystem

/// A bucket on a server that speaks S3.
///
/// What is put carries its own SHA-256 and a random mark, as metadata: by the one, a value that is read whole is checked; by the
/// other, a creation whose answer was lost is told from somebody else's.
package struct S3Bucket: Bucket {
  let client: S3Client
  package let name: String

  private static let digestHeader = "x-amz-meta-dsv-sha256"
  private static let markHeader = "x-amz-meta-dsv-mark"

  package init(_ client: S3Client) { (self.client, name) = (client, client.place.name) }

  package var traffic: BucketTraffic { client.traffic }
  /// With the region that it turned out to be in.
  package var place: S3Place { client.place }

  func subject(_ key: String) -> String { "\(name)/\(key)" }
  func object(_ key: String) -> String {
    BucketKey.check(key)
    return client.place.full(key)
  }

  // MARK: Reading

  package func get(_ key: String, limit: Int) throws(DSVError) -> [UInt8]? {
    try read(key, limit: limit).map(\.body)
  }

  /// - Parameter isChecked: whether bytes that are not those that were put are read again, and then refused.
  private func read(_ key: String, limit: Int, isChecked: Bool = true) throws(DSVError) -> HTTPResponse? {
    var call = S3Client.Call(kind: .get, method: "GET", object: object(key), subject: subject(key))
    call.limit = limit
    call.isExpected = { status, word in status == 200 || status == 404 && word == "NoSuchKey" }
    if isChecked {
      call.damage = { response in
        guard response.status == 200, let digest = response.header(Self.digestHeader) else { return nil }
        return digest == SigV4.digest(response.body) ? nil : "the bytes that came are not those that were put"
      }
    }
    let response = try client.send(call)
    return response.status == 200 ? response : nil
  }

  package func get(_ key: String, range: Range<Int>) throws(DSVError) -> [UInt8] {
    precondition(range.lowerBound >= 0)
    if range.isEmpty { return [] }
    var call = S3Client.Call(kind: .getRange, method: "GET", object: object(key), subject: subject(key))
    call.headers = [("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")]
    (call.limit, call.range) = (range.count, range)
    call.isExpected = { status, word in
      [200, 206, 416].contains(status) || status == 404 && word == "NoSuchKey"
    }
    call.damage = { response in
      guard response.status <= 206, let told = response.header("content-range") else { return nil }
      return told.hasPrefix("bytes \(range.lowerBound)-") ? nil : "another range came than was asked for"
    }
    let response = try client.send(call)
    if response.status == 404 { throw client.failure(call, .notFound, "it is not there") }
    guard response.status != 416, response.body.count == range.count else {
      throw client.failure(call, .corrupt, "it ends before byte \(range.upperBound)")
    }
    return response.body
  }

  // MARK: Writing

  package func put(_ key: String, _ bytes: [UInt8]) throws(DSVError) {
    try put(key, S3Client.Payload(bytes), [])
  }

  private func put(
    _ key: String, _ payload: S3Client.Payload, _ more: [(name: String, value: String)]
  ) throws(DSVError) {
    // A server that checks nothing may have kept something else; it is put again then.
    for _ in 0..<client.policy.attemptCountMax {
      var call = write(.put, key, payload)
      call.headers += more
      let response = try client.send(call)
      if try isKept(key, payload, response) { return }
    }
    throw DSVError(.io, "\(subject(key)): the server keeps other bytes than it was sent")
  }

  package func create(_ key: String, _ bytes: [UInt8]) throws(DSVError) -> Bool {
    let (mark, payload) = ((Self.markHeader, Random.hexDigits(32)), S3Client.Payload(bytes))
    var call = write(.create, key, payload)
    call.headers += [("if-none-match", "*"), mark]
    call.isExpected = { status, _ in status == 200 || status == 201 || status == 412 }
    for _ in 0..<client.policy.attemptCountMax {
      let response = try client.send(call)
      var isWhole = true
      if response.status == 412 {
        // Somebody has the key: perhaps this very call, whose first answer was lost on the way.
        guard let found = try look(key, limit: bytes.count) else { continue }
        guard isOwn(found, bytes, mark.1) else { return false }
        isWhole = found.body == bytes
      } else {
        isWhole = try isKept(key, payload, response)
      }
      // Nobody else can have this key any more, so what arrived damaged is mended in place.
      if !isWhole { try put(key, payload, [mark]) }
      return true
    }
    throw client.failure(call, .busy, "the server says both that it is there and that it is not")
  }

  /// What a key has, damaged or not; `nil` if it has nothing, and without a body if it has more than `limit` bytes.
  private func look(_ key: String, limit: Int) throws(DSVError) -> HTTPResponse? {
    do throws(DSVError) {
      return try read(key, limit: limit, isChecked: false)
    } catch {
      if error.code == .corrupt { return HTTPResponse(200, headers: [(Self.markHeader, "")]) }
      throw error
    }
  }

  /// Whether a value was put by the call with that mark.
  private func isOwn(_ found: HTTPResponse, _ bytes: [UInt8], _ mark: String) -> Bool {
    if let other = found.header(Self.markHeader) { return other == mark }
    // A server that keeps no metadata leaves nothing to tell by but the bytes.
    return found.header(Self.digestHeader) == nil && found.body == bytes
  }

  private func write(
    _ kind: BucketTraffic.Call, _ key: String, _ payload: S3Client.Payload
  ) -> S3Client.Call {
    var call = S3Client.Call(kind: kind, method: "PUT", object: object(key), subject: subject(key))
    call.body = payload
    call.headers = [("content-type", "application/octet-stream"), (Self.digestHeader, payload.sha256)]
    call.headers += payload.headers
    return call
  }

  /// Whether the answer to a put leaves no doubt that the server has these bytes, or reading them does.
  ///
  /// Most servers answer with the MD5 of what they got. Where it is another, that may mean nothing: so it is looked at.
  private func isKept(
    _ key: String, _ payload: S3Client.Payload, _ response: HTTPResponse
  ) throws(DSVError) -> Bool {
    let tag = response.header("etag").map { $0.filter { $0 != "\"" }.lowercased() }
    guard let tag, tag.utf8.count == 32, tag.allSatisfy(\.isHexDigit), let md5 = payload.md5,
      tag != Hex.text(md5)
    else { return true }
    return try look(key, limit: payload.bytes.count)?.body == payload.bytes
  }

  // MARK: Deleting

  package func delete(_ keys: [String]) throws(DSVError) {
    if keys.count == 1 { return try deleteOne(keys[0]) }
    for start in stride(from: 0, to: keys.count, by: 1000) {
      let batch = Array(keys[start..<min(start + 1000, keys.count)])
      if try !deleteMany(batch) { for key in batch { try deleteOne(key) } }
    }
  }

  private func deleteOne(_ key: String) throws(DSVError) {
    var call = S3Client.Call(kind: .delete, method: "DELETE", object: object(key), subject: subject(key))
    call.isExpected = { status, word in
      (200...299).contains(status) || status == 404 && word == "NoSuchKey"
    }
    _ = try client.send(call)
  }

  /// - Returns: `false` if the server cannot delete many at once.
  private func deleteMany(_ keys: [String]) throws(DSVError) -> Bool {
    var call = S3Client.Call(kind: .delete, method: "POST", object: nil, subject: name)
    call.query = [("delete", "")]
    let entries = keys.map { "<Object><Key>\(escaped(object($0)))</Key></Object>" }.joined()
    let payload = S3Client.Payload(Array("<Delete><Quiet>true</Quiet>\(entries)</Delete>".utf8))
    call.body = payload
    call.headers = [("content-type", "application/xml")] + payload.headers
    call.isExpected = { status, _ in status == 200 || status == 501 || status == 405 }
    func result(_ response: HTTPResponse) throws(DSVError) -> XMLElement? {
      if response.body.isEmpty { return nil }
      return try XMLElement(parsing: response.body, of: "what came of deleting")
    }
    call.damage = { response in
      do throws(DSVError) { if response.status == 200 { _ = try result(response) } } catch {
        return error.message
      }
      return nil
    }
    let response = try client.send(call)
    if response.status != 200 { return false }
    guard let result = try result(response) else { return true }
    // One that could not be deleted among others is told by itself: why, is in that answer.
    return result.all("Error").isEmpty
  }

  private func escaped(_ text: String) -> String {
    text.reduce(into: "") { result, character in
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      default: result.append(character)
      }
    }
  }
}

extension S3Bucket {
  /// Opens a bucket with what the environment says: credentials, region, endpoint, certificates.
  ///
  /// - Parameters:
  ///   - endpoint: instead of the environment's, as is `region`.
  ///   - isInterrupted: asked while a call is under way, which then throws `.interrupted`.
  package init(
    bucket: String, prefix: String, endpoint: String? = nil, region: String? = nil, isPathStyle: Bool? = nil,
    policy: RetryPolicy = RetryPolicy(), isInterrupted: @escaping @Sendable () -> Bool = { false }
  ) throws(DSVError) {
    let profile = try AWSProfile.load()
    let address = try (endpoint ?? profile.endpoint).map { (text) throws(DSVError) in
      try S3Place.Endpoint(text)
    }
    let place = try S3Place(
      bucket: bucket, prefix: prefix, endpoint: address, region: region ?? profile.region,
      isPathStyle: isPathStyle)
    var settings = Curl.Settings()
    settings.certificates = Machine.environment("DSV_CA_BUNDLE").flatMap { $0.isEmpty ? nil : $0 }
    var world = S3Client.World(Curl(settings, isInterrupted: isInterrupted)) { () throws(DSVError) in
      try AWSProfile.load().credentials
    }
    world.isInterrupted = isInterrupted
    self.init(try S3Client(place, world, policy: policy))
  }
}
