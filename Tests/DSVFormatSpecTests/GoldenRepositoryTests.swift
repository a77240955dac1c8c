import DSV
import DSVFormat
import DSVStore
import DSVSystem
import DSVTables
import DSVVersions
import Testing

/// A repository that a released dsv wrote is read for ever.
@Suite struct GoldenRepositoryTests {
  static let folder = "fixtures/v1"
  /// The digest of `fixtures/v1/SHA256SUMS`. What is released never changes: a new format adds a folder.
  static let sumsDigest = "3b5ce65cf55586e2dd51cdd27887fbb65f2d25ae1f77008f4ae9e898292910d1"

  @Test("no released fixture has changed")
  func unchanged() throws {
    let sums = try Fixtures.text("\(Self.folder)/SHA256SUMS")
    #expect(Fixtures.digest(Array(sums.utf8)) == Self.sumsDigest)
    for line in sums.split(separator: "\n") {
      let path = line.dropFirst(66)
      #expect(try Fixtures.digest(Fixtures.bytes("\(Self.folder)/\(path)")) == line.prefix(64), "\(path)")
    }
  }

  /// A copy of the golden repository, which has no index, in a folder of its own.
  private func withCopy(_ body: (Repository) throws -> Void) throws {
    let path = FileSystem.temporaryName(beside: "\(FileSystem.temporaryFolder)/dsv-golden")
    try FileSystem.makeFolder(path)
    defer { try? FileSystem.removeTree(path) }
    try FileSystem.makeFolder("\(path)/.dsv")
    try FileSystem.makeFolder("\(path)/.dsv/packs")
    for file in ["format", "reflog", "packs/00000001.pack"] {
      try FileSystem.replace(
        "\(path)/.dsv/\(file)", with: Fixtures.bytes("\(Self.folder)/repository/\(file)"))
    }
    try body(try Repository.open(at: path))
  }

  @Test("the golden repository is whole, and has its branches, tags and versions")
  func check() throws {
    try withCopy { repository in
      let result = try repository.check()
      #expect(result.problems == [] && result.objectCount == 82)
      let log = try Fixtures.text("\(Self.folder)/exported/log.jsonl")
      for name in ["v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "main"] {
        #expect(log.contains("\"\(try repository.resolve(name).commit)\""), "\(name)")
      }
      #expect(try repository.resolve("filtered").commit == repository.resolve("v4").commit)
      #expect(try repository.resolve("spare").commit == repository.resolve("v3").commit)
    }
  }

  @Test("a version that says another number of rows than it has is found")
  func lyingCounts() throws {
    try withCopy { repository in
      let honest = try repository.commit(repository.resolve("v4").commit)
      var table = try #require(try repository.snapshot(repository.resolve("v4").commit).table("data"))
      table.liveCount += 1
      let session = try repository.store.session()
      let snapshot = EncodedSnapshot(Snapshot(tables: [table]), .plain)
      try session.put(snapshot)
      for rowCount in [table.liveCount, honest.rowCount] {
        let commit = Commit(
          root: snapshot.id, parents: [], rowCount: rowCount, time: 0, author: "", message: "")
        let id = try session.put(commit)
        _ = try session.publish { (publication) throws(DSVError) in try publication.number(id) }
      }
      let problems = try repository.check().problems
      #expect(problems.count == 2 && problems[0].contains("live rows are said"), "\(problems)")
    }
  }

  @Test("each version exports what it did when it was written")
  func export() throws {
    try withCopy { repository in
      for (version, table) in [
        ("v1", "data"), ("v3", "data"), ("v4", "data"), ("v5", "data"), ("v7", "typed"),
      ] {
        let frozen = try Fixtures.bytes("\(Self.folder)/exported/\(version).\(table).jsonl")
        #expect(try Self.rows(repository, version, table) == frozen, "\(version) \(table)")
      }
      let dropped = try Fixtures.bytes("\(Self.folder)/exported/v5.data.dropped.jsonl")
      #expect(try Self.rows(repository, "v5", "data", includesDropped: true) == dropped)
      for (version, table) in [("v7", "numbers"), ("v7", "books"), ("v10", "numbers")] {
        let digest = try Fixtures.text("\(Self.folder)/exported/\(version).\(table).sha256")
        #expect(
          try Fixtures.digest(Self.rows(repository, version, table)) + "\n" == digest, "\(version) \(table)")
      }
    }
  }

  static func rows(
    _ repository: Repository, _ version: String, _ table: String, includesDropped: Bool = false
  ) throws -> [UInt8] {
    var options = ExportOptions()
    options.includesSignals = true
    options.includesDropped = includesDropped
    let table = try repository.table(table, of: try repository.resolve(version).commit)
    var text: [UInt8] = []
    try RowExport(table, options, reader: repository.reader).run { (bytes) throws(DSVError) in text += bytes }
    return text
  }
}
