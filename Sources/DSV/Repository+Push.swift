import DSVColumns
public import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVVersions

/// What a push came to.
public struct PushResult: Sendable {
  public struct Ref: Sendable, Hashable {
    public enum State: String, Sendable {
      case pushed, upToDate, behind, deleted
    }
    public let name: String
    public let isTag: Bool
    public let state: State
    public let old: CommitID?
    public let new: CommitID?
  }
  public let remote: String
  public internal(set) var refs: [Ref] = []
  /// Commits that the remote did not have.
  public internal(set) var commitCount = 0
  public internal(set) var objectCount = 0
  public internal(set) var packCount = 0
  /// What was put, of packs and their indexes. Less than their length where a push that was broken off had put some.
  public internal(set) var byteCount = 0
  /// Whether the remote's keys, which are those of here now, were others when they were last looked at.
  public internal(set) var hasNewKeys = false
}

/// What is to be pushed.
public struct PushOptions: Sendable {
  /// Branches and tags; none for the branch that HEAD is on.
  public var names: [String] = []
  /// All branches and tags.
  public var all = false
  /// Take `names` away from the remote instead.
  public var deletes = false

  public init() {}
}

extension Repository {
  /// Makes a remote have branches and tags as they are here, with all that they need and nothing else.
  ///
  /// What the remote has already is not sent; packs of it that are gone are told of, see ``checkRemote(_:repairs:progress:)``. Refs
  /// move last, all or none, and forward only. A push that was broken off goes on where it was. Memory: about 150 MB, and 50 bytes an object that is sent.
  /// - Parameter name: the remote; `nil` for `origin` or the only one.
  /// - Throws: `conflict` if a branch has diverged or was begun apart, or a tag is elsewhere there, and nothing was pushed; `io` if the
  ///   remote cannot be reached; `badInput` if it is one that must not be pushed to.
  public func push(
    to name: String? = nil, _ options: PushOptions = PushOptions(),
    progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> PushResult {
    let result = try pushAll(to: name, options, progress)
    applyTiersIfAny()
    return result
  }

  private func pushAll(
    to name: String?, _ options: PushOptions, _ progress: @escaping ProgressHandler
  ) throws(DSVError) -> PushResult {
    let remote = try openRemote(name)
    if let reason = remote.config.readOnlyReason {
      throw DSVError(.badInput, "remote '\(remote.name)' can only be read: \(reason)")
    }
    let lease = try store.lease()
    defer { withExtendedLifetime(lease) {} }
    let wishes = options.deletes ? try deletions(options.names, remote) : try wishes(options)
    let keyring = try remote.seenKeyring
    var job = PushJob(self, remote, progress)
    let outcomes: [String: Push.Outcome]
    do throws(DSVError) { outcomes = try job.run(wishes) } catch {
      guard error.code == .conflict, let branch = try strangeBranch(wishes, remote) else { throw error }
      throw DSVError(
        .conflict,
        "branch '\(branch)' here and on remote '\(remote.name)' have no version in common: they were begun apart, and none goes on from "
          + "the other. Give this repository a place of its own ('dsv remote add'), or push the branch under another name ('dsv branch "
          + "NAME', 'dsv push \(remote.name) NAME'); nothing was pushed")
    }
    var result = job.result
    let newKeyring = try remote.seenKeyring
    result.hasNewKeys = keyring > 0 && newKeyring > keyring
    for (ref, commit) in wishes {
      let isTag = ref.hasPrefix("tags/")
      let state: PushResult.Ref.State
      var old = commit
      switch outcomes[ref] {
      case .moved(let from): (state, old) = (commit == nil ? .deleted : .pushed, from)
      case .behind: state = .behind
      case .upToDate, nil: state = .upToDate
      }
      result.refs.append(
        .init(name: String(ref.dropFirst(isTag ? 5 : 6)), isTag: isTag, state: state, old: old, new: commit))
    }
    try track(remote, wishes.map(\.name))
    if !options.deletes { tellOfLostPacks(remote) }
    return result
  }

  /// A branch that is to be pushed to where one of its name is, and none of whose versions was ever on the remote.
  private func strangeBranch(
    _ wishes: [(name: String, commit: CommitID?)], _ remote: OpenRemote
  ) throws(DSVError) -> String? {
    for (ref, commit) in wishes where ref.hasPrefix("heads/") {
      guard let commit, try remote.catalogue.ref(ref) != nil else { continue }
      var isKnown = false
      for id in try history(of: commit) where try remote.catalogue.number(of: id) != nil {
        isKnown = true
        break
      }
      if !isKnown { return String(ref.dropFirst("heads/".count)) }
    }
    return nil
  }

  /// Tells of packs that the remote's log names and that do not lie there whole: what they should hold is not sent again.
  ///
  /// Where one request does not tell that, it is left to ``checkRemote(_:repairs:progress:)``.
  private func tellOfLostPacks(_ remote: OpenRemote) {
    do throws(DSVError) {
      let packs = try remote.catalogue.allPacks
      guard packs.count * 2 < PackVerification.listedCountMax else { return }
      guard let listed = try PackVerification.listed(remote.tier, callCountMax: 1) else { return }
      let lost = packs.filter { $0.condemnedTime == nil && listed[$0.key] != $0.byteCount }
      guard let first = lost.first else { return }
      let others = lost.count == 1 ? "" : " and \(lost.count - 1) more"
      options.note(
        "remote '\(remote.name)' does not have \(first.key)\(others) any more, or not whole: 'dsv remote check \(remote.name) --repair' "
          + "puts anew what is whole here")
    } catch {
      // What was pushed is there, and a check tells the rest.
    }
  }

  private func wishes(_ options: PushOptions) throws(DSVError) -> [(name: String, commit: CommitID?)] {
    if options.all {
      let (branches, tags) = (try branches(), try tags())
      return branches.map { (RefName.branch($0.name), $0.commit) }
        + tags.map { (RefName.tag($0.name), $0.commit) }
    }
    var names = options.names
    if names.isEmpty {
      guard let branch = try head().branch else {
        throw DSVError(.badInput, "HEAD is on no branch; name the branch or tag that is to be pushed")
      }
      names = [branch]
    }
    var wishes: [(name: String, commit: CommitID?)] = []
    for name in names {
      let refs = [RefName.branch(name), RefName.tag(name)]
      var found: [(name: String, commit: CommitID?)] = []
      for ref in refs { if let commit = try commitID(ref) { found.append((ref, commit)) } }
      guard let first = found.first else {
        throw DSVError(
          .notFound, "there is no branch or tag '\(name)' to push; see 'dsv branch' and 'dsv tag'")
      }
      if found.count > 1 { self.options.note("'\(name)' is a branch and a tag; the branch is pushed") }
      wishes.append(first)
    }
    return wishes
  }

  /// The refs of a remote that are to go.
  ///
  /// - Throws: `notFound` if one is not there; nothing has gone then.
  private func deletions(
    _ names: [String], _ remote: OpenRemote
  ) throws(DSVError) -> [(name: String, commit: CommitID?)] {
    guard !names.isEmpty else { throw DSVError(.badInput, "name the branch or tag that is to go") }
    guard try remote.readOn() else {
      throw DSVError(.notFound, "\(remote.config.address.url): nothing was pushed there yet")
    }
    var found: [(name: String, commit: CommitID?)] = []
    for name in names {
      let ref = try RefName.tagOrBranch(name) { (ref) throws(DSVError) in
        try remote.catalogue.ref(ref) != nil
      }
      guard try remote.catalogue.ref(ref) != nil else {
        let known = try remote.catalogue.refs().map { String($0.name.drop { $0 != "/" }.dropFirst()) }
        throw DSVError(
          .notFound,
          "remote '\(remote.name)' has no branch or tag '\(name)'; \(Self.list(known)); nothing has gone")
      }
      found.append((ref, nil))
    }
    return found
  }

  /// Notes where some refs of a remote are, as its catalogue knows it.
  func track(_ remote: OpenRemote, _ names: [String]) throws(DSVError) {
    try store.session().publish { (publication) throws(DSVError) in
      for name in names {
        let target = try remote.catalogue.ref(name)
        // What somebody else has pushed meanwhile is not here yet: fetching notes that.
        if let target, try !store.contains(AnyID(target)) { continue }
        try publication.move(
          RefMove(
            RefName.remote(remote.name) + name, expected: .anything, new: target.map { .commit($0) },
            action: "push: \(remote.name)"))
      }
    }
  }
}

extension RefName {
  /// The ref of a branch or tag, whichever there is.
  static func tagOrBranch(
    _ name: String, _ exists: (String) throws(DSVError) -> Bool
  ) throws(DSVError) -> String {
    try check(name)
    if try !exists(branch(name)), try exists(tag(name)) { return tag(name) }
    return branch(name)
  }
}
