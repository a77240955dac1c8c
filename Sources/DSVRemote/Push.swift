package import DSVFormat

/// Decides what a push does next. Does nothing itself: the caller performs each step and reports back.
///
/// Refs move last, all of them or none, and only if nobody has moved them meanwhile: the entry that moves them is the next of
/// the log or none. Who comes second reads on, and looks again at everything that may have changed.
package struct Push: Sendable {
  package enum Step: Equatable, Sendable {
    /// Read on in the remote's log, and say where the refs are.
    case readOn
    /// Find out whether each move's `old` led to its `new`.
    case compare([RemoteEntry.Move])
    /// Make the remote hold all that these moves' commits need.
    case upload([RemoteEntry.Move])
    /// Add the next entry to the log.
    case create([RemoteEntry.Move])
    case finish
  }

  /// What became of a ref.
  package enum Outcome: Equatable, Sendable {
    case moved(from: CommitID?)
    case upToDate
    /// The remote has more than what was pushed.
    case behind
  }

  /// How the commit of a move and where the remote is stand to each other.
  package enum Relation: Equatable, Sendable {
    case ahead, behind, diverged
  }

  /// So many others may come first before the push gives up.
  package static let attemptCountMax = 64

  private enum State {
    case readOn, compare, upload, create, finish
  }

  /// The refs to be moved, by name (`heads/main`); `nil` deletes one.
  private let wishes: [(name: String, commit: CommitID?)]
  private var state = State.readOn
  private var moves: [RemoteEntry.Move] = []
  private var attemptCount = 0
  package private(set) var outcomes: [String: Outcome] = [:]

  package init(_ wishes: [(name: String, commit: CommitID?)]) { self.wishes = wishes }

  package func next() -> Step {
    switch state {
    case .readOn: .readOn
    case .compare: .compare(moves)
    case .upload: .upload(moves)
    case .create: .create(moves)
    case .finish: .finish
    }
  }

  /// - Parameter ref: what a ref of the remote is at now.
  /// - Throws: `.conflict` for a tag that is elsewhere on the remote, `.busy` if others keep coming first.
  package mutating func readOn(_ ref: (String) throws(DSVError) -> CommitID?) throws(DSVError) {
    attemptCount += 1
    guard attemptCount <= Self.attemptCountMax else {
      throw DSVError(.busy, "others kept pushing to this remote first; try again")
    }
    moves = []
    for wish in wishes {
      let old = try ref(wish.name)
      guard old != wish.commit else {
        if outcomes[wish.name] == nil { outcomes[wish.name] = .upToDate }
        continue
      }
      if let old, wish.commit != nil, wish.name.hasPrefix("tags/") {
        throw DSVError(
          .conflict,
          "tag '\(wish.name.dropFirst(5))' is at \(old.short) on the remote; a tag does not move: give yours another name"
        )
      }
      outcomes[wish.name] = nil
      moves.append(RemoteEntry.Move(wish.name, old: old, new: wish.commit))
    }
    state = moves.isEmpty ? .finish : .compare
  }

  /// - Parameter relations: in the order of the moves.
  /// - Throws: `.conflict` if a branch has diverged.
  package mutating func compared(_ relations: [Relation]) throws(DSVError) {
    precondition(relations.count == moves.count)
    for (move, relation) in zip(moves, relations) {
      switch relation {
      case .ahead: break
      case .behind: outcomes[move.name] = .behind
      case .diverged:
        throw DSVError(
          .conflict,
          "branch '\(move.name.dropFirst(6))' was pushed to meanwhile, and has versions that are not in yours: "
            + "run 'dsv pull --rebase', or 'dsv pull' and look, and push again; nothing was pushed")
      }
    }
    moves = zip(moves, relations).filter { $0.1 == .ahead }.map(\.0)
    state = moves.isEmpty ? .finish : .upload
  }

  package mutating func uploaded() { state = .create }

  package mutating func created() {
    for move in moves { outcomes[move.name] = .moved(from: move.old) }
    state = .finish
  }

  /// Somebody else has added the entry with that number.
  package mutating func cameSecond() { state = .readOn }
}
