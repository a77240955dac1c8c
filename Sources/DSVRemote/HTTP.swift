/// One request, as it goes out.
package struct HTTPRequest: Sendable {
  package let method: String
  package let url: String
  package let headers: [(name: String, value: String)]
  /// `nil`: none, as in a GET.
  package let body: [UInt8]?
  /// A good answer's body with more bytes than this is a failure, before they are taken into memory.
  package let limit: Int
  /// Of the whole value that the header `Range` asks for a part of, that part: kept of an answer that ignores the header.
  package let range: Range<Int>?
  /// Whether to trust no connection that is open.
  package let isNewConnection: Bool

  package init(
    _ method: String, _ url: String, headers: [(name: String, value: String)] = [], body: [UInt8]? = nil,
    limit: Int, range: Range<Int>? = nil, isNewConnection: Bool = false
  ) {
    (self.method, self.url, self.headers, self.body) = (method, url, headers, body)
    (self.limit, self.range, self.isNewConnection) = (limit, range, isNewConnection)
  }
}

/// What came back.
package struct HTTPResponse: Sendable {
  package let status: Int
  /// Names in small letters.
  package let headers: [(name: String, value: String)]
  /// Of an answer that is none of success, at most ``errorByteCountMax`` bytes of it.
  package let body: [UInt8]

  package static let errorByteCountMax = 1 << 16
  package static let headerCountMax = 100
  package static let headerByteCountMax = 1 << 16

  package init(_ status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
    (self.status, self.headers, self.body) = (status, headers, body)
  }

  /// The first of that name, which is in small letters.
  package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// Why no answer came back.
package struct HTTPFailure: Error, Sendable, CustomStringConvertible {
  package enum Kind: String, Sendable {
    /// No such host, or nobody listens there.
    case unreachable
    case timeout
    /// The connection broke, or the answer did.
    case broken
    /// The server does not show that it is who it should be.
    case untrusted
    /// The answer has more bytes than it may have.
    case tooLarge
    /// What came is no HTTP.
    case malformed
    /// The caller wants to stop.
    case interrupted
  }
  package let kind: Kind
  /// In words, without anything of the request.
  package let description: String

  package init(_ kind: Kind, _ description: String) { (self.kind, self.description) = (kind, description) }
}

/// What sends requests. Blocks; threads may share it.
package protocol HTTPTransport: Sendable {
  /// Never follows a redirect.
  func send(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse
}
