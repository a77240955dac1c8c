package import DSVFormat
import DSVSystem

/// What a bucket turned out to do when it was tried, and whether that is enough to push to it.
///
/// Branches move by creating keys that nobody else may create too. A server that lets two succeed would lose commits without
/// a word, so it is used for reading only.
package struct BucketProbe: Sendable, Equatable {
  package enum Verdict: Sendable, Equatable {
    case fit
    /// With the reason, in words.
    case readOnly(String)
  }

  /// How a value is replaced only if nobody has changed it: which form of its ETag the server takes.
  package enum Replacement: String, Sendable { case quoted, unquoted, both, none }

  /// Why nothing can be written; then nothing else was tried.
  package var refusal: String?
  /// Whether a second creation of a key was refused, and changed nothing.
  package var isCreateOnly: Bool?
  /// Of 8 that created one key at once, the most that succeeded.
  package var winnerCount: Int?
  package var readsRanges: Bool?
  package var listsAtOnce: Bool?
  /// Whether a body that is not the one that was signed is refused. One that is not is put again, as its answer tells.
  package var checksSHA256: Bool?
  package var checksMD5: Bool?
  package var replacement: Replacement?

  package init() {}

  package var verdict: Verdict {
    if let refusal { return .readOnly("nothing can be written to it: \(refusal)") }
    if isCreateOnly != true {
      return .readOnly(
        "it ignores conditions: a key that is there can be created again (If-None-Match), so pushes would be lost"
      )
    }
    if winnerCount != 1 {
      return .readOnly(
        "of writers that create one key at once more than one succeeds, so pushes would be lost")
    }
    if listsAtOnce != true { return .readOnly("what was put is not listed at once") }
    return readsRanges == true ? .fit : .readOnly("it does not give parts of a value")
  }

  /// Tries what a push needs, below `probe/`, and takes it away again: about 40 small requests.
  ///
  /// - Throws: what keeps it from being read.
  package static func run(_ bucket: some Bucket) throws(DSVError) -> BucketProbe {
    var probe = BucketProbe()
    let prefix = "probe/\(Random.hexDigits(16))/"
    _ = try bucket.list(prefix: prefix, after: nil, limit: 1)
    do throws(DSVError) {
      try bucket.put(prefix + "value", value)
    } catch {
      guard [.denied, .full, .io].contains(error.code) else { throw error }
      probe.refusal = error.message
      return probe
    }
    let keys = (0..<roundCount).map { "\(prefix)race/\($0)" } + ["value", "once", "s3"].map { prefix + $0 }
    do throws(DSVError) {
      try probe.try(bucket, prefix)
      if let bucket = bucket as? S3Bucket {
        (probe.checksSHA256, probe.checksMD5) = try bucket.payloadChecks(prefix + "s3")
        probe.replacement = try bucket.replacement(prefix + "s3")
      }
    } catch {
      // What failed is what is told.
      do throws(DSVError) { try bucket.delete(keys) } catch {}
      throw error
    }
    try bucket.delete(keys)
    return probe
  }

  private static let roundCount = 3
  private static let value = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }

  private mutating func `try`(_ bucket: some Bucket, _ prefix: String) throws(DSVError) {
    let once = prefix + "once"
    let (first, second) = (try bucket.create(once, [1]), try bucket.create(once, [2]))
    let kept = try bucket.get(once, limit: 1)
    isCreateOnly = first && !second && kept == [1]
    let listed = try bucket.list(prefix: prefix, after: nil, limit: 1000).map(\.key)
    listsAtOnce = listed == [once, prefix + "value"]
    readsRanges = try bucket.get(prefix + "value", range: 10..<700) == Array(Self.value[10..<700])
    winnerCount = 0
    for round in 0..<Self.roundCount {
      winnerCount = max(winnerCount ?? 0, try Self.race(bucket, "\(prefix)race/\(round)"))
    }
  }

  private static func race(_ bucket: some Bucket, _ key: String) throws(DSVError) -> Int {
    let won = try Parallel.map(8, width: 8) { (number) throws(DSVError) in
      try bucket.create(key, Array(repeating: UInt8(number), count: 1000))
    }
    return won.count { $0 }
  }
}

// MARK: - As text

