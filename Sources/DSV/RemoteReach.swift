import DSVFormat
import DSVRemote
import DSVStore
import DSVVersions

/// What a remote will go on holding: its own clean-up keeps what its branches and tags lead to, and nothing else.
struct RemoteReach {
  /// What the remote's branches and tags lead to, as far as it is here; `nil` where it keeps all that it has.
  private var pushed: Reachability?
  /// What the other versions lead to that are here.
  private var others: Reachability

  /// - Throws: `.io` and others if the remote cannot be asked what its branches and tags are now.
  init(_ repository: Repository, _ remote: RemoteTier) throws(DSVError) {
    let store = repository.store
    try remote.places.refresh()
    others = Reachability(repository.versionsHere, isElsewhere: repository.isElsewhere)
    guard let tips = try remote.places.tips() else { return }
    var pushed = Reachability(repository.versionsHere, isElsewhere: repository.isElsewhere)
    for commit in tips where try store.contains(AnyID(commit)) { try pushed.add(commit) }
    // What may not lack anything comes first.
    for tip in try OwnVersions(store).tips where !pushed.contains(AnyID(tip.commit)) {
      try others.add(tip.commit)
    }
    let mayLack = try repository.leavesToRemotes
    for number in stride(from: 1, through: try store.versionCount, by: 1) {
      guard let commit = try store.commit(number: number), try store.contains(AnyID(commit)),
        !pushed.contains(AnyID(commit))
      else { continue }
      try others.add(commit, mayLack: mayLack)
    }
    self.pushed = pushed
  }

  /// Whether the remote keeps an object that it holds. What only versions need that are not the remote's any more it may delete,
  /// though what it keeps builds on it now.
  func keeps(_ id: AnyID) -> Bool { pushed?.leads(to: id) ?? true || !others.contains(id) }
}
