import DSVFormat

/// Who asks, as S3 knows them.
package struct AWSCredentials: Sendable, Equatable {
  package let accessKeyID: String
  package let secretKey: String
  /// Of credentials that end after some time.
  package let sessionToken: String?

  package init(accessKeyID: String, secretKey: String, sessionToken: String? = nil) {
    (self.accessKeyID, self.secretKey, self.sessionToken) = (accessKeyID, secretKey, sessionToken)
  }
}

extension AWSCredentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The key's ID and nothing else, whatever prints it.
  package var description: String { accessKeyID }
  package var debugDescription: String { accessKeyID }
  package var customMirror: Mirror { Mirror(self, children: ["accessKeyID": accessKeyID]) }
}

/// Signs requests as AWS's Signature Version 4 says, for S3: the path as it is, encoded once.
///
/// Pure: what it gives follows from what it is given. Held against botocore's on `fixtures/sigv4`.
/// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
package struct SigV4: Sendable {
  /// What is signed. Nothing in it is encoded yet.
  package struct Request: Sendable {
    package let method: String
    /// Begins with a slash.
    package let path: String
    package let query: [(name: String, value: String)]
    /// All that are to be signed, `host` and `x-amz-date` among them. A name may come more than once.
    package let headers: [(name: String, value: String)]
    /// SHA-256 of the body in hexadecimal digits.
    package let payloadDigest: String

    package init(
      _ method: String, path: String, query: [(name: String, value: String)],
      headers: [(name: String, value: String)], payloadDigest: String
    ) {
      (self.method, self.path, self.query) = (method, path, query)
      (self.headers, self.payloadDigest) = (headers, payloadDigest)
    }
  }

  private let credentials: AWSCredentials
  private let region: String
  private let service: String

  package init(_ credentials: AWSCredentials, region: String, service: String = "s3") {
    (self.credentials, self.region, self.service) = (credentials, region, service)
  }

  /// The value of the header `Authorization`.
  ///
  /// - Parameter date: as in `x-amz-date`: `20130524T000000Z`.
  package func authorization(for request: Request, date: String) -> String {
    let headers = Self.canonicalHeaders(request.headers)
    let names = headers.map(\.name).joined(separator: ";")
    let canonical = [
      request.method, PercentEncoding.encode(request.path, keepsSlashes: true),
      Self.canonicalQuery(request.query), headers.map { "\($0.name):\($0.value)\n" }.joined(), names,
      request.payloadDigest,
    ].joined(separator: "\n")
    let day = String(date.prefix(8))
    let scope = "\(day)/\(region)/\(service)/aws4_request"
    let toSign = "AWS4-HMAC-SHA256\n\(date)\n\(scope)\n\(Self.digest(Array(canonical.utf8)))"
    let signature = Self.signature(
      key: Array("AWS4\(credentials.secretKey)".utf8), [day, region, service, "aws4_request", toSign])
    return
      "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
  }

  private static let contexts = IdlePool { HMACContext() }

  /// The last of HMACs of which each is the next one's key, in hexadecimal digits.
  private static func signature(key: [UInt8], _ parts: [String]) -> String {
    contexts.with { context in
      var key = key
      for part in parts {
        var digest = [UInt8](repeating: 0, count: HMACContext.digestByteCount)
        key.withUnsafeBytes { context.start(key: $0) }
        Array(part.utf8).withUnsafeBytes { context.update($0) }
        digest.withUnsafeMutableBytes { context.finish(into: $0) }
        Wiping.wipe(&key)
        key = digest
      }
      context.forget()
      return Hex.text(key)
    }
  }

  /// SHA-256 in hexadecimal digits.
  package static func digest(_ bytes: [UInt8]) -> String {
    let id: AnyID = bytes.withUnsafeBytes { SHA256.id(kind: nil, $0) }
    return id.description
  }

  /// The query of the URL too: a server decodes both in the same way.
  package static func canonicalQuery(_ query: [(name: String, value: String)]) -> String {
    let pairs = query.map { (PercentEncoding.encode($0.name), PercentEncoding.encode($0.value)) }
    return pairs.sorted { $0 < $1 }.map { "\($0)=\($1)" }.joined(separator: "&")
  }

  /// Names in small letters and in order, each once; values without needless spaces, those of one name with commas between.
  private static func canonicalHeaders(
    _ headers: [(name: String, value: String)]
  ) -> [(name: String, value: String)] {
    var values: [String: [String]] = [:]
    for header in headers {
      let words = header.value.split { $0 == " " || $0 == "\t" }
      values[header.name.lowercased(), default: []].append(words.joined(separator: " "))
    }
    return values.sorted { $0.key < $1.key }.map { ($0.key, $0.value.joined(separator: ",")) }
  }
}
