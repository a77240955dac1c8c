import DSVFormat
import DSVRemote
import DSVStore
import DSVVersions

/// The versions that this repository's own branches, tags and HEAD are at, or were: those that it must not lose.
///
/// What only a remote's branches led to was fetched because it was there. Where objects are left to remotes, a remote that gives such a
/// version up has taken nothing away that was used here.
struct OwnVersions {
  /// How users call each, and the commit, which is here.
  private(set) var tips: [(name: String, commit: CommitID)] = []

  init(_ store: Store) throws(DSVError) {
    var seen: Set<CommitID> = []
    for (name, target) in try store.refs() where Self.isOwn(name) {
      guard case .commit(let id) = target, try store.contains(AnyID(id)), seen.insert(id).inserted else {
        continue
      }
      let prefix = ["heads/", "tags/"].first { name.hasPrefix($0) } ?? ""
      tips.append((String(name.dropFirst(prefix.count)), id))
    }
    for entry in try store.reflog() where Self.isOwn(entry.name) {
      for target in [entry.old, entry.new] {
        guard case .commit(let id)? = target, try store.contains(AnyID(id)), seen.insert(id).inserted else {
          continue
        }
        tips.append((try store.number(of: id).map { Version.name($0) } ?? id.short, id))
      }
    }
  }

  /// Whether a ref is not one that says where a remote's is.
  static func isOwn(_ ref: String) -> Bool { !ref.hasPrefix("remotes/") }
}

extension Repository {
  /// The versions that may lack nothing: this repository's own, and where the branches and tags of remotes are, as far as is known. What a
  /// remote should hold, and has lost, is damage there that can be mended.
  func wholeTips() throws(DSVError) -> [CommitID] {
    var tips = try OwnVersions(store).tips.map(\.commit)
    for remote in try remotes() {
      let (prefix, catalogue) = (RefName.remote(remote.name), try catalogue(remote.name))
      let isUnread = try catalogue.position == .start
      for (name, target) in try store.refs(prefix: prefix) {
        guard case .commit(let id) = target, try store.contains(AnyID(id)) else { continue }
        let now = try catalogue.ref(String(name.dropFirst(prefix.count)))
        if isUnread || now == id { tips.append(id) }
      }
    }
    return tips
  }

  /// Whether remotes hold something that is not on this disk: a clone is lazy or partial, or something has left it.
  var leavesToRemotes: Bool {
    get throws(DSVError) {
      if try TierFolder(store).hasDemoted { return true }
      for remote in try remotes() where try remoteConfig(remote.name).scope.isPartial { return true }
      return false
    }
  }

  /// Commits and all that led to them, as far as it is here.
  private func history(of tips: [CommitID]) throws(DSVError) -> Set<CommitID> {
    var waiting = tips
    var seen = Set(tips)
    while let id = waiting.popLast() {
      guard try store.contains(AnyID(id)) else { continue }
      for parent in try versionsHere.commit(id).parents where seen.insert(parent).inserted {
        waiting.append(parent)
      }
    }
    return seen
  }

  /// The versions that are nowhere as a whole, and that may lack something: a remote's branch led to them, and the remote has
  /// given them up. None where all is to be on this disk.
  func lostVersions() throws(DSVError) -> Set<CommitID> {
    guard try leavesToRemotes else { return [] }
    let whole = try history(of: wholeTips())
    var lost: Set<CommitID> = []
    for number in stride(from: 1, through: try store.versionCount, by: 1) {
      guard let id = try store.commit(number: number), !whole.contains(id), try store.contains(AnyID(id))
      else {
        continue
      }
      let commit = try commit(id)
      var walk = Reachability(versionsHere, isElsewhere: isElsewhere)
      try walk.add(commit.root, mayLack: true)
      let isBuiltOnLost = (commit.parents + [commit.lineage?.input].compactMap(\.self)).contains {
        lost.contains($0)
      }
      if walk.lackingCount > 0 || isBuiltOnLost { lost.insert(id) }
    }
    return lost
  }
}
