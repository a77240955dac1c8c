import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTables
import DSVTesting
import DSVTransforms
import Testing

@testable import DSV

/// Everything that is said in an encrypted repository is looked for in every byte of its remote, and of what pushing to it,
/// cloning it and reading from it leave on disks.
@Suite struct NeedleTests {
  /// How many needles must be in a plain remote, and how many in all that clones of it hold.
  private static let shareOfPlain = 0.9

  private static func message(_ needles: inout Needles) -> CommitMessage {
    CommitMessage(needles.word(), author: needles.word(), time: 0)
  }

  private static func commit(
    _ repository: Repository, _ lines: [String], _ mode: CommitOptions.Mode, _ table: String,
    _ needles: inout Needles
  ) throws {
    var options = CommitOptions()
    (options.mode, options.table, options.badRows) = (mode, table, .quarantine)
    options.key = mode == .replace && table == "data" ? ["id"] : []
    options.schema = table == "typed" ? Needles.typedFields : nil
    let text = lines.map { $0 + "\n" }.joined()
    _ = try repository.commit(rows: Array(text.utf8), message(&needles), options)
  }

  /// Histories, names and settings with needles in all of them, pushed from two clones and collected; a third is lazy.
  private static func fill(_ clones: Clones) throws -> (Needles, folders: [String]) {
    var needles = Needles()
    let columns = needles.columns()
    let a = try clones.new()
    try commit(a, needles.rows(0..<120, columns), .replace, "data", &needles)
    try commit(a, needles.rows(120..<150, columns) + [needles.word()], .append, "data", &needles)
    try commit(a, needles.typedRows(60), .replace, "typed", &needles)
    let table = needles.word()
    try commit(a, needles.rows(150..<160, columns), .replace, table, &needles)
    let condition = "row > 5 or kind = '\(needles.word())'"
    let recipe = Recipe(
      table: "data", steps: [Recipe.Step(name: "where", parameters: ["condition": .text(condition)])],
      text: "# \(needles.word())")
    _ = try a.transform(try a.resolve("HEAD"), recipe, message(&needles))
    try a.makeTag(needles.word(), at: try a.resolve("v2").commit)
    let spare = needles.word()
    try a.makeBranch(spare, at: try a.resolve("v1").commit)
    try a.checkout(try a.resolve(spare))
    try commit(a, needles.rows(200..<205, columns), .append, "data", &needles)
    try a.checkout(try a.resolve("main"))
    var tiers = try a.tierSettings()
    tiers.policy = try TierPolicy("keep \(spare) on disk")
    try a.setTiers(tiers)
    #expect(try a.tierSettings() == tiers)
    _ = try a.pushAll()

    // Another pushes first, so that a's versions are made again; and refs come and go.
    let b = try clones.clone()
    try commit(b, needles.rows(160..<170, columns), .append, "data", &needles)
    _ = try b.push()
    try commit(a, needles.rows(170..<180, columns), .append, "data", &needles)
    _ = try a.pull(rebases: true)
    _ = try a.push()
    var options = PushOptions()
    (options.names, options.deletes) = ([spare], true)
    _ = try a.push(options)
    // As many entries as a checkpoint takes, which holds all names.
    for _ in 0..<RemoteLayout.checkpointInterval {
      let branch = needles.word()
      try a.makeBranch(branch, at: try a.resolve("HEAD").commit)
      var options = PushOptions()
      options.names = [branch]
      _ = try a.push(options)
    }
    #expect(try a.collectRemoteGarbage().condemnedPackCount > 0)
    _ = try b.pull()

    var lazily = CloneOptions()
    lazily.isLazy = true
    let c = try clones.clone(lazily)
    #expect(try c.rowsTest() == a.rowsTest())
    #expect(try b.rowsTest() == a.rowsTest())
    for repository in [a, b, c] {
      #expect(try repository.check().problems == [])
      repository.close()
    }
    let parts = [CloneOptions(columns: [columns.number]), CloneOptions(table: table)]
    return (needles, try [a, b, c].map(\.path) + parts.flatMap { try clone($0, clones) })
  }

