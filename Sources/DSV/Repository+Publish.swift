public import DSVFormat
import DSVStore
import DSVSystem
import DSVTables
import DSVVersions

/// What a commit came to.
public struct CommitResult: Sendable {
  /// Its name, such as `v3`.
  public let version: String
  public let commit: CommitID
  public let root: SnapshotID
  /// Live rows, by table.
  public let tables: ByTable<Int>
  public var rowCount: Int { tables.values.reduce(0, +) }
  /// How much longer the files of the repository are for it.
  public let newByteCount: Int
  /// `false` if nothing had changed: the result then names the version that was there.
  public let isNew: Bool
  /// The branch that moved; `nil` where HEAD names a commit.
  public let branch: String?
  /// Rows that were put aside as they could not be read.
  public internal(set) var quarantinedCount = 0
}

/// What a commit says of itself.
public struct CommitMessage: Sendable {
  public var text: String
  /// `nil` for the user's name and machine.
  public var author: String?
  /// Microseconds since 1970-01-01 00:00 UTC; `nil` for now.
  public var time: Int64?

  public init(_ text: String, author: String? = nil, time: Int64? = nil) {
    (self.text, self.author, self.time) = (text, author, time)
  }
}

extension Repository {
  /// Where a commit is to go.
  enum Target {
    /// Where HEAD is.
    case head
    /// To a branch that is made, or that is at `expected`.
    case branch(String, expected: CommitID?)
  }

  /// Makes a commit whose snapshot follows from that of its parent, in one step that others see at once.
  ///
  /// - Parameters:
  ///   - base: what the parent must still be; `nil` takes any.
  ///   - change: gets the parent's snapshot.
  func publish(
    _ session: WriteSession, to target: Target, base: CommitID?? = nil, _ message: CommitMessage,
    lineage: Lineage? = nil, parents: [CommitID]? = nil,
    _ change: (Snapshot) throws(DSVError) -> Snapshot
  ) throws(DSVError) -> CommitResult {
    struct Outcome {
      let id: CommitID
      /// `nil` if nothing had changed.
      let commit: Commit?
      let snapshot: EncodedSnapshot
      let number: Int
      let branch: String?
    }
    let outcome = try session.publish { (publication) throws(DSVError) -> Outcome in
      let (ref, branch, tip) = try place(target, publication)
      if let base, base != tip {
        throw DSVError(
          .conflict, "\(branch.map { "branch '\($0)'" } ?? Head.refName) was moved meanwhile; try again")
      }
      let old = try tip.map { (id) throws(DSVError) in try versions.commit(id) }
      let before = try old.map { (commit) throws(DSVError) in try versions.encodedSnapshot(commit.root) }
      let snapshot = EncodedSnapshot(try change(before?.value ?? .empty), store.naming)
      if let tip, let old, snapshot.id == old.root, parents == nil {
        if case .branch = target, try publication.ref(ref) == nil {
          try publication.move(RefMove(ref, expected: .anything, new: .commit(tip), action: "branch"))
        }
        return Outcome(
          id: tip, commit: nil, snapshot: snapshot, number: try publication.number(tip),
          branch: branch)
      }
      for parent in parents ?? [] where try !store.contains(AnyID(parent)) {
        throw DSVError(.notFound, "commit \(parent): it is not there any more; gc has deleted it")
      }
      try session.put(snapshot, after: before)
      let commit = Commit(
        root: snapshot.id, parents: parents ?? (tip.map { [$0] } ?? []), rowCount: snapshot.value.liveCount,
        time: message.time ?? Self.defaultTime,
        author: message.author ?? Self.defaultAuthor, message: message.text, lineage: lineage)
      let id = try session.put(commit)
      let number = try publication.number(id)
      let subject = message.text.split(separator: "\n", maxSplits: 1).first.map(String.init) ?? ""
      try publication.move(RefMove(ref, expected: .anything, new: .commit(id), action: "commit: \(subject)"))
      return Outcome(
        id: id, commit: commit, snapshot: snapshot, number: number, branch: branch)
    }
    versions.keep(outcome.snapshot, of: outcome.commit)
    return CommitResult(
      version: Version.name(outcome.number), commit: outcome.id, root: outcome.snapshot.id,
      tables: ByTable(outcome.snapshot.value.tables.map { ($0.name, $0.liveCount) }),
      newByteCount: session.publishedByteCount, isNew: outcome.commit != nil, branch: outcome.branch)
  }

  /// The ref that a commit moves, the branch's name if it is one, and what it is at now.
  private func place(
    _ target: Target, _ publication: Publication
  ) throws(DSVError) -> (ref: String, branch: String?, tip: CommitID?) {
    func tip(_ ref: String) throws(DSVError) -> CommitID? {
      if case .commit(let id)? = try publication.ref(ref) { id } else { nil }
    }
    switch target {
    case .head:
      if case .symbolic(let ref)? = try publication.ref(Head.refName) {
        return (ref, String(ref.dropFirst("heads/".count)), try tip(ref))
      }
      return (Head.refName, nil, try tip(Head.refName))
    case .branch(let name, let expected):
      let ref = RefName.branch(name)
      let now = try tip(ref)
      // A new branch begins at what it is made from.
      return (ref, name, now ?? expected)
    }
  }

  /// Now, or what DSV_TIME says: so that a script can make the same commits again.
  private static var defaultTime: Int64 {
    Machine.environment("DSV_TIME").flatMap { Int64($0) } ?? Int64(Clock.nanosecondsSince1970() / 1000)
  }

  static var defaultAuthor: String {
    if let author = Machine.environment("DSV_AUTHOR") { return author }
    let user = Machine.environment("USER") ?? Machine.environment("LOGNAME") ?? "unknown"
    return "\(user) <\(user)@\(Machine.hostName)>"
  }
}
