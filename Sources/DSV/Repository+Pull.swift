public import DSVFormat
import DSVRemote
import DSVStore
import DSVVersions

/// What a pull came to.
public struct PullResult: Sendable {
  public enum Kind: String, Sendable {
    /// Nothing was to be done: the branch has all that the remote's has.
    case upToDate
    case fastForward
    /// The versions that only were here were made again on the remote's.
    case rebased
  }
  public let fetch: FetchResult
  public let branch: String
  public let kind: Kind
  public let old: CommitID?
  public let new: CommitID
  /// Versions that were made again.
  public let replayedCount: Int
  /// Versions that were here and were not made again, as the remote's versions have all that they changed already.
  public let skipped: [CommitID]
  /// Rows that the remote's new versions had changed, and that upserts which were made again have replaced.
  public let replacedRowCount: Int
}

extension Repository {
  /// Fetches, and moves the branch that HEAD is on forward to where the remote's branch of that name is.
  ///
  /// - Parameter rebases: where both have versions that the other has not, make those that only are here again on the remote's:
  ///   appended and upserted rows, and transforms, which run again. An upserted row replaces one of the same key that the remote's
  ///   versions have changed: the last one wins, which is counted.
  /// - Throws: `conflict` if the branches have diverged and `rebases` is not set, or have no version in common, or if what is only
  ///   here cannot be made again. Nothing was moved then.
  public func pull(
    from name: String? = nil, branch: String? = nil, rebases: Bool = false,
    progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> PullResult {
    let remote = try openRemote(name)
    let head = try head()
    guard let branch = branch ?? head.branch else {
      throw DSVError(.badInput, "HEAD is on no branch; check one out, or name the branch to pull")
    }
    let fetched = try fetch(remote, progress: progress)
    guard let theirs = try commitID(RefName.remote(remote.name) + RefName.branch(branch)) else {
      throw DSVError(.notFound, "remote '\(remote.name)' has no branch '\(branch)'; 'dsv push' makes it")
    }
    let ours = try commitID(RefName.branch(branch))
    func result(_ kind: PullResult.Kind, _ new: CommitID, _ replay: Replay? = nil) -> PullResult {
      PullResult(
        fetch: fetched, branch: branch, kind: kind, old: ours, new: new,
        replayedCount: replay?.made.count ?? 0, skipped: replay?.skipped ?? [],
        replacedRowCount: replay?.replacedRowCount ?? 0)
    }
    if let ours {
      if try isAncestor(theirs, of: ours) { return result(.upToDate, ours) }
      guard try isAncestor(ours, of: theirs) else {
        let shared = try history(of: theirs)
        guard try !history(of: ours).isDisjoint(with: shared) else {
          throw DSVError(
            .conflict,
            "branch '\(branch)' and '\(remote.name)/\(branch)' have no version in common: they were begun apart, and none goes on from "
              + "the other. 'dsv pull --help' says how to keep yours under another name and go on from theirs; nothing was moved"
          )
        }
        guard rebases else {
          throw DSVError(
            .conflict,
            "branch '\(branch)' and '\(remote.name)/\(branch)' have both gone on: 'dsv pull --rebase' makes your versions "
              + "again on theirs; 'dsv diff \(remote.name)/\(branch) \(branch)' shows what differs; nothing was moved"
          )
        }
        let replay = try rebase(branch, from: ours, onto: theirs, shared, progress)
        return result(.rebased, replay.tip, replay)
      }
    }
    let session = try store.session()
    try session.publish { (publication) throws(DSVError) in
      try publication.move(
        RefMove(
          RefName.branch(branch), expected: ours.map { .target(.commit($0)) } ?? .nothing,
          new: .commit(theirs),
          action: "pull: \(remote.name)"))
    }
    return result(.fastForward, theirs)
  }

  /// A commit and all that led to it.
  func history(of tip: CommitID) throws(DSVError) -> Set<CommitID> {
    var seen: Set<CommitID> = [tip]
    var waiting = [tip]
    while let id = waiting.popLast() {
      for parent in try commit(id).parents where seen.insert(parent).inserted { waiting.append(parent) }
    }
    return seen
  }

  /// Makes the versions that led to `ours` and not to `theirs` again on top of `theirs`, and moves the branch, all in one step.
  ///
  /// - Parameter shared: the history of `theirs`.
  private func rebase(
    _ branch: String, from ours: CommitID, onto theirs: CommitID, _ shared: Set<CommitID>,
    _ progress: @escaping ProgressHandler
  ) throws(DSVError) -> Replay {
    let session = try store.session()
    var chain: [CommitID] = []
    var next: CommitID? = ours
    while let id = next, !shared.contains(id) {
      let parents = try commit(id).parents
      guard parents.count <= 1 else {
        throw DSVError(
          .conflict, "\(try versionName(id)) is a merge, which cannot be made again; nothing was moved")
      }
      chain.append(id)
      next = parents.first
    }
    // `next` is where both sides were last the same.
    var replay = Replay(self, session, onto: theirs, at: try snapshot(theirs), fork: next, progress)
    for id in chain.reversed() { try replay.make(id) }
    let (tip, made) = (replay.tip, replay.made)
    try session.publish { (publication) throws(DSVError) in
      for commit in made { _ = try publication.number(commit) }
      try publication.move(
        RefMove(
          RefName.branch(branch), expected: .target(.commit(ours)), new: .commit(tip), action: "pull: rebase")
      )
    }
    return replay
  }
}
