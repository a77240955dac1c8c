public import DSVFormat
import DSVStore

/// A branch or a tag.
public struct NamedCommit: Hashable, Sendable {
  public let name: String
  public let commit: CommitID

  public init(name: String, commit: CommitID) { (self.name, self.commit) = (name, commit) }
}

extension Repository {
  public func branches() throws(DSVError) -> [NamedCommit] { try named("heads/") }
  public func tags() throws(DSVError) -> [NamedCommit] { try named("tags/") }

  private func named(_ prefix: String) throws(DSVError) -> [NamedCommit] {
    var result: [NamedCommit] = []
    for (name, target) in try store.refs(prefix: prefix) {
      guard case .commit(let id) = target else { continue }
      result.append(NamedCommit(name: String(name.dropFirst(prefix.count)), commit: id))
    }
    return result
  }

  public func makeBranch(_ name: String, at commit: CommitID) throws(DSVError) {
    try make(RefName.branch(name), name, "branch", commit)
  }

  public func makeTag(_ name: String, at commit: CommitID) throws(DSVError) {
    try make(RefName.tag(name), name, "tag", commit)
  }

  private func make(_ ref: String, _ name: String, _ kind: String, _ commit: CommitID) throws(DSVError) {
    try RefName.check(name)
    try store.session().publish { (publication) throws(DSVError) in
      guard try publication.ref(ref) == nil else {
        throw DSVError(.conflict, "there is a \(kind) '\(name)' already")
      }
      // The session keeps gc away: what is there now stays, and what was there when it was named may be gone.
      _ = try versions.commit(commit)
      try publication.move(RefMove(ref, expected: .nothing, new: .commit(commit), action: "\(kind): \(name)"))
    }
  }

  /// Deletes a branch that HEAD is not on. Its versions stay until a collection of garbage finds that nothing leads
  /// to them.
  public func deleteBranch(_ name: String) throws(DSVError) {
    try delete(RefName.branch(name), name, "branch")
  }
  public func deleteTag(_ name: String) throws(DSVError) { try delete(RefName.tag(name), name, "tag") }

  private func delete(_ ref: String, _ name: String, _ kind: String) throws(DSVError) {
    try store.session().publish { (publication) throws(DSVError) in
      guard try publication.ref(ref) != nil else {
        throw DSVError(.notFound, "there is no \(kind) '\(name)'")
      }
      if try publication.ref(Head.refName) == .symbolic(ref) {
        throw DSVError(.conflict, "you are on branch '\(name)'; check out another first")
      }
      try publication.move(RefMove(ref, expected: .anything, new: nil, action: "delete \(kind): \(name)"))
    }
  }

  /// Moves HEAD to a branch, or to a commit that is no branch's. Costs the same whatever the data's size.
  public func checkout(_ revision: Revision) throws(DSVError) {
    let target: RefTarget = revision.branch.map { .symbolic(RefName.branch($0)) } ?? .commit(revision.commit)
    let name = if let branch = revision.branch { branch } else { try versionName(revision.commit) }
    try store.session().publish { (publication) throws(DSVError) in
      _ = try versions.commit(revision.commit)
      try publication.move(
        RefMove(Head.refName, expected: .anything, new: target, action: "checkout: \(name)"))
    }
  }
}