extension BucketProbe {
  /// A line for each finding: its name, a space, its value.
  package var text: String {
    func word(_ isSo: Bool?) -> String? { isSo.map { $0 ? "yes" : "no" } }
    let lines: [(String, String?)] = [
      ("refusal", refusal.map { String($0.map { $0.isNewline ? " " : $0 }) }),
      ("create-only", word(isCreateOnly)), ("race-winners", winnerCount.map(String.init)),
      ("ranges", word(readsRanges)), ("list-after-put", word(listsAtOnce)),
      ("checks-sha256", word(checksSHA256)), ("checks-md5", word(checksMD5)),
      ("replace-if-match", replacement?.rawValue),
    ]
    return lines.compactMap { name, value in value.map { "\(name) \($0)\n" } }.joined()
  }

  /// Reads what ``text`` gave. A name that is unknown is passed over, so that a newer dsv may find out more.
  ///
  /// - Throws: `.corrupt` for a value that no finding has.
  package init(text: String) throws(DSVError) {
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
      guard parts.count == 2 else { throw DSVError(.corrupt, "probe: a line without a value") }
      let isSo = parts[1] == "yes" ? true : parts[1] == "no" ? false : nil
      var isKnown = isSo != nil
      switch parts[0] {
      case "refusal": (refusal, isKnown) = (parts[1], true)
      case "create-only": isCreateOnly = isSo
      case "ranges": readsRanges = isSo
      case "list-after-put": listsAtOnce = isSo
      case "checks-sha256": checksSHA256 = isSo
      case "checks-md5": checksMD5 = isSo
      case "race-winners":
        winnerCount = Int(parts[1])
        isKnown = winnerCount != nil
      case "replace-if-match":
        replacement = Replacement(rawValue: parts[1])
        isKnown = replacement != nil
      default: isKnown = true
      }
      if !isKnown { throw DSVError(.corrupt, "probe: '\(parts[0])' has no such value") }
    }
  }
}

// MARK: - What only S3 has

extension S3Bucket {
  /// Whether bodies are refused whose SHA-256, and whose MD5, is not the one that was told.
  fileprivate func payloadChecks(_ key: String) throws(DSVError) -> (sha256: Bool, md5: Bool) {
    let (sent, other) = (S3Client.Payload([1, 2, 3]), S3Client.Payload([4, 5, 6]))
    func isRefused(_ payload: S3Client.Payload) throws(DSVError) -> Bool {
      try raw(key, payload, payload.headers).status >= 400
    }
    let bySHA256 = try isRefused(S3Client.Payload([1, 2, 3], sha256: other.sha256, md5: nil))
    return (bySHA256, try isRefused(S3Client.Payload([1, 2, 3], sha256: sent.sha256, md5: other.md5)))
  }

  fileprivate func replacement(_ key: String) throws(DSVError) -> BucketProbe.Replacement {
    let payload = S3Client.Payload([1, 2, 3])
    func tag() throws(DSVError) -> String {
      let tag = try raw(key, payload, []).header("etag") ?? ""
      return tag.filter { $0 != "\"" }
    }
    func isTaken(_ tag: String) throws(DSVError) -> Bool {
      (200...299).contains(try raw(key, payload, [("if-match", tag)]).status)
    }
    let wrong = String(repeating: "0", count: 32)
    _ = try tag()
    // A server that takes a wrong one does not look at it.
    if try isTaken("\"\(wrong)\"") { return .none }
    let (quoted, unquoted) = (try isTaken("\"\(tag())\""), try isTaken(tag()))
    if quoted { return unquoted ? .both : .quoted }
    return unquoted ? .unquoted : .none
  }

  /// A put whose answer is taken as it comes, unless it only says to ask again.
  private func raw(
    _ key: String, _ payload: S3Client.Payload, _ headers: [(name: String, value: String)]
  ) throws(DSVError) -> HTTPResponse {
    var call = S3Client.Call(kind: .put, method: "PUT", object: object(key), subject: subject(key))
    call.body = payload
    call.headers = [("content-type", "application/octet-stream")] + headers
    call.isExpected = { status, _ in
      (200...299).contains(status) || [400, 404, 409, 412, 501].contains(status)
    }
    return try client.send(call)
  }
}
