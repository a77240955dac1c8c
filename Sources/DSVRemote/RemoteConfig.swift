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
        throw DSVError(.badInput, "a remote's address has no spaces or control characters")
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

  /// Whether it says what a column or table is called.
  package var hasNames: Bool {
    switch self {
    case .all, .metadata: false
    case .columns, .table: true
    }
  }

  /// Lines of a `config`.
  package var text: String {
    switch self {
    case .all: ""
    case .metadata: "fetch metadata\n"
    case .columns(let names): names.map { "fetch column \($0)\n" }.joined()
    case .table(let name): "fetch table \(name)\n"
    }
  }
}

/// The file `.dsv/remotes/NAME/config`: lines of a word and what it is set to.
package struct RemoteConfig: Sendable, Equatable {
  package var address: RemoteAddress
  package var scope = FetchScope.all
  /// Whether the scope stands in a file of its own, sealed, as it has names of an encrypted repository's columns or table.
  package var isScopeSealed = false
  /// Why nothing may be pushed there; `nil` where it may.
  package var readOnlyReason: String?

  package static let byteCountMax = 65_536

  package init(_ address: RemoteAddress) { self.address = address }

  package var text: String { text(scope: isScopeSealed ? "fetch sealed\n" : scope.text) }

  /// - Parameter scopeText: the lines that say what is fetched.
  package func text(scope scopeText: String) -> String {
    var lines = ["url \(address.url)"]
    if let endpoint = address.endpoint { lines.append("endpoint \(endpoint)") }
    if let region = address.region { lines.append("region \(region)") }
    if address.isPathStyle { lines.append("path-style yes") }
    var text = lines.map { $0 + "\n" }.joined() + scopeText
    if let readOnlyReason {
      text += "read-only \(readOnlyReason.split(whereSeparator: \.isNewline).joined(separator: " "))\n"
    }
    return text
  }

  package init(_ text: String, of subject: String) throws(DSVError) {
    self.init(RemoteAddress(""))
    try read(text, of: subject)
    do throws(DSVError) { try address.check() } catch {
      throw DSVError(error.code, "\(subject): \(error.message)", cause: error)
    }
  }

  /// Takes over what lines say.
  package mutating func read(_ text: String, of subject: String) throws(DSVError) {
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
      case "fetch" where value == "sealed": isScopeSealed = true
      case "fetch" where value.hasPrefix("column "): columns.append(String(value.dropFirst(7)))
      case "fetch" where value.hasPrefix("table "): scope = .table(String(value.dropFirst(6)))
      default: throw DSVError(.unsupportedFormat, "\(subject): '\(line[..<space])' needs a newer dsv")
      }
    }
    if !columns.isEmpty { scope = .columns(columns) }
  }

  package init(folder: String) throws(DSVError) {
    let bytes = try FileSystem.read("\(folder)/config", limit: Self.byteCountMax)
    try self.init(String(decoding: bytes, as: UTF8.self), of: "\(folder)/config")
  }

  package func write(to folder: String) throws(DSVError) {
    try FileSystem.replace("\(folder)/config", with: Array(text.utf8))
  }
}
