import DSV
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import Synchronization
import Testing

/// What a repository has left to a remote, and somebody else has had the remote give up.
@Suite struct GivenUpTests {
  let clones: Clones

  init() throws { clones = try Clones() }

  /// A repository on main that has left a branch to the remote, the branch's rows, and a clone that has had the remote give it up.
  private func demoted() throws -> (a: Repository, rows: [String], b: Repository) {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    try a.branchOff("mine")
    try a.commitTest(noise(0..<100, byteCount: 4000, seed: 2))
    let rows = try a.rowsTest("mine")
    try a.checkout(try a.resolve("main"))
    _ = try a.pushAll()
    let b = try clones.clone()
    #expect(try a.demote([try a.resolve("mine").commit]).objectCount > 0)
    try b.deleteThere("mine")
    #expect(try b.collectRemoteGarbage(nil, before: 0).condemnedPackCount > 0)
    return (a, rows, b)
  }

  private func open(_ repository: Repository, _ notes: Notes) throws -> Repository {
    var options = clones.options
    options.note = { note in notes.all.withLock { $0.append(note) } }
    return try Repository.open(at: repository.path, options: options)
  }

  private final class Notes: Sendable {
    let all = Mutex<[String]>([])
    var text: String { all.withLock { $0.joined(separator: "\n") } }
  }

  @Test(
    "what a branch here needs and another's clean-up has given up comes back to the disk with what reads the log on",
    arguments: [false, true], ["fetch", "push", "tiers", "clean-up"])
  func broughtBack(isEncrypted: Bool, how: String) throws {
    if isEncrypted { clones.key = .random() }
    let (a, rows, b) = try demoted()
    var settings = TierSettings()
    // No room for anything.
    settings.diskByteCount = 1
    try a.setTiers(settings)
    let notes = Notes()
    let again = try open(a, notes)
    switch how {
    case "fetch": _ = try again.fetch()
    case "push": _ = try again.push()
    case "tiers": try again.applyTiers()
    // Its own clean-up would delete what it has left there.
    default: _ = try again.collectRemoteGarbage(nil, before: .max)
    }
    #expect(notes.text.contains("objects that versions here need: brought back to the disk"))
    _ = try b.collectRemoteGarbage(nil, before: .max)
    let count = clones.bucket.callCount
    let alone = try Repository.open(at: a.path, options: clones.options)
    #expect(try alone.rowsTest("mine") == rows)
    #expect(clones.bucket.callCount == count)
    _ = try alone.fetch()
    #expect(try alone.check().problems == [])
    // Nobody else has it: it stays, and goes to the remote again.
    #expect(try alone.demote([try alone.resolve("mine").commit]).objectCount == 0)
    _ = try alone.pushAll()
    #expect(try clones.clone().rowsTest("origin/mine") == rows)
  }

  @Test("a check of the remote brings it back too, and one of the repository says that it should be")
  func checked() throws {
    let (a, rows, b) = try demoted()
    let catalogue = try Catalogue("\(a.store.root)/remotes/origin")
    _ = try catalogue.readOn(RemoteLog(clones.bucket.base))
    let notes = Notes()
    let again = try open(a, notes)
    #expect(try again.check().problems == [])
    #expect(notes.text.contains("'dsv fetch' brings them back"))
    _ = try again.checkRemote()
    #expect(notes.text.contains("brought back to the disk"))
    _ = try b.collectRemoteGarbage(nil, before: .max)
    #expect(try again.rowsTest("mine") == rows)
  }

  @Test(
    "a catalogue that was read anew, and knows nothing of what was given up, lets a clean-up delete nothing")
  func readAnew() throws {
    let (a, _, _) = try demoted()
    a.close()
    try FileSystem.removeTree("\(a.path)/.dsv/remotes/origin/catalogue")
    let notes = Notes()
    let again = try open(a, notes)
    #expect(try again.collectRemoteGarbage(nil, before: .max).deletedPackCount == 0)
    #expect(notes.text.contains("neither here nor known to be on a remote"))
  }

