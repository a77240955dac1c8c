import DSVFormat

/// What to do about what came back, or did not: a pure decision, so that each answer can be tried without a server.
enum S3Verdict {
  /// The answer is one that the caller knows what to do with.
  case accept
  /// The answer is one of success, but its body is not what it should be.
  case damaged(String)
  /// Try again after a while, `least` seconds at least. `isStrange` if it does not look as if S3 had spoken.
  case retry(DSVError.Code, String, least: Double, isStrange: Bool)
  /// The server's clock shows `seconds` since 1970.
  case adjustClock(seconds: Int)
  /// The credentials are not taken any more.
  case readCredentials
  /// The bucket is elsewhere.
  case changeRegion(String)
  case fail(DSVError.Code, String)

  /// - Parameter isExpected: whether the caller wants to see an answer with this status and S3's word for it.
  init(_ response: HTTPResponse, isExpected: (_ status: Int, _ word: String?) -> Bool) {
    let error = S3Error(response)
    guard !isExpected(response.status, error.code) else {
      self = .accept
      return
    }
    let told = error.code.map { "\(response.status) \($0)" } ?? "\(response.status)"
    switch (response.status, error.code) {
    case (403, "RequestTimeTooSkewed"):
      if let seconds = response.header("date").flatMap(HTTPDate.seconds) {
        self = .adjustClock(seconds: seconds)
      } else {
        self = .fail(.io, "this machine's clock is wrong: \(told)")
      }
    case (400...403, "ExpiredToken"), (400...403, "TokenRefreshRequired"), (400...403, "InvalidToken"),
      (400...403, "InvalidAccessKeyId"), (400...403, "ExpiredTokenException"):
      self = .readCredentials
    case (301, _), (302, _), (307, _), (308, _), (400, "AuthorizationHeaderMalformed"):
      // Where to go is never taken from the answer, only the region's name: credentials stay with this server's family.
      if let region = response.header("x-amz-bucket-region") ?? error.region, S3Place.isRegion(region) {
        self = .changeRegion(region)
      } else {
        self = .fail(
          .io, "the server sends elsewhere, which is not followed (\(told)): give its endpoint and region")
      }
    case (_, "SlowDown"), (429, _), (503, _), (500, _), (502, _), (504, _), (408, _), (400, "RequestTimeout"):
      let least = response.header("retry-after").flatMap(Double.init) ?? 0
      self = .retry(.busy, told, least: max(0, least), isStrange: false)
    case (400, "BadDigest"), (400, "XAmzContentSHA256Mismatch"), (400, "IncompleteBody"),
      (400, "XAmzContentChecksumMismatch"):
      self = .retry(.io, "what arrived is not what was sent: \(told)", least: 0, isStrange: false)
    case (409, _), (412, _):
      self = .retry(.busy, told, least: 0, isStrange: false)
    default: self = Self.refusal(response.status, error.code, told)
    }
  }

  private static func refusal(_ status: Int, _ code: String?, _ told: String) -> S3Verdict {
    switch (status, code) {
    case (400...499, nil):
      // S3 says why. Something between here and there that does not may be gone the next time.
      .retry(
        status == 403 ? .denied : .io, "an answer that is not S3's: \(told)", least: 0, isStrange: true)
    case (404, "NoSuchBucket"): .fail(.notFound, "there is no such bucket")
    case (403, "SignatureDoesNotMatch"):
      .fail(.denied, "the secret key is not that of the access key: \(told)")
    case (401, _): .fail(.denied, "the credentials are not taken: \(told)")
    case (403, "QuotaExceeded"), (507, _): .fail(.full, "the bucket's quota is used up: \(told)")
    case (403, _): .fail(.denied, "these credentials may not do that: \(told)")
    default: .fail(.io, "the server refuses: \(told)")
    }
  }

  /// - Parameter host: the server that was asked.
  init(_ failure: HTTPFailure, of host: String) {
    switch failure.kind {
    // Few attempts, with time between them for a network to come back.
    case .unreachable:
      self = .retry(
        .io,
        "\(host) is not reached, so look at the endpoint, the region and the network: \(failure.description)",
        least: 0.5, isStrange: true)
    case .timeout, .broken: self = .retry(.io, failure.description, least: 0, isStrange: false)
    case .malformed: self = .retry(.io, failure.description, least: 0, isStrange: true)
    case .untrusted:
      self = .fail(.io, "\(failure.description); DSV_CA_BUNDLE names other certificates to trust")
    case .tooLarge: self = .fail(.corrupt, failure.description)
    case .interrupted: self = .fail(.interrupted, "interrupted")
    }
  }
}

/// What S3 says in the body of an answer that is none of success.
struct S3Error {
  /// One word: `NoSuchKey`.
  let code: String?
  let region: String?

  init(_ response: HTTPResponse) {
    var found: XMLElement?
    if response.status >= 300, !response.body.isEmpty {
      // What is no XML is not S3's, which is what having no code means.
      do throws(DSVError) { found = try XMLElement(parsing: response.body, of: "") } catch {}
    }
    let error = found?.name == "Error" ? found : nil
    code = error?.text(of: "Code").flatMap { Self.isWord($0) ? $0 : nil }
    region = error?.text(of: "Region")
  }

  /// It goes into messages, so it has to be one.
  private static func isWord(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { $0 < 128 && Character(Unicode.Scalar($0)).isLetter || (48...57).contains($0) }
  }
}
