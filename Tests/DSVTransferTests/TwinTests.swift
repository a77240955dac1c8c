import DSV
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import DSVVersions
import Synchronization
import Testing

/// Two repositories that push the same objects at once, so that these lie in several packs of the remote, and clean up there.
@Suite struct TwinTests {
  /// Which branches there are, and what they hold.
  private final class History {
    let clones: Clones
    let repositories: [Repository]
    var random: SeededGenerator
    /// What branches of the remote hold.
    var live: [String: [String]] = [:]
    /// Those that are gone from it, and who has them.
    var gone: [String: (owner: Int, rows: [String])] = [:]
    var count = 0
    var spareCount = 0

    init(_ key: RepositoryKey?, seed: UInt64) throws {
      clones = try Clones()
      clones.key = key
      clones.packByteCount = 20_000
      random = SeededGenerator(seed: seed)
      let first = try clones.new()
      try first.commitTest(noise(0..<20, byteCount: 2000, seed: seed), .replace)
      _ = try first.push()
      live["main"] = try first.rowsTest()
      repositories = [first, try clones.clone()]
    }

    private func rows(of revision: String, in repository: Repository) throws -> [String] {
      var rows: [String] = []
      for table in try repository.version(revision).tables {
        rows += try repository.rowsTest(revision, table: table.name)
      }
      return rows
    }

    private func push(_ name: String, _ index: Int) throws {
      var options = PushOptions()
      options.names = [name]
      _ = try repositories[index].push(to: nil, options)
    }

    /// Both commit the same rows on what some branch holds, and have put packs with them before either of them is named.
    func twins() throws {
      let name = live.keys.sorted()[random.below(live.count)]
      for repository in repositories { _ = try repository.fetch() }
      let base = try repositories[0].resolve("origin/\(name)").commit
      // What is appended builds on what was there; what a new table holds is whole.
      let isNewTable = count == 0 || random.oneIn(2)
      let appendCount = isNewTable ? 0 : random.below(4)
      for (index, repository) in repositories.enumerated() {
        let branch = "twin\(count)of\(index)"
        try repository.makeBranch(branch, at: base)
        try repository.checkout(try repository.resolve(branch))
        let rows = noise(count * 1000..<count * 1000 + 10, byteCount: 2000, seed: UInt64(count))
        // Snapshots build on others, too, and are not to be the same.
        try repository.commitTest([row(index)], .replace, table: "own", message: "of \(index)")
        if isNewTable {
          try repository.commitTest(rows, .replace, table: "table\(count)", message: "of \(index)")
        } else {
          try repository.commitTest(rows, message: "of \(index)")
        }
        for number in 0..<appendCount {
          try repository.commitTest([row(count * 1000 + 500 + number)], message: "of \(index)")
        }
        clones.refused.prefix.withLock { $0 = "log/" }
        #expect(throws: DSVError.self) { try repository.push() }
        clones.refused.prefix.withLock { $0 = nil }
      }
      for index in random.oneIn(2) ? [0, 1] : [1, 0] {
        try push("twin\(count)of\(index)", index)
        live["twin\(count)of\(index)"] = try rows(of: "HEAD", in: repositories[index])
      }
      count += 1
    }

    func delete() throws {
      guard let name = live.keys.filter({ $0 != "main" }).sorted().randomElement(using: &random) else {
        return
      }
      var options = PushOptions()
      (options.names, options.deletes) = ([name], true)
      _ = try repositories[random.below(2)].push(to: nil, options)
      gone[name] = (name.hasSuffix("0") ? 0 : 1, live.removeValue(forKey: name) ?? [])
    }

    func bringBack() throws {
      guard let name = gone.keys.sorted().randomElement(using: &random), let branch = gone[name] else {
        return
      }
      try push(name, branch.owner)
      live[name] = branch.rows
      gone[name] = nil
    }

    func collect() throws {
      _ = try repositories[random.below(2)].collectRemoteGarbage(nil, before: random.oneIn(2) ? 0 : .max)
    }

    private func places(_ repository: Repository) throws -> [AnyID: [String]] {
      let catalogue = try Catalogue("\(repository.store.root)/remotes/origin", repository.store.remoteKeys)
      var places: [AnyID: [String]] = [:]
      try catalogue.forEachObject { id, place in places[id] = ["\(place.pack.id) \(place.offset)"] }
      try catalogue.forEachSpare { id, place in
        #expect(place.baseDepth == 0)
        places[id, default: []].append("\(place.pack.id) \(place.offset)")
      }
      return places
    }

    /// What is live is on the remote whole, and everybody knows where.
    func check(_ context: Comment) throws {
      let fresh = try clones.clone()
      #expect(try fresh.check().problems == [], context)
      #expect(try Set(fresh.remoteBranches().map { String($0.name.dropFirst(7)) }) == Set(live.keys), context)
      for (name, rows) in live { #expect(try self.rows(of: "origin/\(name)", in: fresh) == rows, context) }
      let places = try places(fresh)
      let packs = try clones.bucket.base.list(prefix: RemoteLayout.packPrefix, after: nil, limit: 1000)
      for place in places.values.joined() {
        #expect(packs.contains { $0.key == "packs/\(place.prefix(32)).pack" }, context)
      }
      spareCount += places.values.count { $0.count > 1 }
      for repository in repositories where random.oneIn(2) {
        _ = try repository.fetch()
        #expect(try self.places(repository) == places, context)
      }
    }
  }

  @Test(
    "what two have pushed at once is lost by no clean-up, and everybody knows where it lies",
    arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
  func histories(seed: UInt64) throws {
    let history = try History(seed % 3 == 0 ? .random() : nil, seed: seed)
    try history.twins()
    try history.check("seed \(seed), at first")
    #expect(history.spareCount > 0)
    for round in 0..<HistoryTests.transferCount / 2 {
      switch history.random.below(8) {
      case 0..<2: try history.twins()
      case 2..<4: try history.delete()
      case 4: try history.bringBack()
      default: try history.collect()
      }
      try history.check("seed \(seed), round \(round)")
    }
    print("seed \(seed): \(history.count) twins, \(history.spareCount) places to spare")
  }
}
