import DSV
import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTables
import DSVTesting
import DSVTransforms
import Dispatch
import Synchronization
import Testing

/// A repository whose data is in a remote is read and written as one that has it all.
@Suite struct LazyReadingTests {
  private func scanned(_ repository: Repository, _ commit: CommitID, _ table: String) throws -> [String] {
    let open = try repository.version(commit.description).table(table)
    let scan = try open.scan(Scan.Options(columns: ["id", "text"]))
    var result: [String] = []
    while let batch = try scan.next() {
      batch.columns[1].withOffsets { offsets in
        for row in 0..<batch.rowCount { result.append("\(offsets[row + 1] - offsets[row])") }
      }
    }
    return result
  }

  private func taken(_ repository: Repository, _ commit: CommitID, _ table: String) throws -> Int {
    let open = try repository.version(commit.description).table(table)
    var random = SeededGenerator(seed: 3)
    let rows = (0..<200).map { _ in random.below(open.rowCount) }
    let batch = try open.take(rows: rows, columns: ["text", "id"])
    return batch.columns[0].withOffsets { Int($0[batch.rowCount]) }
  }

  @Test("every version is scanned, taken from, exported and compared as if all were here")
  func sameContent() throws {
    let lazy = try Lazy()
    let commits = try Lazy.commits(lazy.full)
    let result = try lazy.copy.demote(commits)
    #expect(result.refusedCount == 0 && result.objectCount > 50)
    #expect(Set(try Lazy.objects(lazy.copy).keys) == [.snapshot, .commit])
    try lazy.reopen()
    lazy.bucket.reset()
    for commit in commits.reversed() {
      for table in try lazy.full.snapshot(commit).tables.map(\.name) {
        #expect(try scanned(lazy.copy, commit, table) == scanned(lazy.full, commit, table))
        #expect(try taken(lazy.copy, commit, table) == taken(lazy.full, commit, table))
        #expect(
          try Lazy.rows(lazy.copy, commit, table: table) == Lazy.rows(lazy.full, commit, table: table))
      }
    }
    for (old, new) in zip(commits, commits.dropFirst()) {
      let (a, b) = (try lazy.copy.diff(old, new), try lazy.full.diff(old, new))
      #expect(a.tables == b.tables)
    }
    #expect(lazy.bucket.requestCount < 120)
    // All of it is on the disk now.
    lazy.copy.close()
    let count = lazy.bucket.requestCount
    #expect(try scanned(lazy.copy, commits[0], "data") == scanned(lazy.full, commits[0], "data"))
    #expect(lazy.bucket.requestCount == count)
    #expect(try lazy.copy.check().problems == [])
  }

  @Test("what is written on top of it has the same roots; fsck and gc ask the remote for nothing")
  func writing() throws {
    let lazy = try Lazy()
    try lazy.copy.demote(try Lazy.commits(lazy.full))
    try lazy.reopen()
    for repository in [lazy.full, lazy.copy] {
      try Lazy.commit(repository, (6000..<6100).map { Lazy.row($0) }, .append)
      try Lazy.commit(repository, (5..<9).map { Lazy.row($0, seed: 5) }, .upsert)
      let recipe = Recipe(steps: [Recipe.Step(name: "quality")])
      _ = try repository.transform(
        try repository.resolve("HEAD"), recipe, CommitMessage("filter", author: "test", time: 1))
      _ = try repository.compact(try repository.resolve("HEAD"), CommitMessage("c", author: "test", time: 0))
      _ = try repository.revert(
        try repository.resolve("HEAD").commit, CommitMessage("r", author: "test", time: 0))
    }
    let commits = try Lazy.commits(lazy.full)
    #expect(try Lazy.commits(lazy.copy) == commits)
    try lazy.reopen()
    lazy.bucket.reset()
    #expect(try lazy.copy.check().problems == [])
    _ = try lazy.copy.collectGarbage(keepDays: 0)
    #expect(try lazy.copy.check().problems == [])
    #expect(lazy.bucket.requestCount == 0)
    for commit in commits {
      for table in try lazy.full.snapshot(commit).tables.map(\.name) {
        #expect(
          try Lazy.rows(lazy.copy, commit, table: table) == Lazy.rows(lazy.full, commit, table: table))
      }
    }
  }

  @Test("a thousand cold rows come with few requests, whatever the number of columns", arguments: [1, 4])
  func coldTake(threadCount: Int) throws {
    let lazy = try Lazy(threadCount: threadCount, packByteCount: 4 << 20, latencyNanoseconds: 2_000_000) {
      repository, _ in
      try Lazy.commit(repository, (0..<40_000).map { Lazy.row($0, words: 60) })
    }
    try lazy.copy.demote(try Lazy.commits(lazy.full))
    try lazy.reopen(threadCount: threadCount)
    let commit = try lazy.full.resolve("HEAD").commit
    lazy.bucket.reset()
    var random = SeededGenerator(seed: 11)
    let rows = (0..<1000).map { _ in random.below(40_000) }
    let (cold, warm) = (
      try lazy.copy.version().table().take(rows: rows), try lazy.full.version().table().take(rows: rows)
    )
    for column in [0, 1] where warm.columns[column].field.type == .utf8 {
      let texts = [cold, warm].map { batch in
        batch.columns[column].withOffsets { Int($0[batch.rowCount]) }
      }
      #expect(texts[0] == texts[1])
    }
    _ = commit
    // Chunks: some 300. Packs: some 5, two levels of nodes.
    #expect(lazy.bucket.requestCount < 30)
  }

  @Test("many threads that read the same cold version make each request once")
  func sharedScan() throws {
    let lazy = try Lazy(threadCount: 4, latencyNanoseconds: 3_000_000)
    let commits = try Lazy.commits(lazy.full)
    try lazy.copy.demote(commits)
    try lazy.reopen(threadCount: 4)
    lazy.bucket.reset()
    let (copy, wanted) = (lazy.copy, try Lazy.rows(lazy.full, commits[1], table: "data"))
    let wrong = Counter()
    let group = DispatchGroup()
    for _ in 0..<6 {
      group.enter()
      _ = Threads.start {
        if (try? Lazy.rows(copy, commits[1], table: "data")) != wanted { wrong.add() }
        group.leave()
      }
    }
    group.wait()
    #expect(wrong.value == 0)
    #expect(lazy.bucket.byteCount < lazy.remote.packs.reduce(0) { $0 + $1.byteCount } * 3 / 2)
  }

  @Test("damaged bytes are never given out; when the remote is well again so is the repository")
  func damage() throws {
    let lazy = try Lazy()
    let commits = try Lazy.commits(lazy.full)
    try lazy.copy.demote(commits)
    let whole = lazy.memory.contents
    var random = SeededGenerator(seed: 5)
    var damaged = whole
    for (key, value) in whole {
      var bytes = value
      for _ in 0..<20 { bytes[60 + random.below(bytes.count - 60)] ^= 1 << UInt8(random.below(8)) }
      damaged[key] = bytes
    }
    lazy.memory.contents = damaged
    try lazy.reopen()
    var failures = 0
    for commit in commits {
      let error = #expect(throws: DSVError.self) { try Lazy.rows(lazy.copy, commit, table: "data") }
      if error?.code == .corrupt { failures += 1 }
      #expect(error?.message.contains("origin") == true)
    }
    #expect(failures == commits.count)
    #expect(try lazy.copy.check().problems == [])
    lazy.memory.contents = whole
    for commit in commits {
      #expect(
        try Lazy.rows(lazy.copy, commit, table: "data") == Lazy.rows(lazy.full, commit, table: "data"))
    }
  }
}

final class Counter: Sendable {
  private let count = Atomic<Int>(0)
  var value: Int { count.load(ordering: .relaxed) }
  func add() { count.add(1, ordering: .relaxed) }
}
