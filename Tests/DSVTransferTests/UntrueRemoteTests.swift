import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import Testing

@testable import DSV

/// Remotes that say what they should not, and what a clone does that was there before.
@Suite struct UntrueRemoteTests {
  let clones: Clones

  init() throws { clones = try Clones() }

  /// The entry that would be next.
  private func nextEntry() throws -> RemoteEntry {
    let folder = try TemporaryFolder(inMemory: true)
    let catalogue = try Catalogue(folder.path)
    try catalogue.readOn(RemoteLog(clones.bucket))
    let position = try catalogue.position
    return RemoteEntry(
      number: position.number + 1, previous: position.digest, nonce: PackID(Random.bytes(16)), time: 1)
  }

  @Test(
    "a ref's name that no user could have given is corrupt",
    arguments: [
      "heads/", "heads/v7", "tags/v2", "heads/HEAD", "heads/a\u{1b}[31mred", "heads/x\ny", "heads/-x",
      "heads/a/../b",
      "remotes/origin/heads/x", "HEAD", "heads/a\u{0}b", "tags/" + String(repeating: "n", count: 201),
    ])
  func names(name: String) throws {
    let a = try clones.new()
    try a.commitTest([row(1)])
    _ = try a.push()
    var entry = try nextEntry()
    entry.moves = [RemoteEntry.Move(name, old: nil, new: try a.resolve("HEAD").commit)]
    #expect(try RemoteLog(clones.bucket).create(entry) != nil)
    let error = try #require(throws: DSVError.self) { try a.fetch() }
    #expect(error.code == .corrupt)
    #expect(try a.rowsTest() == [row(1)])
  }

  @Test("versions that are numbered before those that they were made from are corrupt")
  func order() throws {
    let a = try clones.new()
    try a.commitTest([row(1)])
    try a.commitTest([row(2)])
    _ = try a.push()
    let log = RemoteLog(clones.bucket)
    let bytes = try #require(try clones.bucket.get(RemoteLayout.entry(1), limit: 1 << 20))
    var entry = try RemoteEntry(bytes, of: "entry")
    let commits = entry.numbered.map(\.commit)
    entry.numbered = commits.reversed().enumerated().map { RemoteEntry.Numbered($0 + 1, $1) }
    try clones.bucket.delete([RemoteLayout.entry(1)])
    #expect(try log.create(entry) != nil)
    let error = try #require(throws: DSVError.self) { try clones.clone() }
    #expect(error.code == .corrupt && error.message.contains("numbers"))
  }

  @Test(
    "a branch that was deleted and made elsewhere is told once all else is here, and taken over on demand")
  func madeAnew() throws {
    let a = try clones.new()
    try a.commitTest([row(1)])
    try a.commitTest([row(2)])
    try a.makeBranch("side", at: try a.resolve("v1").commit)
    try a.makeTag("paper", at: try a.resolve("v1").commit)
    _ = try a.pushAll()
    var lazyClone = CloneOptions()
    lazyClone.isLazy = true
    let b = try clones.clone(lazyClone)
    var deletion = PushOptions()
    (deletion.names, deletion.deletes) = (["main", "paper"], true)
    _ = try a.push(deletion)
    try a.deleteTag("paper")
    try a.makeTag("paper", at: try a.resolve("v2").commit)
    try a.checkout(try a.resolve("v1"))
    try a.deleteBranch("main")
    try a.makeBranch("main", at: try a.resolve("v1").commit)
    try a.checkout(try a.resolve("side"))
    try a.commitTest([row(3)])
    _ = try a.pushAll()

    for _ in 0..<2 {
      let error = try #require(throws: DSVError.self) { try b.fetch() }
      #expect(
        error.code == .conflict && error.message.contains("dsv fetch origin --accept main --accept paper"))
      #expect(try b.rowsTest("origin/side") == [row(1), row(3)])
      #expect(try b.rowsTest("origin/main") == [row(1), row(2)])
    }
    #expect(throws: DSVError.self) { try b.fetch(accepting: ["main"]) }
    #expect(try b.rowsTest("origin/main") == [row(1)])
    #expect(try b.fetch(accepting: ["paper"]).refs.map(\.name) == ["paper"])
    #expect(try b.resolve("origin/paper").commit == a.resolve("v2").commit)
    #expect(try b.fetch().refs == [])
    #expect(try #require(throws: DSVError.self) { try b.fetch(accepting: ["none"]) }.code == .notFound)
    // What was here before stays, also where nothing on the remote leads to it.
    #expect(try b.rowsTest("main") == [row(1), row(2)])
  }

  @Test("a clone that goes on leaves what was committed in it meanwhile where it is")
  func committedInTheMiddle() throws {
    let a = try clones.new()
    try a.commitTest([row(1)])
    try a.makeTag("mine", at: try a.resolve("HEAD").commit)
    _ = try a.pushAll()
    let path = clones.newPath()
    // The clone ends as the refs are about to be known.
    let packs = try clones.bucket.list(prefix: RemoteLayout.packPrefix, after: nil, limit: 10).map(\.key)
    let kept = try packs.map { try clones.bucket.get($0, limit: 1 << 20) ?? [] }
    try clones.bucket.delete(packs.filter { $0.hasSuffix(".pack") })
    #expect(throws: DSVError.self) {
      _ = try Repository.clone("s3://test/prefix", to: path, options: clones.options)
    }
    var options = clones.options
    options.threadCount = 0
    let told = try #require(throws: DSVError.self) { try Repository.open(at: path, options: options) }
    #expect(told.code == .conflict && told.message.contains("goes on with it"), "\(told)")
    // As a dsv did that did not look.
    let broken = try Repository.open(at: path, options: options, for: .cloning)
    try broken.commitTest([row(7)])
    try broken.makeTag("mine", at: try broken.resolve("HEAD").commit)
    broken.close()
    for (key, bytes) in zip(packs, kept) { try clones.bucket.put(key, bytes) }
    let b = try Repository.clone("s3://test/prefix", to: path, options: clones.options).repository
    #expect(try b.rowsTest("main") == [row(7)])
    #expect(try b.rowsTest("mine") == [row(7)])
    #expect(try b.rowsTest("origin/main") == [row(1)])
    #expect(try b.check().problems == [])
  }

  @Test("no number of days is too many or too few", arguments: [Int.max, Int.min, 1 << 40])
  func days(count: Int) throws {
    let a = try clones.new()
    try a.commitTest([row(1)])
    _ = try a.push()
    _ = try a.collectGarbage(keepDays: count)
    _ = try a.collectRemoteGarbage(keepDays: count)
    #expect(try a.rowsTest() == [row(1)])
  }
}
