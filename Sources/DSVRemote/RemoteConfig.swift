package import DSVFormat
import DSVSystem

/// Where a remote is, as a user names it.
package struct RemoteAddress: Sendable, Hashable {
  /// `s3://BUCKET/PREFIX` or `file:///FOLDER`.
  package var url: String
  package var endpoint: String?
  package var region: String?
  package var isPathStyle = false

  package init(_ url: String, endpoint: String? = nil, region: String? = nil, isPathStyle: Bool = false) {
    (self.url, self.endpoint, self.region, self.isPathStyle) = (url, endpoint, region, isPathStyle)
  }

  /// Throws `.badInput` for what names no place that dsv can use.
  package func check() throws(DSVError) {
    for text in [url, endpoint ?? "", region ?? ""] {
      guard text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7f }) else {
        throw DSVError(.badInput, "a remote's address has no spaces or control characters; write %20 for one")
      }
    }
    _ = try BucketURL(url)
  }
}

/// How much of a remote a repository takes over when it fetches. Commits and snapshots always.
package enum FetchScope: Sendable, Hashable {
  case all
  case metadata
  /// The columns of these dotted names, of every table.
  case columns([String])
  case table(String)

  package var isPartial: Bool { self != .all }
}

/// The file `.dsv/remotes/NAME/config`: lines of a word and what it is set to.
package struct RemoteConfig: Sendable, Equatable {
  package var address: RemoteAddress
  package var scope = FetchScope.all
  /// Why nothing may be pushed there; `nil` where it may.
  package var readOnlyReason: String?

  static let byteCountMax = 65_536

  package init(_ address: RemoteAddress) { self.address = address }

  package var text: String {
    var lines = ["url \(address.url)"]
    if let endpoint = address.endpoint { lines.append("endpoint \(endpoint)") }
    if let region = address.region { lines.append("region \(region)") }
    if address.isPathStyle { lines.append("path-style yes") }
    switch scope {
    case .all: break
    case .metadata: lines.append("fetch metadata")
    case .columns(let names): lines += names.map { "fetch column \($0)" }
    case .table(let name): lines.append("fetch table \(name)")
    }
    if let readOnlyReason {
      lines.append("read-only \(readOnlyReason.split(whereSeparator: \.isNewline).joined(separator: " "))")
    }
    return lines.map { $0 + "\n" }.joined()
  }

  package init(_ text: String, of subject: String) throws(DSVError) {
    self.init(RemoteAddress(""))
    var columns: [String] = []
    for line in text.split(separator: "\n") {
      guard let space = line.firstIndex(of: " ") else {
        throw DSVError(.corrupt, "\(subject): a line without a value")
      }
      let value = String(line[line.index(after: space)...])
      switch line[..<space] {
      case "url": address.url = value
      case "endpoint": address.endpoint = value
      case "region": address.region = value
      case "path-style": address.isPathStyle = value == "yes"
      case "read-only": readOnlyReason = value
      case "fetch" where value == "metadata": scope = .metadata
      case "fetch" where value.hasPrefix("column "): columns.append(String(value.dropFirst(7)))
      case "fetch" where value.hasPrefix("table "): scope = .table(String(value.dropFirst(6)))
      default: throw DSVError(.unsupportedFormat, "\(subject): '\(line[..<space])' needs a newer dsv")
      }
    }
    if !columns.isEmpty { scope = .columns(columns) }
    try address.check()
  }

  package init(folder: String) throws(DSVError) {
    let bytes = try FileSystem.read("\(folder)/config", limit: Self.byteCountMax)
    try self.init(String(decoding: bytes, as: UTF8.self), of: "\(folder)/config")
  }

  package func write(to folder: String) throws(DSVError) {
    try FileSystem.replace("\(folder)/config", with: Array(text.utf8))
  }
}