  @Test("what another remote held when it was last read is not counted on")
  func staleOther() throws {
    let folder = try TemporaryFolder()
    func initialize(_ name: String) throws -> Repository {
      try Repository.initialize(at: "\(folder.path)/\(name)", options: .init(threadCount: 0))
    }
    let a = try initialize("a")
    try a.commitTest([row(1)], .replace)
    try a.branchOff("mine")
    try a.commitTest(noise(0..<100, byteCount: 4000, seed: 2))
    let rows = try a.rowsTest("mine")
    try a.checkout(try a.resolve("main"))
    var all = PushOptions()
    all.all = true
    for name in ["origin", "bak"] {
      _ = try a.addRemote(name, url: "file://\(folder.path)/remote-\(name)")
      _ = try a.push(to: name, all)
    }
    #expect(try a.demote([try a.resolve("mine").commit]).objectCount > 0)
    var deletion = PushOptions()
    (deletion.deletes, deletion.names) = (true, ["mine"])
    for name in ["origin", "bak"] {
      let b = try Repository.clone(
        "file://\(folder.path)/remote-\(name)", to: "\(folder.path)/b-\(name)", options: .init(threadCount: 0)
      ).repository
      _ = try b.push(to: "origin", deletion)
      _ = try b.collectRemoteGarbage(nil, before: 0)
      if name == "bak" { #expect(try b.collectRemoteGarbage(nil, before: .max).deletedPackCount > 0) }
    }
    // The one that is read now still holds it; what is known of the other is old.
    _ = try a.collectRemoteGarbage("origin", before: .max)
    #expect(try Repository.open(at: a.path, options: .init(threadCount: 0)).rowsTest("mine") == rows)
  }

  @Test("what was given up is read where it still lies, and sent again from there")
  func readAndSentAgain() throws {
    let (a, rows, b) = try demoted()
    // Reads the log on, and no more.
    let catalogue = try Catalogue("\(a.store.root)/remotes/origin")
    _ = try catalogue.readOn(RemoteLog(clones.bucket.base))
    #expect(try !catalogue.contains(AnyID(try a.resolve("mine").commit)))
    let again = try Repository.open(at: a.path, options: clones.options)
    #expect(try again.rowsTest("mine") == rows)
    _ = try again.pushAll()
    for time in [0, Int.max] { _ = try b.collectRemoteGarbage(nil, before: time) }
    #expect(try clones.clone().rowsTest("origin/mine") == rows)
    #expect(try Repository.open(at: a.path, options: clones.options).rowsTest("mine") == rows)
  }

  @Test("what was put into another pack and given up there, before anybody here heard of either, is found")
  func movedMeanwhile() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    try a.branchOff("other")
    try a.commitTest(noise(200..<220, byteCount: 4000, seed: 3))
    try a.checkout(try a.resolve("main"))
    try a.branchOff("mine")
    try a.commitTest(noise(0..<100, byteCount: 4000, seed: 2))
    let rows = try a.rowsTest("mine")
    try a.checkout(try a.resolve("main"))
    _ = try a.pushAll()
    let b = try clones.clone()
    #expect(try a.demote([try a.resolve("mine").commit]).objectCount > 0)
    try b.deleteThere("other")
    #expect(try b.collectRemoteGarbage(nil, before: 0).rewrittenPackCount > 0)
    try b.deleteThere("mine")
    // Deletes the packs of the first, gives up those of the second.
    let result = try b.collectRemoteGarbage(nil, before: .max)
    #expect(result.deletedPackCount > 0 && result.condemnedPackCount > 0)
    _ = try a.fetch()
    _ = try b.collectRemoteGarbage(nil, before: .max)
    #expect(try Repository.open(at: a.path, options: clones.options).rowsTest("mine") == rows)
  }

  @Test("what cannot be brought back is told with what to do, and a clean-up from here deletes nothing then")
  func notBroughtBack() throws {
    let (a, rows, _) = try demoted()
    func packs() throws -> Set<String> {
      Set(try clones.bucket.base.list(prefix: RemoteLayout.packPrefix, after: nil, limit: 1000).map(\.key))
    }
    let before = try packs()
    let notes = Notes()
    let again = try open(a, notes)
    clones.refused.reads.withLock { $0 = true }
    _ = try again.fetch()
    _ = Result { try again.collectRemoteGarbage(nil, before: .max) }
    clones.refused.reads.withLock { $0 = false }
    #expect(notes.text.contains("'dsv tier promote mine' tries again"))
    let fresh = try Repository.open(at: a.path, options: clones.options)
    _ = try fresh.promote([try fresh.resolve("mine").commit])
    #expect(try before.isSubset(of: packs()))
    #expect(try fresh.rowsTest("mine") == rows)
  }

  /// A lazy clone on main that has fetched a branch that is then deleted and cleaned up on the remote, and who did that.
  private func lazy(fetchesLater: Bool = true) throws -> (lazy: Repository, a: Repository) {
    let a = try clones.new()
    try a.commitTest(noise(300..<320, byteCount: 4000, seed: 1), .replace)
    try a.branchOff("theirs")
    try a.commitTest(noise(0..<100, byteCount: 4000, seed: 2))
    try a.checkout(try a.resolve("main"))
    _ = try a.pushAll()
    let lazy = try clones.lazyClone()
    try a.deleteThere("theirs")
    for time in [0, Int.max] { _ = try a.collectRemoteGarbage(nil, before: time) }
    if fetchesLater { _ = try lazy.fetch() }
    return (lazy, a)
  }

