import DSV
import DSVFormat
import DSVStore
import DSVTesting
import Testing

/// Versions stored in less room.
@Suite struct ArchiveTests {
  /// Rows of text in which neighbours have much in common.
  static func row(_ id: Int) -> String {
    let words = (0..<250).map { "word\(Hash64.of(UInt64(id / 40 * 1000 + $0 * (1 + id % 3))) % 4000)" }
    return #"{"id":\#(id),"text":"\#(words.joined(separator: " "))"}"#
  }

  static func deepest(_ repository: Repository) throws -> Int {
    var deepest = 0
    try repository.store.forEachObject { (_, place) throws(DSVError) in
      deepest = max(deepest, place.baseDepth)
    }
    return deepest
  }

  func dataset() throws -> Dataset {
    let dataset = try Dataset(threadCount: 2)
    let blob =
      #"{"id":-1,"text":"\#((0..<60_000).map { "b\(Hash64.of(UInt64($0)) % 90)" }.joined(separator: " "))"}"#
    try dataset.commit([blob] + (0..<700).map(Self.row), key: ["id"])
    return dataset
  }

  @Test(
    "archived versions take less room, and have the same roots, rows and names after gc, repair and reopening"
  )
  func sameContent() throws {
    let dataset = try dataset()
    let repository = dataset.repository
    let (rows, before) = (try dataset.rows(), try repository.info().byteCount)
    let root = try repository.commit(repository.resolve("main").commit).root
    let result = try repository.archive()
    #expect(result.archivedCount >= 5)
    #expect(result.isSwept)
    #expect(result.newByteCount < result.oldByteCount * 9 / 10)
    let after = try repository.info().byteCount
    #expect(after < before && before - after == result.freedByteCount)
    #expect(try Self.deepest(repository) == 1)
    for _ in 0..<2 {
      let fresh = try TestRepository.open(at: dataset.folder.path)
      #expect(try fresh.check().problems == [])
      #expect(try fresh.commit(fresh.resolve("main").commit).root == root)
      #expect(try dataset.rows() == rows)
      _ = try repository.collectGarbage(keepDays: -1)
      #expect(try Self.deepest(repository) == 1, "gc keeps what is archived as it is")
      try repository.repair()
    }
    #expect(try repository.archive().archivedCount == 0)
  }

  @Test(
    "what is archived is appended to, changed, archived again and collected; every version stays what it was")
  func goingOn() throws {
    let dataset = try dataset()
    let repository = dataset.repository
    var expected: [CommitID: [String]] = [:]
    func note() throws { expected[try repository.resolve("main").commit] = try dataset.rows() }
    try note()
    for round in 0..<3 {
      let first = 1000 + round * 400
      for id in first..<first + 5 {
        try dataset.commit([Self.row(id)], .append)
        try note()
      }
      _ = try repository.archive(round == 1 ? [try repository.resolve("main").commit] : nil)
      try dataset.commit((first + 5..<first + 300).map(Self.row) + [Self.row(round)], .upsert)
      try note()
      _ = try repository.archive()
      try dataset.commit([Self.row(first + 300)], .append)
      try note()
      #expect(try repository.check().problems == [])
      _ = try repository.collectGarbage(keepDays: 0)
      try repository.repair()
      #expect(try repository.check().problems == [])
    }
    #expect(try Self.deepest(repository) > 1, "what an append adds still builds on what was there")
    for (commit, rows) in expected { #expect(try dataset.rows(commit) == rows) }
  }

  @Test("stopped on the way, what was done stays, and the next time does the rest")
  func interrupted() throws {
    let dataset = try dataset()
    let rows = try dataset.rows()
    #expect(throws: DSVError.self) {
      try dataset.repository.archive { (progress) throws(DSVError) in
        if progress.done > 400_000 { throw DSVError(.interrupted, "stop") }
      }
    }
    #expect(try dataset.rows() == rows)
    #expect(try dataset.repository.check().problems == [])
    #expect(try dataset.repository.archive().isSwept)
    #expect(try Self.deepest(dataset.repository) == 1)
    #expect(try dataset.rows() == rows)
    #expect(try dataset.repository.check().problems == [])
  }

  @Test("while somebody reads, what was replaced stays, and the reader goes on")
  func besideReaders() throws {
    let dataset = try dataset()
    let rows = try dataset.rows()
    let reader = try TestRepository.open(at: dataset.folder.path)
    do {
      let lease = try reader.store.lease()
      let result = try dataset.repository.archive()
      #expect(result.archivedCount > 0 && !result.isSwept && result.freedByteCount < 0)
      #expect(try reader.check().problems == [])
      withExtendedLifetime(lease) {}
    }
    #expect(try dataset.rows() == rows)
    #expect(try dataset.repository.archive().isSwept)
    #expect(try dataset.repository.check().problems == [])
  }
}
