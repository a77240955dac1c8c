import DSVFormat
import DSVStore
import DSVSystem

/// The versions that are on this disk, and where a policy puts each.
struct TierVersions {
  /// The newest first: those with a number in the order of their numbers, then those that only refs name.
  private(set) var commits: [CommitID] = []
  private let rules: [TierPolicy.Rule]
  /// For each rule the versions that it is about; `nil` for all.
  private var fitting: [Set<CommitID>?] = []

  /// - Throws: `notFound` if the policy names a version that is not there.
  init(_ repository: Repository, _ policy: TierPolicy) throws(DSVError) {
    rules = policy.rules
    var numbers: [CommitID: Int] = [:]
    var seen = Set<CommitID>()
    let store = repository.store
    let last = try store.versionCount
    for number in stride(from: last, through: 1, by: -1) {
      guard let id = try store.commit(number: number), try store.contains(AnyID(id)) else { continue }
      if seen.insert(id).inserted { commits.append(id) }
      numbers[id] = number
    }
    // What was fetched from a remote may have no number here.
    var tips = commits
    for (_, target) in try store.refs() { if case .commit(let tip) = target { tips.append(tip) } }
    var walked = Set<CommitID>()
    for tip in tips {
      for id in try Self.ancestors(of: tip, repository, butOf: walked) {
        walked.insert(id)
        if seen.insert(id).inserted { commits.append(id) }
      }
    }
    for rule in rules {
      var fitting: Set<CommitID>?
      for versions in rule.versions {
        let set = try resolve(versions, repository, numbers, last)
        fitting = fitting.map { $0.intersection(set) } ?? set
      }
      self.fitting.append(fitting)
    }
  }

  /// The last rule that fits decides.
  func placement(_ commit: CommitID, _ table: String, _ column: String?) -> TierPolicy.Placement {
    rule(commit, table, column) ?? .disk
  }

  /// What a rule says; `nil` if none fits.
  func rule(_ commit: CommitID, _ table: String, _ column: String?) -> TierPolicy.Placement? {
    for index in rules.indices.reversed()
    where fitting[index]?.contains(commit) ?? true && rules[index].fits(table: table, column: column) {
      return rules[index].placement
    }
    return nil
  }

  private func resolve(
    _ versions: TierPolicy.Versions, _ repository: Repository, _ numbers: [CommitID: Int], _ last: Int
  ) throws(DSVError) -> Set<CommitID> {
    switch versions {
    case .all: return Set(commits)
    case .one(let name): return [try repository.resolve(name).commit]
    case .range(let from, let to): return try repository.versions(from: from, to: to)
    case .olderThanSeconds(let seconds):
      let limit = (Int64(Clock.secondsSince1970()) - Int64(seconds)) * 1_000_000
      var old = Set<CommitID>()
      for id in commits where try repository.commit(id).time < limit { old.insert(id) }
      return old
    case .olderThanVersions(let count):
      return Set(commits.filter { id in numbers[id].map { $0 <= last - count } ?? false })
    }
  }

  /// A commit and what led to it, as far as it is here.
  ///
  /// - Parameter known: commits whose ancestors are not wanted, nor they.
  fileprivate static func ancestors(
    of tip: CommitID, _ repository: Repository, butOf known: Set<CommitID> = []
  ) throws(DSVError) -> [CommitID] {
    var (result, waiting, seen): ([CommitID], [CommitID], Set<CommitID>) = ([], [tip], [tip])
    while let id = waiting.popLast() {
      guard !known.contains(id), try repository.store.contains(AnyID(id)) else { continue }
      result.append(id)
      for parent in try repository.commit(id).parents where seen.insert(parent).inserted {
        waiting.append(parent)
      }
    }
    return result
  }
}

extension Repository {
  /// `to` and what led to it, without what led to `from`; `nil` takes all from the beginning.
  func versions(from: String?, to: String) throws(DSVError) -> Set<CommitID> {
    var result = Set(try TierVersions.ancestors(of: try resolve(to).commit, self))
    if let from {
      let first = try resolve(from).commit
      result.subtract(try TierVersions.ancestors(of: first, self).filter { $0 != first })
    }
    return result
  }

  /// The versions that users name: `v3`, or `A..B` for B and what led to it, without what led to A (`v*` for A: from the
  /// first).
  public func versions(named names: [String]) throws(DSVError) -> [CommitID] {
    var result: Set<CommitID> = []
    for name in names {
      if let dots = name.firstRange(of: "..") {
        let from = String(name[..<dots.lowerBound])
        result.formUnion(try versions(from: from == "v*" ? nil : from, to: String(name[dots.upperBound...])))
      } else {
        result.insert(try resolve(name).commit)
      }
    }
    return result.sorted()
  }
}
