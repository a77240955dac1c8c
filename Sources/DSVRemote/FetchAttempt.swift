import DSVFormat

/// One object that is asked for, from one remote after the other.
struct FetchAttempt {
  /// Those that are not asked any more: they do not have it, or did not give it.
  private(set) var tried: Set<Int> = []
  private(set) var failures: [DSVError]

  /// - Parameters:
  ///   - tried: remotes that are not asked at all.
  ///   - failures: what went wrong before.
  init(butOf tried: Set<Int> = [], failures: [DSVError] = []) {
    (self.tried, self.failures) = (tried, failures)
  }

  mutating func leaveOut(_ remote: Int) { tried.insert(remote) }

  mutating func fails(_ remote: Int, _ error: DSVError) {
    if tried.insert(remote).inserted { failures.append(error) }
  }

  /// Whether a remote may have put the object into another pack.
  var hasLostPack: Bool { failures.contains { $0.code == .notFound } }

  /// Whether what a remote gave is not what it should be.
  var hasDamage: Bool { failures.contains { $0.code == .corrupt } }

  /// What to throw in the end; `nil` if nobody has the object.
  ///
  /// Names each remote that failed. Where one of them may be well again later, that is what the code says.
  var failure: DSVError? {
    guard let first = failures.first else { return nil }
    if failures.count == 1 { return first }
    let codes: [DSVError.Code] = [.busy, .io, .wrongKey, .corrupt]
    let code = codes.first { code in failures.contains { $0.code == code } }
    return DSVError(
      code ?? first.code, failures.map(\.message).joined(separator: "; "), cause: first.cause)
  }
}
