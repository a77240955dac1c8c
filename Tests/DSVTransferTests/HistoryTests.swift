import DSV
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import DSVVersions
import Testing

/// Random histories on several clones of one remote, against a model of them. `DSV_TRANSFER_ROUNDS` says how many pushes and pulls.
@Suite struct HistoryTests {
  static let transferCount = Machine.environment("DSV_TRANSFER_ROUNDS").flatMap { Int($0) } ?? 40

  /// A change of the table: rows that come, or take the place of those of their IDs.
  struct Change {
    let rows: [Int: String]
    let isUpsert: Bool
  }

  /// What a clone should hold.
  struct Model {
    var rows: [Int: String] = [:]
    /// Changes that were not pushed, the oldest first.
    var unpushed: [Change] = []
  }

  final class Histories {
    let clones: Clones
    var random: SeededGenerator
    var repositories: [Repository] = []
    var models: [Model] = []
    /// What the remote should hold, and the commit that does.
    var remote: (rows: [Int: String], tip: CommitID?) = ([:], nil)
    /// The rows of each version that was ever seen, by their hash.
    var versions: [CommitID: Int] = [:]
    var numbers: [Int: CommitID] = [:]
    var nextID = 0
    var counts: [String: Int] = [:]
    /// Pushes and pulls that were done, and those of them after which something was elsewhere.
    private(set) var transferCount = 0
    private(set) var moveCount = 0

    /// The same place without faults.
    let honest: any Bucket
    /// Whether what comes may be spoiled on the way: then that is told, and nothing has moved.
    let isSpoiled: Bool

