import DSV
import DSVFormat
import DSVStore
import DSVSystem
import Testing

/// A version that gc has deleted stays deleted, whatever is left of it in packs that stay; one that is lost is an error.
@Suite struct CollectedVersionTests {
  /// A branch of two versions: one with large rows, in a pack of their own, and one with a small row, which goes to the
  /// pack of the first version.
  static func waste(_ repository: Repository, _ scratch: Scratch) throws {
    try repository.makeBranch("waste", at: try repository.resolve("main").commit)
    try repository.checkout(try repository.resolve("waste"))
    let large = try scratch.file("large.jsonl", Rows.noise(1000, byteCount: 1_500_000, seed: 3))
    #expect(try repository.commitTest(large, .append).version == "v2")
    #expect(
      try repository.commitTest(try scratch.file("small.jsonl", Rows.text(1001..<1002, seed: 3)), .append)
        .version
        == "v3")
    try repository.checkout(try repository.resolve("main"))
  }

  static func loseIndex(_ scratch: Scratch) throws -> Repository {
    try FileSystem.removeTree("\(scratch.repository)/.dsv/index")
    return try Repository.test(at: scratch.repository)
  }

  static func code(_ repository: Repository, _ name: String) -> DSVError.Code? {
    do throws(DSVError) {
      _ = try repository.resolve(name)
      return nil
    } catch { return error.code }
  }

  @Test("what gc has deleted stays deleted when the index is made again, until it is committed again")
  func collected() throws {
    let scratch = try Scratch()
    try Tree.write(try KillTests.makeTemplate(.upsert), to: scratch.repository)
    var repository = try Repository.test(at: scratch.repository)
    let rows = try repository.rows()
    try Self.waste(repository, scratch)
    let wasted = try repository.rows("waste")
    let third = try repository.resolve("v3").commit
    try repository.deleteBranch("waste")
    let result = try repository.collectGarbage(since: .max, garbageShareMin: 0.9)
    #expect(result.freedByteCount > 1_000_000)
    #expect(try repository.store.checkPacks().unindexedRecordCount > 0, "the commit's record is to stay")

    for _ in 0..<2 {
      for name in ["v2", "v3", third.description] {
        #expect(Self.code(repository, name) == .notFound, "\(name)")
      }
      #expect(try repository.check().problems == [])
      #expect(try repository.log(from: try repository.resolve("main").commit).map(\.version) == ["v1"])
      #expect(try repository.info().versionCount == 3)
      // The reflog still names them.
      _ = try repository.collectGarbage(keepDays: 30)
      #expect(try repository.rows() == rows)
      repository = try Self.loseIndex(scratch)
    }

    // The same commits again, with the same numbers.
    try Self.waste(repository, scratch)
    for _ in 0..<2 {
      #expect(try repository.resolve("v3").commit == third)
      #expect(try repository.rows("waste") == wasted)
      let problems = try repository.check().problems
      #expect(problems == [], "\(problems)")
      _ = try repository.collectGarbage(since: .max, garbageShareMin: 0)
      repository = try Self.loseIndex(scratch)
    }
  }

  @Test("a version that is lost is told from one that gc has deleted")
  func lost() throws {
    let scratch = try Scratch()
    try Tree.write(try KillTests.makeTemplate(.upsert), to: scratch.repository)
    try FileSystem.removeTree("\(scratch.repository)/.dsv/packs")
    let repository = try Self.loseIndex(scratch)
    #expect(Self.code(repository, "v1") == .corrupt)
    #expect(try repository.check().problems.contains { $0.hasPrefix("version v1: ") })
    #expect(throws: DSVError.self) { try repository.collectGarbage(keepDays: 30) }
  }
}
