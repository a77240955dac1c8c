public import DSVFormat
import DSVStore
public import DSVVersions

/// A version as a log shows it.
public struct LogEntry: Sendable {
  public let id: CommitID
  /// Such as `v3`; the ID's first digits where it has no number here.
  public let version: String
  public let commit: Commit
  /// Branches and tags that point at it.
  public let names: [String]
  public let isHead: Bool
}

extension Repository {
  /// The versions that led to `start`, newest first: a version always stands before its parents.
  public func log(from start: CommitID, limit: Int = .max) throws(DSVError) -> [LogEntry] {
    var names: [CommitID: [String]] = [:]
    for branch in try branches() { names[branch.commit, default: []].append(branch.name) }
    for tag in try tags() { names[tag.commit, default: []].append("tag: \(tag.name)") }
    for (name, commit) in try remoteBranches() { names[commit, default: []].append(name) }
    let head = try head().commit
    var result: [LogEntry] = []
    var seen: Set<CommitID> = [start]
    // Numbers grow from parents to children, so the highest number that waits has no child that waits.
    var waiting = [(number: try store.number(of: start) ?? .max, id: start)]
    while result.count < limit,
      let next = waiting.indices.max(by: { waiting[$0].number < waiting[$1].number })
    {
      let id = waiting.remove(at: next).id
      let commit = try commit(id)
      result.append(
        LogEntry(
          id: id, version: try versionName(id), commit: commit, names: names[id] ?? [], isHead: id == head))
      for parent in commit.parents where seen.insert(parent).inserted {
        waiting.append((try store.number(of: parent) ?? 0, parent))
      }
    }
    return result
  }
}