  /// Clones a part, whose names are needles: broken off first, and then whole.
  ///
  /// - Returns: the clone's folder, and one with what the first left.
  private static func clone(_ part: CloneOptions, _ clones: Clones) throws -> [String] {
    let path = clones.newPath()
    let error = #expect(throws: DSVError.self) {
      _ = try Repository.clone("s3://test/prefix", to: path, part, options: clones.options) {
        progress throws(DSVError) in
        if progress.phase.hasPrefix("asking") { throw DSVError(.interrupted, "enough") }
      }
    }
    #expect(error?.code == .interrupted)
    // Another one is another one, also where names are not told.
    #expect(throws: DSVError.self) {
      let other = CloneOptions(columns: ["id"])
      _ = try Repository.clone("s3://test/prefix", to: path, other, options: clones.options)
    }
    let broken = clones.newPath()
    try FileSystem.makeFolder(broken)
    let mark = try FileSystem.read("\(path)/.dsv.cloning", limit: 1000)
    try FileSystem.replace("\(broken)/mark", with: mark)
    let whole = try Repository.clone("s3://test/prefix", to: path, part, options: clones.options).repository
    #expect(try whole.openRemote("origin").config.scope == part.scope())
    if whole.isEncrypted { try whole.reencrypt() }
    #expect(try whole.openRemote("origin").config.scope == part.scope())
    _ = try whole.fetch()
    return [path, broken]
  }

  private static func remote(_ clones: Clones) throws -> Haystack {
    var haystack = Haystack()
    var last: String?
    while true {
      let page = try clones.bucket.base.list(prefix: "", after: last, limit: 1000)
      for entry in page {
        haystack.add(entry.key, try #require(try clones.bucket.base.get(entry.key, limit: 1 << 30)))
      }
      guard let next = page.last else { return haystack }
      last = next.key
    }
  }

  private static func disks(_ folders: [String]) throws -> Haystack {
    var haystack = Haystack()
    for folder in folders { try haystack.add(folder: folder) }
    return haystack
  }

  /// The keys of the remote's packs, and the user's.
  private static func keys(_ repository: Repository) throws -> Needles {
    var keys = Needles()
    let catalogue = try repository.openRemote("origin").catalogue
    for pack in try catalogue.allPacks where pack.condemnedTime == nil {
      guard let key = try catalogue.packKey(pack) else { continue }
      keys.add("the key of pack \(pack.id)", key.withBytes { [UInt8]($0) })
    }
    if let text = repository.options.key?.text { keys.add("the user's key", Array(text.utf8)) }
    return keys
  }

  @Test(
    "of 1,000 needles none stands in any byte of an encrypted remote and its clones, and the same search finds them in plain ones"
  )
  func needles() throws {
    let plain = try Clones()
    let (needles, plainFolders) = try Self.fill(plain)
    let sealed = try Clones()
    sealed.key = .random()
    let (same, sealedFolders) = try Self.fill(sealed)
    #expect(same.all.map(\.name) == needles.all.map(\.name))
    #expect(needles.all.count >= 1000)
    let entries = try sealed.bucket.base.list(prefix: "log/", after: nil, limit: 1000).map(\.key)
    #expect(entries.contains(RemoteLayout.checkpoint(RemoteLayout.checkpointInterval)))

    let keys = try Self.keys(Repository.open(at: sealedFolders[0], options: sealed.options))
    #expect(keys.all.count > 2)
    for (place, clear, hidden) in [
      ("remote", try Self.remote(plain), try Self.remote(sealed)),
      ("disks", try Self.disks(plainFolders), try Self.disks(sealedFolders)),
    ] {
      let (seen, found) = (clear.search(needles), hidden.search(needles))
      #expect(found.count == 0, "\(place): \(found.names.prefix(5))")
      #expect(hidden.search(keys).names == [], "\(place)")
      #expect(
        Double(seen.count) > Double(needles.all.count) * Self.shareOfPlain,
        "\(place): \(seen.count) of \(needles.all.count); not \(Set(needles.all.map(\.name)).subtracting(seen.names))"
      )
      print(
        "\(place): \(needles.all.count) needles, \(hidden.byteCount) bytes: \(found.count) found; plain: \(seen.count)"
      )
    }
  }
}

extension CloneOptions {
  fileprivate init(columns: [String] = [], table: String? = nil) {
    self.init()
    (self.columns, self.table) = (columns, table)
  }
}
