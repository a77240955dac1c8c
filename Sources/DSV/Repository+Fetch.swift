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
  /// - Parameters:
  ///   - name: the remote; `nil` for `origin` or the only one.
  ///   - accepted: branches and tags of the remote that may be somewhere else than after where they were: somebody deleted them and
  ///     made them anew. `heads/b` is branch b, `tags/b` the tag.
  /// - Throws: `notFound` if nothing was ever pushed there; `corrupt` if the remote is damaged; `conflict` if a branch or tag
  ///   was rolled back, or made anew, once all others are brought; `badInput` if an accepted name is a branch and a tag.
  public func fetch(
    from name: String? = nil, accepting accepted: Set<String> = [],
    progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> FetchResult {
    try fetch(try openRemote(name), accepting: accepted, progress: progress)
  }

  func fetch(
    _ remote: OpenRemote, accepting accepted: Set<String> = [], progress: @escaping ProgressHandler
  ) throws(DSVError) -> FetchResult {
    try progress(Progress(phase: "asking \(remote.name)", done: 0, total: nil, unit: .objects))
    guard try remote.readOn() else {
      throw DSVError(.notFound, "\(remote.config.address.url): nothing was pushed there yet")
    }
    let accepted = try refs(accepted, of: remote)
    let prefix = RefName.remote(remote.name)
    var (attempt, job) = (0, nil as FetchJob?)
    while job == nil {
      attempt += 1
      try bringBack(remote, progress)
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
    var moves = FetchedMoves(remote, accepted.refs)
    let now = try remote.catalogue.refs()
    try job.finish { (publication) throws(DSVError) in
      (moves.moved, moves.refused) = ([], [])
      let old = try publication.refs(prefix: prefix)
      for (name, target) in now { try move(name, to: target, job, publication, &moves) }
      let gone = Set(old.map { String($0.0.dropFirst(prefix.count)) }).subtracting(now.map(\.name))
      for name in gone.sorted() { try move(name, to: nil, job, publication, &moves) }
    }
    try moves.checkRefused()
    if let other = accepted.unknown {
      let names = Set(now.map { String($0.name.drop { $0 != "/" }.dropFirst()) })
      throw DSVError(
        .notFound, "remote '\(remote.name)' has no branch or tag '\(other)'; \(Self.list(names.sorted()))")
    }
    return FetchResult(
      remote: remote.name, refs: moves.moved, commitCount: job.commits.count, objectCount: job.objectCount,
      byteCount: job.fetchedByteCount)
  }

  /// The refs of a remote that names mean, and the first name that means none.
  ///
  /// - Throws: `badInput` for the name of a branch and a tag.
  private func refs(
    _ names: Set<String>, of remote: OpenRemote
  ) throws(DSVError) -> (refs: Set<String>, unknown: String?) {
    var (found, unknown): (Set<String>, String?) = ([], nil)
    for name in names.sorted() {
      var meant: [String] = []
      for ref in [name, RefName.branch(name), RefName.tag(name)] where try remote.catalogue.ref(ref) != nil {
        meant.append(ref)
      }
      if let ref = meant.first, meant.count == 1 || ref == name {
        found.insert(ref)
      } else if meant.isEmpty {
        unknown = unknown ?? name
      } else {
        throw DSVError(
          .badInput,
          "remote '\(remote.name)' has a branch and a tag '\(name)': say '--accept heads/\(name)' for the branch, or '--accept "
            + "tags/\(name)' for the tag; nothing was fetched")
      }
    }
    return (found, unknown)
  }

  /// Stages the move of one ref that says where the remote is.
  private func move(
    _ name: String, to new: CommitID?, _ job: FetchJob, _ publication: Publication,
    _ moves: inout FetchedMoves
  ) throws(DSVError) {
    let ref = RefName.remote(moves.remote.name) + name
    var old: CommitID?
    if case .commit(let id)? = try publication.ref(ref) { old = id }
    guard old != new else { return }
    // It was pushed after the fetch began: the next one brings it.
    if let new, try !job.contains(new) { return }
    let isTag = name.hasPrefix("tags/")
    let shortName = String(name.dropFirst(isTag ? 5 : 6))
    let move = FetchResult.Ref(name: shortName, isTag: isTag, old: old, new: new)
    if let old, let new, !moves.accepted.contains(name), try store.contains(AnyID(old)) {
      var goesOn = false
      if !isTag { goesOn = try job.isAncestor(old, of: new) }
      guard goesOn else { return moves.refused.append(move) }
    }
    try publication.move(
      RefMove(ref, expected: .anything, new: new.map { .commit($0) }, action: "fetch: \(moves.remote.name)"))
    moves.moved.append(move)
  }
}

/// Where a fetch finds that a remote's refs went.
private struct FetchedMoves {
  let remote: OpenRemote
  /// As in `heads/main`.
  let accepted: Set<String>
  var moved: [FetchResult.Ref] = []
  /// Those that are not after where they were: left where they are.
  var refused: [FetchResult.Ref] = []

  init(_ remote: OpenRemote, _ accepted: Set<String>) { (self.remote, self.accepted) = (remote, accepted) }

  func checkRefused() throws(DSVError) {
    guard let first = refused.first, let old = first.old, let new = first.new else { return }
    let others = refused.dropFirst().map { "'\($0.name)'" }
    let choices = try refused.map { (ref) throws(DSVError) in
      let (branch, tag) = (RefName.branch(ref.name), RefName.tag(ref.name))
      let other = try remote.catalogue.ref(ref.isTag ? branch : tag)
      return "--accept \(other == nil ? ref.name : ref.isTag ? tag : branch)"
    }
    throw DSVError(
      .conflict,
      "remote '\(remote.name)' has moved \(first.isTag ? "tag" : "branch") '\(first.name)' from \(old.short) to \(new.short), "
        + "which does not come after it"
        + (others.isEmpty ? "" : ", and likewise \(others.joined(separator: ", "))")
        + ": it was rolled back, or deleted and made anew. All else was brought. If it is meant, "
        + "'dsv fetch \(remote.name) \(choices.joined(separator: " "))' takes it over"
    )
  }
}