    init(
      _ bucket: any Bucket, honest: (any Bucket)? = nil, key: RepositoryKey? = nil, seed: UInt64
    ) throws {
      clones = try Clones(bucket)
      clones.key = key
      (self.honest, isSpoiled) = (honest ?? bucket, honest != nil)
      random = SeededGenerator(seed: seed)
      let first = try clones.new()
      try first.commitTest([#"{"id":-1,"text":"first"}"#], .replace, key: ["id"])
      _ = try first.push()
      remote = ([-1: "first"], try first.head().commit)
      repositories.append(first)
      models.append(Model(rows: remote.rows))
      for _ in 0..<2 { try addClone() }
    }

    func addClone() throws {
      var clone = try? clones.clone()
      while isSpoiled, clone == nil { clone = try? clones.clone() }
      repositories.append(try #require(clone))
      models.append(Model(rows: remote.rows))
    }

    /// Where the remote's branch really is.
    func remoteTip() throws -> CommitID? {
      var tip: CommitID?
      _ = try RemoteLog(honest, repositories.first?.store.remoteKeys).read(after: .start, seen: .start) {
        (update) throws(DSVError) in
        if let checkpoint = update.checkpoint {
          tip = checkpoint.refs.first { $0.name == "heads/main" }?.new
        }
        for entry in update.entries {
          for move in entry.moves where move.name == "heads/main" { tip = move.new }
        }
      }
      return tip
    }

    func commit(_ index: Int) throws {
      var rows: [Int: String] = [:]
      for _ in 0..<1 + random.below(4) {
        rows[nextID] = "text \(random.below(1000)) of \(index)"
        nextID += 1
      }
      let isUpsert = random.oneIn(3)
      if isUpsert, let id = models[index].rows.keys.sorted().randomElement(using: &random) {
        rows[id] = "changed \(random.below(1000)) by \(index)"
      }
      if random.oneIn(10) { rows[nextID] = String(repeating: "long \(nextID) ", count: 20_000) }
      let lines = rows.sorted { $0.key < $1.key }.map { #"{"id":\#($0.key),"text":"\#($0.value)"}"# }
      nextID += 1
      try repositories[index].commitTest(lines, isUpsert ? .upsert : .append)
      models[index].rows.merge(rows) { $1 }
      models[index].unpushed.append(Change(rows: rows, isUpsert: isUpsert))
    }

    /// The failure of something that the bucket's faults, or others' pushes, may keep from being done.
    private func failure(_ body: () throws -> Void) throws -> DSVError? {
      let result = Result { try body() }
      guard case .failure(let failure) = result else { return nil }
      let error = try #require(failure as? DSVError)
      guard error.code == .io || error.code == .conflict || isSpoiled && error.code == .corrupt else {
        throw error
      }
      return error
    }

    /// Whether it was done; what a fault of the bucket left open is found out.
    func push(_ index: Int) throws -> Bool {
      let head = try repositories[index].head().commit
      if try failure({ _ = try repositories[index].push() }) != nil {
        guard try remoteTip() == head, remote.tip != head else { return false }
      }
      let tip = try remoteTip()
      // What was behind is not pushed.
      if tip == head {
        remote = (models[index].rows, tip)
        models[index].unpushed = []
      } else {
        #expect(models[index].unpushed.isEmpty)
      }
      return true
    }

    func pull(_ index: Int) throws -> Bool {
      let head = try repositories[index].head()
      if let error = try failure({ _ = try repositories[index].pull(rebases: true) }) {
        #expect(error.code == .io || isSpoiled, "\(error)")
        #expect(try repositories[index].head() == head)
        return false
      }
      var rows = remote.rows
      for change in models[index].unpushed { rows.merge(change.rows) { $1 } }
      models[index].rows = rows
      return true
    }

    func check(_ index: Int, _ context: Comment) throws {
      let repository = repositories[index]
      let found = try repository.rowsTest().sorted()
      let wanted = models[index].rows.map { #"{"id":\#($0.key),"text":"\#($0.value)"}"# }.sorted()
      #expect(found == wanted, context)
      guard let head = try repository.head().commit else { return }
      for entry in try repository.log(from: head, limit: 5) {
        let rows = try repository.rowsTest(entry.id.description).hashValue
        #expect(versions[entry.id] ?? rows == rows, context)
        versions[entry.id] = rows
      }
      let catalogue = try Catalogue(repository.store.root + "/remotes/origin", repository.store.remoteKeys)
      for number in stride(from: 1, through: try catalogue.lastVersion, by: 1) {
        let commit = try catalogue.commit(number: number)
        #expect(numbers[number] ?? commit == commit, context)
        numbers[number] = commit
      }
    }

    /// Pushes or pulls; notes whether it was done.
    private func transfer(_ index: Int, _ body: (Int) throws -> Bool) throws -> Bool {
      let before = (remote.tip, try repositories[index].head().commit)
      guard try body(index) else { return false }
      transferCount += 1
      if try before != (remote.tip, repositories[index].head().commit) { moveCount += 1 }
      return true
    }

    /// Goes on until so many pushes and pulls were done.
    func run(_ count: Int, chance: Double?) throws {
      let seed = random.seed
      var round = 0
      while transferCount < count {
        round += 1
        try #require(round < 100 + 20 * count, "hardly anything is done: \(counts)")
        let context: Comment = "seed \(seed), round \(round)"
        let index = random.below(repositories.count)
        if let chance { clones.bucket.plan(.chance(chance, seed: seed &+ UInt64(round)), .either) }
        let isDone: Bool
        let action: String
        switch random.below(10) {
        case 0..<4:
          (action, isDone) = ("commit", true)
          try commit(index)
        case 4..<6: (action, isDone) = ("push", try transfer(index, push))
        case 6..<9: (action, isDone) = ("pull", try transfer(index, pull))
        default:
          action = "gc"
          isDone = true
          _ = try repositories[index].collectGarbage(keepDays: 0)
        }
        counts["\(action) \(isDone)", default: 0] += 1
        clones.bucket.plan(.never)
        if random.oneIn(5) { try check(index, context) }
        if random.oneIn(20), repositories.count < 6 { try addClone() }
      }
      for index in repositories.indices {
        while try !push(index) { _ = try pull(index) }
        try check(index, "seed \(seed), at the end")
      }
      for index in repositories.indices {
        while try !pull(index) {}
        #expect(try repositories[index].rowsTest().count == nextIDs)
        #expect(try repositories[index].check().problems == [], "seed \(seed)")
      }
      try addClone()
      try check(repositories.count - 1, "seed \(seed), cloned at the end")
      #expect(try repositories[repositories.count - 1].check().problems == [])
      print("seed \(seed), \(transferCount) pushes and pulls: \(counts.sorted { $0.key < $1.key })")
    }

    private var nextIDs: Int { remote.rows.count }
  }

  @Test("random histories on several clones are as a model says", arguments: [1, 2] as [UInt64])
  func histories(seed: UInt64) throws {
    try Histories(MemoryBucket(), seed: seed).run(Self.transferCount, chance: nil)
  }

  @Test("the same of encrypted repositories, with faults")
  func encrypted() throws {
    try Histories(MemoryBucket(), key: .random(), seed: 6).run(Self.transferCount, chance: 0.1)
  }

  @Test("the same on a folder")
  func folder() throws {
    let folder = try TemporaryFolder(inMemory: true)
    try Histories(try FolderBucket(folder.path), seed: 3).run(Self.transferCount / 2, chance: nil)
  }

  @Test(
    "a bucket of whose calls each fails once in five times costs tries, and nothing else",
    arguments: [4, 5] as [UInt64])
  func faults(seed: UInt64) throws {
    try Histories(MemoryBucket(), seed: seed).run(Self.transferCount * 2, chance: 0.2)
  }
}
