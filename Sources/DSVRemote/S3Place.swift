package import DSVFormat

/// Where a bucket's keys lie: which server, which bucket, below what prefix.
package struct S3Place: Sendable, Equatable {
  package let bucket: String
  /// `""`, or names with slashes between them.
  package let prefix: String
  /// `nil`: AWS.
  package let endpoint: Endpoint?
  package var region: String
  /// Whether the bucket's name stands in the path (`host/bucket/key`), or before the host's (`bucket.host/key`).
  package let isPathStyle: Bool

  /// `http` or `https`, a host, and perhaps a port.
  package struct Endpoint: Sendable, Equatable, CustomStringConvertible {
    package let scheme: String
    /// With a port, where it is not the scheme's own: as in the header `Host`.
    package let authority: String
    package var description: String { "\(scheme)://\(authority)" }

    package init(_ text: String) throws(DSVError) {
      let bad = DSVError(.badInput, "endpoint '\(text)': 'https://host' or 'http://host:port' is wanted")
      let parts = text.split(separator: "://", maxSplits: 1).map(String.init)
      guard parts.count == 2, ["http", "https"].contains(parts[0].lowercased()) else { throw bad }
      scheme = parts[0].lowercased()
      let rest = parts[1].hasSuffix("/") ? String(parts[1].dropLast()) : parts[1]
      let colon = rest.hasSuffix("]") ? nil : rest.lastIndex(of: ":")
      let host = rest[..<(colon ?? rest.endIndex)].lowercased()
      guard !host.isEmpty, host.utf8.allSatisfy(Self.mayStand) else { throw bad }
      guard let colon else {
        authority = host
        return
      }
      guard let port = UInt16(rest[rest.index(after: colon)...]), port > 0 else { throw bad }
      authority = port == (scheme == "https" ? 443 : 80) ? host : "\(host):\(port)"
    }

    var host: Substring { authority.hasSuffix("]") ? authority[...] : authority.prefix { $0 != ":" } }

    /// Whether no name can stand before the host's.
    var isAddress: Bool {
      authority.hasPrefix("[") || host == "localhost"
        || host.split(separator: ".").allSatisfy { UInt8($0) != nil }
    }

    private static func mayStand(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
        UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
        true
      default: false
      }
    }
  }

  /// - Parameters:
  ///   - region: `nil`: `us-east-1`.
  ///   - isPathStyle: `nil`: where nothing else can be.
  package init(
    bucket: String, prefix: String = "", endpoint: Endpoint? = nil, region: String? = nil,
    isPathStyle: Bool? = nil
  ) throws(DSVError) {
    guard (3...63).contains(bucket.utf8.count), bucket.utf8.allSatisfy(Self.mayStandInBucket) else {
      throw DSVError(.badInput, "bucket '\(bucket)': 3 to 63 letters, digits, '-', '.' and '_' are wanted")
    }
    let names = prefix.split(separator: "/", omittingEmptySubsequences: false)
    let isFit = prefix.isEmpty || names.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    guard isFit, prefix.utf8.count <= 400, prefix.utf8.allSatisfy({ $0 >= 32 && $0 != 127 }) else {
      throw DSVError(.badInput, "prefix '\(prefix)': names with single slashes between them are wanted")
    }
    let region = region ?? "us-east-1"
    guard Self.isRegion(region) else {
      throw DSVError(.badInput, "region '\(region)': letters, digits and '-' are wanted")
    }
    (self.bucket, self.prefix, self.endpoint, self.region) = (bucket, prefix, endpoint, region)
    // A certificate for `*.host` is none for `a.b.host`.
    let needsPath =
      endpoint?.isAddress == true || bucket.contains { $0 == "." || $0 == "_" || $0.isUppercase }
    self.isPathStyle = isPathStyle ?? needsPath
  }

  static func isRegion(_ text: String) -> Bool {
    (1...40).contains(text.utf8.count)
      && text.utf8.allSatisfy { mayStandInBucket($0) && $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "_") }
  }

  private static func mayStandInBucket(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}

extension S3Place {
  /// What messages call it.
  package var name: String { "s3://\(bucket)\(prefix.isEmpty ? "" : "/\(prefix)")" }

  /// A key's whole name in the bucket.
  func full(_ key: String) -> String { prefix.isEmpty ? key : "\(prefix)/\(key)" }

  private var server: (scheme: String, authority: String) {
    if let endpoint { return (endpoint.scheme, endpoint.authority) }
    return ("https", "s3.\(region).amazonaws.com\(region.hasPrefix("cn-") ? ".cn" : "")")
  }

  var scheme: String { server.scheme }

  /// The value of the header `Host`.
  var host: String { isPathStyle ? server.authority : "\(bucket).\(server.authority)" }

  /// The path of an object, or of the bucket itself: not encoded.
  func path(_ object: String?) -> String {
    (isPathStyle ? "/\(bucket)" : "") + (object.map { "/\($0)" } ?? (isPathStyle ? "" : "/"))
  }
}

/// A remote as people name it.
package enum BucketURL: Sendable, Equatable {
  case s3(bucket: String, prefix: String)
  case folder(path: String)

  /// Reads `s3://BUCKET/PREFIX` or `file:///path`.
  package init(_ text: String) throws(DSVError) {
    if let rest = Self.rest(of: text, behind: "s3://") {
      let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let prefix = parts.count > 1 ? parts[1] : ""
      self = .s3(bucket: parts[0], prefix: prefix.hasSuffix("/") ? String(prefix.dropLast()) : prefix)
    } else if let path = Self.rest(of: text, behind: "file://"), path.hasPrefix("/") {
      self = .folder(path: path)
    } else {
      throw DSVError(.badInput, "remote '\(text)': 's3://BUCKET/PREFIX' or 'file:///path' is wanted")
    }
  }

  private static func rest(of text: String, behind start: String) -> String? {
    text.hasPrefix(start) ? String(text.dropFirst(start.count)) : nil
  }
}