  @Test(
    "a lazy clone does without what a remote's branch led to that nobody has any more",
    arguments: [false, true]
  )
  func theirs(isEncrypted: Bool) throws {
    if isEncrypted { clones.key = .random() }
    let (lazy, a) = try lazy()
    let rows = try a.rowsTest("main")
    let notes = Notes()
    let fresh = try open(lazy, notes)
    #expect(try fresh.check().problems == [])
    #expect(notes.text.contains("are nowhere any more"))
    let error = try #require(throws: DSVError.self) { try fresh.resolve("origin/theirs") }
    #expect(error.code == .notFound && error.message.contains("was at v2"))
    // It is kept as versions are that a ref was at lately.
    _ = try fresh.collectGarbage(since: 0, garbageShareMin: 0)
    #expect(try fresh.rowsTest() == rows)
    #expect(try fresh.demote([try fresh.resolve("main").commit]).objectCount > 0)
    if !isEncrypted {
      let copy = try fresh.encrypt(to: clones.newPath(), with: .random(), options: clones.options)
      #expect(copy.commits.map(\.version) == ["v1"])
      #expect(try copy.repository.rowsTest() == rows)
      #expect(notes.text.contains("v2 is left out"))
    }
    // What main needs is on the remote alone.
    #expect(throws: DSVError.self) { try fresh.removeRemote("origin") }
    _ = try fresh.promote([try fresh.resolve("main").commit])
    try fresh.removeRemote("origin")
    _ = try fresh.collectGarbage(since: 0, garbageShareMin: 0)
    #expect(try fresh.check().problems == [])
    _ = try fresh.collectGarbage(since: .max, garbageShareMin: 0)
    let gone = try #require(throws: DSVError.self) { try fresh.resolve("v2") }
    #expect(gone.message.contains("no branch or tag led to it"))
    let alone = try Repository.open(at: fresh.path, options: clones.options)
    #expect(try alone.rowsTest() == rows)
    #expect(try alone.check().problems == [])
  }

  @Test(
    "what a branch, a tag or HEAD of a lazy clone needs and nobody has is an error that names it",
    arguments: ["branch", "tag", "HEAD"])
  func ownIsLost(how: String) throws {
    let (lazy, _) = try lazy(fetchesLater: false)
    let theirs = try lazy.resolve("origin/theirs")
    switch how {
    case "branch": try lazy.makeBranch("ours", at: theirs.commit)
    case "tag": try lazy.makeTag("ours", at: theirs.commit)
    default: try lazy.checkout(theirs)
    }
    _ = try lazy.fetch()
    let fresh = try Repository.open(at: lazy.path, options: clones.options)
    #expect(try fresh.check().problems.contains { $0.contains("not in this repository") })
    let error = try #require(throws: DSVError.self) {
      try fresh.collectGarbage(since: .max, garbageShareMin: 0)
    }
    #expect(error.message.contains("version v2 needs it"))
    #expect(throws: DSVError.self) { try fresh.removeRemote("origin") }
  }

  @Test("what a remote that cannot be reached may hold is not taken for lost")
  func unreachable() throws {
    let (lazy, _) = try lazy()
    try FileSystem.removeTree("\(lazy.store.root)/remotes/origin/catalogue")
    clones.bucket.plan(.call(0, isForever: true))
    let fresh = try Repository.open(at: lazy.path, options: clones.options)
    #expect(throws: DSVError.self) { try fresh.collectGarbage(since: 0, garbageShareMin: 0) }
    #expect(throws: DSVError.self) { try fresh.check() }
    clones.bucket.plan(.never)
    let again = try Repository.open(at: lazy.path, options: clones.options)
    _ = try again.collectGarbage(since: 0, garbageShareMin: 0)
    #expect(try again.check().problems == [])
  }

  @Test("what a remote's branch leads to and the remote has lost is not taken for given up")
  func lostThere() throws {
    let a = try clones.new()
    try a.commitTest([row(1)], .replace)
    try a.branchOff("theirs")
    try a.commitTest(noise(0..<100, byteCount: 4000, seed: 2))
    try a.checkout(try a.resolve("main"))
    _ = try a.pushAll()
    let lazy = try clones.lazyClone()
    _ = try lazy.promote([try lazy.resolve("main").commit])
    // The catalogue alone forgets it.
    var change = CatalogueIndex.Change()
    let folder = "\(lazy.store.root)/remotes/origin"
    try Catalogue(folder).forEachObject { (id, _) throws(DSVError) in
      if try !lazy.store.contains(id) { change.deleted.append(id) }
    }
    #expect(!change.deleted.isEmpty)
    do {
      let writer = try CatalogueIndex("\(folder)/catalogue", note: { _ in }).writer()
      try writer.apply(change)
    }
    let fresh = try Repository.open(at: lazy.path, options: clones.options)
    #expect(throws: DSVError.self) { try fresh.collectGarbage(since: .max, garbageShareMin: 0) }
    #expect(try fresh.check().problems.isEmpty == false)
  }
}
