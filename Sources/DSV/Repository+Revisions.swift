public import DSVFormat
import DSVRemote
import DSVStore
public import DSVVersions

/// A commit that a user named.
public struct Revision: Hashable, Sendable {
  public let commit: CommitID
  /// The branch whose tip was named, if it was one.
  public let branch: String?
  /// Something the user should know about how the name was read.
  public let note: String?
}

extension Repository {
  public func head() throws(DSVError) -> Head {
    switch try store.ref(Head.refName) {
    case .commit(let id): return Head(branch: nil, commit: id)
    case .symbolic(let ref):
      return Head(branch: String(ref.dropFirst("heads/".count)), commit: try commitID(ref))
    case nil: throw DSVError(.corrupt, "the repository has no HEAD; 'dsv fsck --repair' may bring it back")
    }
  }

  /// The commit that a ref leads to.
  func commitID(_ ref: String) throws(DSVError) -> CommitID? {
    if case .commit(let id)? = try store.ref(ref) { id } else { nil }
  }

  public func commit(_ id: CommitID) throws(DSVError) -> Commit { try versions.commit(id) }

  /// The version's name in this repository, such as `v12`; the ID's first digits where it has no number.
  public func versionName(_ id: CommitID) throws(DSVError) -> String {
    try store.number(of: id).map(Version.name) ?? id.short
  }

  /// Finds what a user named: `HEAD`, `v12`, a branch, a tag, a remote's (`origin/main`, `origin/v12`), 4 or more digits of a
  /// commit ID, in that order; each may be followed by `~N`, the N-th ancestor along first parents, or `^`, its parent.
  ///
  /// - Throws: `notFound`, `badInput` if an ID's digits fit several.
  public func resolve(_ text: String) throws(DSVError) -> Revision {
    if text.isEmpty { throw DSVError(.notFound, "a version has a name; see 'dsv log'") }
    var name = Substring(text)
    var steps = 0
    while let (shorter, count) = Self.ancestor(name) {
      guard count <= 1 << 30, steps <= 1 << 30 else {
        throw DSVError(.notFound, "'\(text)': so many ancestors there are not")
      }
      (name, steps) = (shorter, steps + count)
    }
    let found = try resolveName(name.isEmpty ? Head.refName : String(name))
    if steps == 0 { return found }
    var id = found.commit
    for step in 0..<steps {
      guard let parent = try commit(id).parents.first else {
        throw DSVError(
          .notFound, "'\(text)': there are only \(step) versions before \(try versionName(found.commit))")
      }
      id = parent
    }
    return Revision(commit: id, branch: nil, note: found.note)
  }

  /// What is before a `~N`, `~` or `^` at the end, and how many steps back that is.
  private static func ancestor(_ name: Substring) -> (Substring, Int)? {
    if name.hasSuffix("^") { return (name.dropLast(), 1) }
    guard let tilde = name.lastIndex(of: "~") else { return nil }
    let digits = name[name.index(after: tilde)...]
    if digits.isEmpty { return (name[..<tilde], 1) }
    guard digits.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int(digits).map { (name[..<tilde], $0) }
  }

  private func resolveName(_ name: String) throws(DSVError) -> Revision {
    if name == Head.refName || name == "@" {
      let head = try head()
      guard let id = head.commit else {
        throw DSVError(.notFound, "there is no version yet; make one with 'dsv commit'")
      }
      return Revision(commit: id, branch: head.branch, note: nil)
    }
    if let number = Version.number(name) {
      guard let id = try store.commit(number: number) else {
        throw DSVError(.notFound, "there is no version \(name); the last is v\(try store.versionCount)")
      }
      try checkThere(id, "version \(name)")
      return Revision(commit: id, branch: nil, note: nil)
    }
    for (ref, kind) in [(RefName.branch(name), "branch"), (RefName.tag(name), "tag")] {
      guard let id = try commitID(ref) else { continue }
      let note =
        Self.isPrefix(name) ? "'\(name)' is taken as the \(kind) of that name, not as a commit's ID" : nil
      return Revision(commit: id, branch: kind == "branch" ? name : nil, note: note)
    }
    if let id = try remoteCommit(name) { return Revision(commit: id, branch: nil, note: nil) }
    if Self.isPrefix(name) {
      let found = try store.commits(hexPrefix: name)
      if found.count > 1 {
        throw DSVError(.badInput, "'\(name)' begins the IDs of several commits; give more digits")
      }
      if let id = found.first {
        try checkThere(id, "commit \(name)")
        return Revision(commit: id, branch: nil, note: nil)
      }
    }
    let elsewhere = try remoteBranches().map(\.name).first { $0.drop { $0 != "/" }.dropFirst() == name[...] }
    let advice =
      elsewhere.map {
        "it is a branch of a remote: 'dsv pull \($0.replacing("/", with: " ", maxReplacements: 1))' makes it one here"
      }
      ?? "see 'dsv log' and 'dsv branch'"
    throw DSVError(.notFound, "no version, branch, tag or commit is called '\(name)'; \(advice)")
  }

  /// What `origin/main`, `origin/v12` or `origin/paper` names, as it was when the remote was last looked at.
  private func remoteCommit(_ text: String) throws(DSVError) -> CommitID? {
    guard let slash = text.firstIndex(of: "/"), try hasRemote(text[..<slash]) else { return nil }
    let (remote, name) = (String(text[..<slash]), String(text[text.index(after: slash)...]))
    if let number = Version.number(name) {
      guard let id = try catalogue(remote).commit(number: number) else {
        throw DSVError(
          .notFound, "remote '\(remote)' has no version \(name) that was fetched; see 'dsv fetch'")
      }
      guard try store.contains(AnyID(id)) else {
        throw DSVError(
          .notFound,
          "version \(text) is not here; 'dsv fetch \(remote)' brings it if a branch there leads to it")
      }
      return id
    }
    for ref in [RefName.branch(name), RefName.tag(name)] {
      if let id = try commitID(RefName.remote(remote) + ref) { return id }
    }
    for ref in [RefName.branch(name), RefName.tag(name)] {
      let moves = try store.reflog().filter { $0.name == RefName.remote(remote) + ref }
      guard case .commit(let id)? = moves.last?.old else { continue }
      throw DSVError(
        .notFound, "'\(text)' is gone: remote '\(remote)' has it no more, which was at \(try versionName(id))"
      )
    }
    return nil
  }

  /// - Throws: `notFound` if gc has deleted the commit, `corrupt` if it is gone for another reason.
  private func checkThere(_ id: CommitID, _ subject: String) throws(DSVError) {
    if try store.contains(AnyID(id)) { return }
    guard try store.collectedCommits().contains(id) else {
      throw DSVError(.corrupt, "\(subject): its commit \(id) is not there; 'dsv fsck' looks for damage")
    }
    throw DSVError(.notFound, "\(subject) is gone: no branch or tag led to it when gc ran")
  }

  private static func isPrefix(_ name: String) -> Bool {
    (4...64).contains(name.utf8.count)
      && name.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
  }

  /// The snapshot of a commit.
  package func snapshot(_ id: CommitID) throws(DSVError) -> Snapshot {
    try versions.snapshot(try commit(id).root)
  }
}
