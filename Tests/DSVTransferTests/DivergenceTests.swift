import DSV
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import Testing

/// What is told where two have gone on apart.
@Suite struct DivergenceTests {
  let clones: Clones

  init() throws { clones = try Clones() }

  /// Two that are at the same version, which is on the remote.
  private func pair() throws -> (Repository, Repository) {
    let a = try clones.new()
    try a.commitTest((0..<10).map { row($0) }, .replace, key: ["id"])
    _ = try a.push()
    return (a, try clones.clone())
  }

  @Test("an append whose keys the other side has added is a conflict that names the key")
  func takenKeys() throws {
    let (a, b) = try pair()
    try a.commitTest([row(100, "a"), row(101, "a"), row(102)])
    _ = try a.push()
    try b.commitTest([row(100, "b"), row(101, "b"), row(103)])
    let before = try b.head()
    let error = try #require(throws: DSVError.self) { try b.pull(rebases: true) }
    #expect(error.code == .conflict && error.message.contains("2 of the rows that it appends"), "\(error)")
    #expect(error.message.contains("(id)") && !error.text.contains("--upsert"), "\(error)")
    #expect(try b.head() == before)
  }

  @Test("a version that the other side has made too is left out, and named")
  func skipped() throws {
    let (a, b) = try pair()
    try a.commitTest([row(100)])
    _ = try a.push()
    let same = try b.commitTest([row(100)], message: "the same").commit
    let pulled = try b.pull(rebases: true)
    #expect(pulled.kind == .rebased && pulled.skipped == [same] && pulled.replayedCount == 0)
    #expect(try b.rowsTest() == a.rowsTest())
    try a.commitTest([row(101)])
    _ = try a.push()
    try b.commitTest([row(102)])
    #expect(try b.pull(rebases: true).skipped == [])
  }

  @Test("repositories that were begun apart are told as such by pull and push, and nothing moves")
  func unrelated() throws {
    let (a, _) = try pair()
    let other = try Repository.initialize(at: clones.newPath(), options: clones.options)
    try other.commitTest([row(7)], .replace)
    _ = try other.addRemote("origin", url: "s3://test/prefix")
    let (mine, theirs) = (try other.head(), try a.head())
    // Before anything of the remote is here, and afterwards.
    for _ in 0..<2 {
      let pushed = try #require(throws: DSVError.self) { try other.push() }
      #expect(pushed.code == .conflict && pushed.message.contains("no version in common"), "\(pushed)")
      for rebases in [false, true] {
        let pulled = try #require(throws: DSVError.self) { try other.pull(rebases: rebases) }
        #expect(pulled.code == .conflict && pulled.message.contains("no version in common"), "\(pulled)")
      }
    }
    #expect(try other.head() == mine && a.head() == theirs)
    #expect(try a.fetch().refs == [])
    // Under another name it may go there, as the message says.
    try other.makeBranch("apart", at: try other.resolve("main").commit)
    var options = PushOptions()
    options.names = ["apart"]
    #expect(try other.push(options).commitCount == 1)
    // Those that have a version in common have diverged, and no more.
    try a.commitTest([row(50)])
    _ = try a.push()
    let b = try clones.clone()
    try b.commitTest([row(51)])
    try a.commitTest([row(52)])
    _ = try a.push()
    let diverged = try #require(throws: DSVError.self) { try b.push() }
    #expect(diverged.code == .conflict && diverged.message.contains("pull --rebase"), "\(diverged)")
  }

  @Test("what may be taken over is named in full where a branch and a tag have one name")
  func acceptedNames() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    try a.commitTest([row(2)])
    let (first, second) = (try a.resolve("v1").commit, try a.resolve("v2").commit)
    func name(_ commit: CommitID) throws {
      try a.makeBranch("b", at: commit)
      try a.makeTag("b", at: commit)
    }
    try name(second)
    _ = try a.pushAll()
    let b = try clones.clone()
    // Both go back to where they do not come from.
    var deletion = PushOptions()
    (deletion.names, deletion.deletes) = (["b"], true)
    for _ in 0..<2 { _ = try a.push(deletion) }
    try a.deleteBranch("b")
    try a.deleteTag("b")
    try name(first)
    _ = try a.pushAll()
    let refused = try #require(throws: DSVError.self) { try b.fetch() }
    #expect(refused.message.contains("--accept heads/b --accept tags/b"), "\(refused)")
    let both = try #require(throws: DSVError.self) { try b.fetch(accepting: ["b"]) }
    #expect(both.code == .badInput && both.message.contains("--accept tags/b"), "\(both)")
    #expect(throws: DSVError.self) { try b.fetch(accepting: ["tags/b"]) }
    func remote(_ ref: String) throws -> CommitID? {
      if case .commit(let id)? = try b.store.ref("remotes/origin/\(ref)") { id } else { nil }
    }
    #expect(try remote("tags/b") == first && remote("heads/b") == second)
    #expect(try b.fetch(accepting: ["heads/b"]).refs.map(\.isTag) == [false])
    #expect(try remote("heads/b") == first)
  }

  @Test("a push that brings keys and no versions says so; a key that is there already is no error")
  func keysAlone() throws {
    clones.key = .random()
    let (a, b) = try pair()
    #expect(try !a.push().hasNewKeys)
    let second = RepositoryKey.random()
    let id = try a.addKey(second)
    let pushed = try a.push()
    #expect(pushed.hasNewKeys && pushed.refs.map(\.state) == [.upToDate])
    #expect(try !a.push().hasNewKeys)
    _ = try b.pull()
    #expect(try b.addKey(second) == id && b.keys().count == 2)
  }
}
