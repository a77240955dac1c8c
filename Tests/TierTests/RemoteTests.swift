import DSV
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTables
import DSVTesting
import Testing

/// Tiers over what push and clone make of a folder.
@Suite struct RemoteTests {
  let folder: TemporaryFolder
  let full: Repository
  var url: String { "file://\(folder.path)/remote" }

  init() throws {
    folder = try TemporaryFolder(inMemory: true)
    full = try Repository.initialize(at: folder.path + "/full", options: Self.options())
    try Lazy.history(full, folder)
    _ = try full.addRemote("origin", url: url)
    _ = try full.push()
  }

  private static func options(_ bucket: (any Bucket)? = nil) -> Repository.Options {
    var options = Repository.Options(threadCount: 2, cacheByteCount: 8 << 20)
    options.remotePackByteCount = 200_000
    if let bucket { options.openBucket = { (_, _) throws(DSVError) in bucket } }
    return options
  }

  private func expectSame(_ repository: Repository, _ context: Comment = "") throws {
    for commit in try Lazy.commits(full) where try repository.store.contains(AnyID(commit)) {
      for table in try full.snapshot(commit).tables.map(\.name) {
        #expect(
          try Lazy.rows(repository, commit, table: table) == Lazy.rows(full, commit, table: table), context)
      }
    }
  }

  private func parts(_ repository: Repository) throws -> Int {
    let all = try Lazy.objects(repository)
    return (all[.chunk]?.count ?? 0) + (all[.node]?.count ?? 0)
  }

  @Test(
    "a lazy clone reads every version, in the process that made it and in another, and keeps what it read")
  func lazyClone() throws {
    var clone = CloneOptions()
    clone.isLazy = true
    let (repository, _) = try Repository.clone(
      url, to: folder.path + "/lazy", clone, options: Self.options())
    #expect(try parts(repository) == 0)
    #expect(try repository.check().problems == [])
    _ = try repository.collectGarbage(keepDays: 0)
    let tip = try repository.resolve("HEAD").commit
    #expect(try Lazy.rows(repository, tip, table: "data") == Lazy.rows(full, tip, table: "data"))
    repository.close()
    let count = try parts(repository)
    #expect(count > 0)
    let again = try Repository.open(at: folder.path + "/lazy", options: Self.options())
    try expectSame(again)
    again.close()
    #expect(try parts(again) > count)
    #expect(try again.check().problems == [])
    // What is written on top is pushed without what it was not written from.
    try Lazy.commit(again, (7000..<7100).map { Lazy.row($0) }, .append)
    _ = try again.push()
    _ = try full.pull()
    #expect(try full.resolve("HEAD").commit == again.resolve("HEAD").commit)
    #expect(try full.check().problems == [])
  }

  @Test("what was pushed leaves the disk and comes back; the remote may not be taken away meanwhile")
  func demoted() throws {
    let before = try parts(full)
    let commits = try Lazy.commits(full)
    let copy = try Repository.clone(url, to: folder.path + "/copy", options: Self.options()).repository
    #expect(try parts(copy) == before)
    let result = try copy.demote(commits)
    #expect(result.refusedCount == 0 && result.objectCount == before)
    #expect(result.verifiedByteCount > 100_000)
    #expect(try copy.demote(commits).verifiedByteCount == 0)
    let error = #expect(throws: DSVError.self) { try copy.removeRemote("origin") }
    #expect(error?.code == .conflict)
    try expectSame(copy)
    try copy.promote(commits)
    #expect(try parts(copy) == before)
  }

  @Test("a push applies the policy")
  func afterPush() throws {
    var settings = TierSettings()
    settings.policy = try TierPolicy("everything to cold")
    try full.setTiers(settings)
    try Lazy.commit(full, (7000..<7100).map { Lazy.row($0) }, .append)
    let before = try parts(full)
    _ = try full.push()
    #expect(try parts(full) < before / 2)
  }

  @Test("what the remote's clean-up has put elsewhere is looked for again")
  func movedPacks() throws {
    var clone = CloneOptions()
    clone.isLazy = true
    let lazy = try Repository.clone(url, to: folder.path + "/lazy", clone, options: Self.options()).repository
    // A branch that goes makes packs in which something is dead.
    try full.makeBranch("side", at: try full.resolve("HEAD").commit)
    try full.checkout(try full.resolve("side"))
    try Lazy.commit(full, (0..<900).map { Lazy.row($0, seed: 77) }, table: "side")
    _ = try full.push()
    try full.checkout(try full.resolve("main"))
    var options = PushOptions()
    (options.names, options.deletes) = (["side"], true)
    _ = try full.push(to: nil, options)
    let bucket = try FolderBucket(folder.path + "/remote")
    let packs = try bucket.list(prefix: "packs/", after: nil, limit: 1000).filter {
      $0.key.hasSuffix(".pack")
    }
    // All of them are given up for one new one, without a word to the clone.
    let catalogue = try Catalogue(folder.path + "/full/.dsv/remotes/origin")
    try catalogue.readOn(RemoteLog(bucket))
    var builder = PackBuilder()
    try catalogue.forEachObject { (id, _) throws(DSVError) in
      if let object = try RemoteReader(bucket, catalogue).read(id) { try builder.append(id, object) }
    }
    let id = builder.packID
    try bucket.put(RemoteLayout.pack(id), builder.bytes)
    try bucket.put(RemoteLayout.index(id), PackIndex(builder).bytes)
    let position = try catalogue.position
    var entry = RemoteEntry(
      number: position.number + 1, previous: position.digest, nonce: PackID(Random.bytes(16)), time: 1)
    entry.added = [LoggedPack(id, byteCount: builder.bytes.count)]
    entry.condemned = packs.compactMap { RemoteLayout.packID(ofKey: $0.key) }
    #expect(try RemoteLog(bucket).create(entry) != nil)
    try bucket.delete(packs.map(\.key))
    try expectSame(lazy)
  }

  @Test("what format-spec/tiers.md shows is what is written")
  func specification() throws {
    let path = String(#filePath.split(separator: "/Tests/")[0])
    let text = String(
      decoding: try FileSystem.read(path + "/format-spec/tiers.md", limit: 1 << 20), as: UTF8.self)
    let example = try #require(
      text.split(separator: "## 4. Example").last?.split(separator: "```\n").dropFirst().first)
    try full.setTiers(TierSettings())
    try folder.write("full/.dsv/tiers/settings", String(example))
    let settings = try full.tierSettings()
    #expect(settings.diskByteCount == 200_000_000_000 && settings.memoryByteCount == 4_000_000_000)
    #expect(settings.policy.rules.count == 2)
    try full.setTiers(settings)
    #expect(try folder.read("full/.dsv/tiers/settings") == example)
    for rule in text.split(separator: "\n") where rule.hasPrefix("| `tiers/") {
      #expect(rule.contains("tiers/"), "\(rule)")
    }
  }
}

