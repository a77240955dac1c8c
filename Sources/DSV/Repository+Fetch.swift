public import DSVFormat
import DSVRemote
import DSVStore
import DSVVersions

/// What a fetch came to.
public struct FetchResult: Sendable {
  public struct Ref: Sendable, Hashable {
    public let name: String
    public let isTag: Bool
    public let old: CommitID?
    /// `nil` if the remote has it no more.
    public let new: CommitID?
  }
  public let remote: String
  /// Those that are elsewhere than before.
  public let refs: [Ref]
  /// Commits that were not here.
  public let commitCount: Int
  public let objectCount: Int
  /// What was read of packs.
  public let byteCount: Int
}

extension Repository {
  /// Brings what a remote has, and is not here, and notes where its branches and tags are: `origin/main`. Moves nothing else.
  ///
  /// Everything is verified: its ID is computed anew before it is put. What is done stays done if it is interrupted.
  /// - Parameter name: the remote; `nil` for `origin` or the only one.
  /// - Throws: `notFound` if nothing was ever pushed there; `corrupt` if the remote was rolled back, or is damaged.
  public func fetch(
    from name: String? = nil, progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> FetchResult {
    try fetch(try openRemote(name), progress: progress)
  }

  func fetch(
    _ remote: OpenRemote, progress: @escaping ProgressHandler
  ) throws(DSVError) -> FetchResult {
    try progress(Progress(phase: "asking \(remote.name)", done: 0, total: nil, unit: .objects))
    guard try remote.readOn() else {
      throw DSVError(.notFound, "\(remote.config.address.url): nothing was pushed there yet")
    }
    let prefix = RefName.remote(remote.name)
    var (attempt, job) = (0, nil as FetchJob?)
    while job == nil {
      attempt += 1
      let next = try FetchJob(self, remote, scope: remote.config.scope, progress)
      do throws(DSVError) {
        try next.add(try remote.catalogue.refs().map(\.commit))
        job = next
      } catch {
        // A pack that a gc of the remote took away meanwhile was given up in the log before.
        let position = try remote.catalogue.position
        guard error.code == .notFound, attempt < 3, try remote.readOn(),
          try remote.catalogue.position != position
        else { throw error }
      }
    }
    guard let job else { throw DSVError(.io, "\(remote.name): nothing was fetched") }
    var moved: [FetchResult.Ref] = []
    let now = try remote.catalogue.refs()
    try job.finish { (publication) throws(DSVError) in
      moved = []
      let old = try publication.refs(prefix: prefix)
      for (name, target) in now { try move(name, to: target, of: remote, job, publication, &moved) }
      let gone = Set(old.map { String($0.0.dropFirst(prefix.count)) }).subtracting(now.map(\.name))
      for name in gone.sorted() { try move(name, to: nil, of: remote, job, publication, &moved) }
    }
    return FetchResult(
      remote: remote.name, refs: moved, commitCount: job.commits.count, objectCount: job.objectCount,
      byteCount: job.fetchedByteCount)
  }

  /// Stages the move of one ref that says where the remote is.
  private func move(
    _ name: String, to new: CommitID?, of remote: OpenRemote, _ job: FetchJob, _ publication: Publication,
    _ moved: inout [FetchResult.Ref]
  ) throws(DSVError) {
    let ref = RefName.remote(remote.name) + name
    var old: CommitID?
    if case .commit(let id)? = try publication.ref(ref) { old = id }
    guard old != new else { return }
    // It was pushed after the fetch began: the next one brings it.
    if let new, try !job.contains(new) { return }
    let isTag = name.hasPrefix("tags/")
    let shortName = String(name.dropFirst(isTag ? 5 : 6))
    var isBackward = false
    if let old, let new, try store.contains(AnyID(old)) {
      isBackward = isTag
      if !isTag { isBackward = try !job.isAncestor(old, of: new) }
    }
    if isBackward, let old, let new {
      throw DSVError(
        .corrupt,
        "remote '\(remote.name)' has moved \(isTag ? "tag" : "branch") '\(shortName)' from \(old.short) to \(new.short), "
          + "which does not come after it: it was rolled back or rewritten. If that is meant, remove the remote and add it again"
      )
    }
    try publication.move(
      RefMove(ref, expected: .anything, new: new.map { .commit($0) }, action: "fetch: \(remote.name)"))
    moved.append(FetchResult.Ref(name: shortName, isTag: isTag, old: old, new: new))
  }
}
