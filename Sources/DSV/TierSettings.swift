public import DSVFormat
import DSVStore
import DSVSystem

/// How much the tiers of a repository may take, and what lies where. Kept in `.dsv/tiers/settings`.
public struct TierSettings: Hashable, Sendable {
  public var policy = TierPolicy.none
  /// What all files of the repository together may take; `nil` for any number.
  public var diskByteCount: Int?
  /// The memory tier of whoever opens the repository and says nothing else.
  public var memoryByteCount: Int?

  public init() {}

  public var isEmpty: Bool { self == TierSettings() }
}

extension TierSettings {
  static let byteCountMax = 1 << 20
  private static let head = "dsv tiers 1"

  var text: String {
    var lines = [Self.head]
    if let diskByteCount { lines.append("disk \(diskByteCount)") }
    if let memoryByteCount { lines.append("memory \(memoryByteCount)") }
    if !policy.text.isEmpty { lines.append("policy \(policy.text)") }
    return lines.map { $0 + "\n" }.joined()
  }

  /// - Throws: `corrupt` for what is no such text, `unsupportedFormat` for that of a newer dsv.
  init(_ text: String, path: String) throws(DSVError) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.first == Self.head[...] else {
      throw DSVError(.unsupportedFormat, "\(path): it does not begin with '\(Self.head)'; use a newer dsv")
    }
    guard text.hasSuffix("\n") else { throw DSVError(.corrupt, "\(path): it ends within a line") }
    for line in lines.dropFirst().dropLast() {
      let parts = line.split(separator: " ", maxSplits: 1)
      let value = parts.count == 2 ? String(parts[1]) : ""
      switch (parts.first ?? "", Int(value)) {
      case ("disk", let count?) where count >= 0: diskByteCount = count
      case ("memory", let count?) where count >= 0: memoryByteCount = count
      case ("policy", _):
        do throws(DSVError) { policy = try TierPolicy(value) } catch {
          throw DSVError(error.code, "\(path): \(error.message)", cause: error)
        }
      default: throw DSVError(.unsupportedFormat, "\(path): a line is not known; use a newer dsv")
      }
    }
  }

  /// A number of bytes as users write it: `200GB`, `4GiB`, `1000`, `none`.
  ///
  /// - Throws: `badInput`.
  public static func byteCount(_ text: String) throws(DSVError) -> Int? {
    if text == "none" { return nil }
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let unit = text.dropFirst(digits.count).lowercased()
    let factors: [String: Int] = [
      "": 1, "b": 1, "kb": 1000, "mb": 1_000_000, "gb": 1_000_000_000, "tb": 1_000_000_000_000,
      "kib": 1 << 10,
      "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
    ]
    guard let number = Int(digits), let factor = factors[unit] else {
      throw DSVError(.badInput, "'\(text)' is no number of bytes; write 200GB, 4GiB or none")
    }
    let (count, overflow) = number.multipliedReportingOverflow(by: factor)
    guard !overflow else { throw DSVError(.badInput, "'\(text)' is too many bytes") }
    return count
  }
}

/// The folder `.dsv/tiers`: what is set, and what is remembered to make good choices. All but the settings may be deleted.
struct TierFolder: Sendable {
  let path: String

  private let store: Store

  init(_ store: Store) {
    self.store = store
    path = "\(store.root)/tiers"
  }

  var settingsPath: String { "\(path)/settings" }
  /// The objects that were fetched for a read, oldest first.
  var promotedPath: String { "\(path)/promoted" }
  var countersPath: String { "\(path)/counters" }

  func settings() throws(DSVError) -> TierSettings {
    guard let bytes = try store.tierSettings(limit: TierSettings.byteCountMax) else { return TierSettings() }
    return try TierSettings(String(decoding: bytes, as: UTF8.self), path: settingsPath)
  }

  func write(_ settings: TierSettings) throws(DSVError) {
    try changing { () throws(DSVError) in
      try store.writeTierSettings(Array(settings.text.utf8))
    }
  }

  /// Runs `body` while no other process changes what lies here.
  func changing<R>(_ body: () throws(DSVError) -> R) throws(DSVError) -> R {
    try FileSystem.makeFolderIfMissing(path)
    let lock = try File("\(path)/lock", .updateOrCreate)
    try lock.lock(.exclusive, waitingUpTo: 10, for: "changing \(path)")
    defer { withExtendedLifetime(lock) {} }
    return try body()
  }

  private func text(_ path: String) throws(DSVError) -> String? {
    guard try FileSystem.exists(path) else { return nil }
    return String(decoding: try FileSystem.read(path, limit: 64 << 20), as: UTF8.self)
  }

  // MARK: - What left this disk

  /// Says that objects left this disk that remotes hold. Not to be deleted as long as they are not here.
  private var demotedPath: String { "\(path)/demoted" }

  var hasDemoted: Bool { get throws(DSVError) { try FileSystem.exists(demotedPath) } }

  func markDemoted() throws(DSVError) {
    if try hasDemoted { return }
    try changing { () throws(DSVError) in
      try FileSystem.replace(demotedPath, with: [])
      try FileSystem.syncFolder(path)
      try FileSystem.syncFolder(FileSystem.parent(of: path))
    }
  }

  // MARK: - Promoted objects

  /// Remembers objects that were fetched, in this order: 8 bytes of each.
  func addPromoted(_ ids: [AnyID]) throws(DSVError) {
    try changing { () throws(DSVError) in
      let file = try File(promotedPath, .updateOrCreate)
      try file.write(Self.bytes(ids.map(\.w0)), at: try file.byteCount() & ~7)
    }
  }

  /// The first words of the IDs of objects that were fetched, oldest first.
  func promoted() throws(DSVError) -> [UInt64] {
    guard try FileSystem.exists(promotedPath) else { return [] }
    let bytes = try FileSystem.read(promotedPath, limit: 1 << 32)
    return bytes.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count & ~7, by: 8).map {
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self))
      }
    }
  }

  /// Forgets those that `isKept` refuses.
  func forgetPromoted(_ isKept: (UInt64) -> Bool) throws(DSVError) {
    guard try FileSystem.exists(promotedPath) else { return }
    try changing { () throws(DSVError) in
      let words = try promoted()
      var seen = Set<UInt64>()
      let kept = words.filter { isKept($0) && seen.insert($0).inserted }
      try FileSystem.replace(promotedPath, with: Self.bytes(kept), isDurable: false)
    }
  }

  private static func bytes(_ words: [UInt64]) -> [UInt8] {
    var bytes: [UInt8] = []
    for word in words { withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) } }
    return bytes
  }

  // MARK: - Counters

  func counters() throws(DSVError) -> [String: Int] {
    var counters: [String: Int] = [:]
    for line in (try text(countersPath) ?? "").split(separator: "\n") {
      let parts = line.split(separator: " ")
      if parts.count == 2, let value = Int(parts[1]) { counters[String(parts[0])] = value }
    }
    return counters
  }

  func add(_ more: [String: Int]) throws(DSVError) {
    guard more.values.contains(where: { $0 != 0 }) else { return }
    try changing { () throws(DSVError) in
      let all = try counters().merging(more) { $0 &+ $1 }
      let text = all.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined()
      try FileSystem.replace(countersPath, with: Array(text.utf8), isDurable: false)
    }
  }
}