/// The same over an encrypted remote.
@Suite struct EncryptedRemoteTests {
  @Test(
    "an encrypted repository is read lazily, demoted and promoted, and the disk and the bucket show no text")
  func encrypted() throws {
    let folder = try TemporaryFolder(inMemory: true)
    let key = RepositoryKey.random()
    var options = Repository.Options(threadCount: 2, cacheByteCount: 8 << 20)
    (options.remotePackByteCount, options.key) = (200_000, key)
    let full = try Repository.initialize(at: folder.path + "/full", encryptedWith: key, options: options)
    try Lazy.history(full, folder)
    _ = try full.archive([try full.resolve("v1").commit])
    let url = "file://\(folder.path)/remote"
    _ = try full.addRemote("origin", url: url)
    _ = try full.push()
    var clone = CloneOptions()
    clone.isLazy = true
    let lazy = try Repository.clone(url, to: folder.path + "/lazy", clone, options: options).repository
    func expectSame() throws {
      for commit in try Lazy.commits(full) {
        for table in try full.snapshot(commit).tables.map(\.name) {
          #expect(try Lazy.rows(lazy, commit, table: table) == Lazy.rows(full, commit, table: table))
        }
      }
    }
    try expectSame()
    lazy.close()
    #expect(try lazy.check().problems == [])
    let commits = try Lazy.commits(full)
    let result = try lazy.demote(commits)
    #expect(result.refusedCount == 0 && result.objectCount > 50)
    #expect(Set(try Lazy.objects(lazy).keys) == [.snapshot, .commit])
    try expectSame()
    try lazy.promote(commits)
    #expect(try lazy.check().problems == [])
    let needles = ["word12", "length"].map { Array($0.utf8) }
    var settings = TierSettings()
    settings.policy = try TierPolicy("column length to cold")
    try lazy.setTiers(settings)
    #expect(try lazy.tierSettings() == settings)
    try lazy.applyTiers(garbageShareMin: 0)
    for path in try Self.files(folder.path + "/lazy/.dsv") + Self.files(folder.path + "/remote") {
      let bytes = try FileSystem.read(path, limit: 1 << 28)
      for needle in needles where path.hasSuffix(".pack") || path.contains("tiers/") {
        #expect(bytes.firstRange(of: needle) == nil, "\(path)")
      }
    }
  }

  @Test("after a re-encryption fsck and gc of a demoted repository know what is elsewhere")
  func reencrypted() throws {
    let folder = try TemporaryFolder(inMemory: true)
    let key = RepositoryKey.random()
    var options = Repository.Options(threadCount: 2, cacheByteCount: 8 << 20)
    (options.remotePackByteCount, options.key) = (200_000, key)
    let path = folder.path + "/full"
    let full = try Repository.initialize(at: path, encryptedWith: key, options: options)
    try Lazy.history(full, folder)
    let commits = try Lazy.commits(full)
    let rows = try Lazy.rows(full, commits[0], table: "data")
    _ = try full.addRemote("origin", url: "file://\(folder.path)/remote")
    _ = try full.push()
    #expect(try full.demote(commits).refusedCount == 0)
    try full.reencrypt()
    let process = try Repository.open(at: path, options: options)
    #expect(try process.check().problems == [])
    _ = try process.collectGarbage(keepDays: 0)
    for repository in [process, full] {
      #expect(try repository.check().problems == [])
      #expect(try Lazy.rows(repository, commits[0], table: "data") == rows)
      _ = try repository.collectGarbage(keepDays: 0)
    }
    try full.reencrypt()
    try FileSystem.rename(folder.path + "/remote", to: folder.path + "/away")
    let cut = try Repository.open(at: path, options: options)
    for body in [{ _ = try cut.check() }, { _ = try cut.collectGarbage(keepDays: 0) }] {
      let error = #expect(throws: DSVError.self) { try body() }
      #expect(error?.code == .io && error?.message.contains("origin") == true)
    }
  }

  private static func files(_ path: String) throws -> [String] {
    try FileSystem.list(path).flatMap { name -> [String] in
      let path = "\(path)/\(name)"
      return try FileSystem.status(path)?.isFolder == true ? files(path) : [path]
    }
  }
}
