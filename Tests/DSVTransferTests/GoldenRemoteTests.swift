import DSV
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import Testing

/// A remote that a released dsv wrote is read, and pushed to, for ever.
@Suite struct GoldenRemoteTests {
  static let folder = "fixtures/v1-remote"
  /// The digest of its `SHA256SUMS`. What is released never changes: a new format adds a folder.
  static let sumsDigest = "d72736c13d75fe654e594af615ca3a63147f0f7ff8f8b58e9e68977ab3ad8c5d"
  static let root = String(
    #filePath.prefix(#filePath.count - "Tests/DSVTransferTests/GoldenRemoteTests.swift".count))

  enum Kind: String, CaseIterable { case plain, encrypted }

  static func bytes(_ path: String) throws -> [UInt8] {
    try FileSystem.read("\(root)\(folder)/\(path)", limit: 1 << 20)
  }

  static func text(_ path: String) throws -> String { String(decoding: try bytes(path), as: UTF8.self) }

  static func digest(_ bytes: [UInt8]) -> String {
    let id: AnyID = bytes.withUnsafeBytes { SHA256.id(kind: nil, $0) }
    return id.description
  }

  /// The files that never change, below the folder.
  static func files() throws -> [(digest: Substring, path: Substring)] {
    try text("SHA256SUMS").split(separator: "\n").map { ($0.prefix(64), $0.dropFirst(66)) }
  }

  @Test("no released fixture has changed")
  func unchanged() throws {
    #expect(Self.digest(try Self.bytes("SHA256SUMS")) == Self.sumsDigest)
    for (digest, path) in try Self.files() {
      #expect(try Self.digest(Self.bytes(String(path))) == digest, "\(path)")
    }
  }

  /// A copy of a remote, and what opens clones of it.
  private struct Copy {
    let folder: TemporaryFolder
    var options = Repository.Options(threadCount: 0)

    init(_ kind: Kind) throws {
      folder = try TemporaryFolder(inMemory: true)
      let prefix = "\(kind)/remote/"
      for (_, path) in try GoldenRemoteTests.files() where path.hasPrefix(prefix) {
        try bucket.put(String(path.dropFirst(prefix.count)), GoldenRemoteTests.bytes(String(path)))
      }
      if kind == .encrypted {
        options.key = RepositoryKey(text: try GoldenRemoteTests.text("encrypted/key").dropLast())
      }
    }

    var bucket: FolderBucket { get throws { try FolderBucket("\(folder.path)/remote", isMade: true) } }

    func clone(_ name: String, isLazy: Bool = false) throws -> Repository {
      var clone = CloneOptions()
      clone.isLazy = isLazy
      return try Repository.clone(
        "file://\(folder.path)/remote", to: "\(folder.path)/\(name)", clone, options: options
      ).repository
    }
  }

  /// What a version is frozen as, of each of its tables.
  private struct Frozen {
    let number: Int
    let commit: String
    let table: String
    let digest: String
  }

  private static func frozen(_ kind: Kind) throws -> [Frozen] {
    try text("\(kind)/rows.tsv").split(separator: "\n").map { line in
      let words = line.split(separator: "\t").map(String.init)
      try #require(words.count == 4)
      return Frozen(number: try #require(Int(words[0])), commit: words[1], table: words[2], digest: words[3])
    }
  }

  private static func check(_ repository: Repository, _ kind: Kind) throws {
    let frozen = try frozen(kind)
    #expect(Set(frozen.map(\.number)) == [1, 2, 4, 5, 6, 8] && frozen.count == 11)
    for version in frozen {
      let name = "origin/v\(version.number)"
      #expect(try repository.resolve(name).commit.description == version.commit, "\(name)")
      let rows = try repository.rowsTest(name, table: version.table)
      let text = rows.map { $0 + "\n" }.joined()
      #expect(digest(Array(text.utf8)) == version.digest, "\(name) \(version.table)")
    }
    for (name, number) in ["origin/main": 8, "origin/spare": 2, "paper": 4, "main": 8] {
      let commit = try repository.resolve(name).commit
      #expect(try commit == repository.resolve("origin/v\(number)").commit, "\(name)")
    }
    for name in ["origin/passing", "origin/other", "busy"] {
      let error = #expect(throws: DSVError.self, "\(name)") { try repository.resolve(name) }
      #expect(error?.code == .notFound)
    }
    #expect(try repository.check().problems == [])
  }

  @Test("it has all that a remote may have: a checkpoint, bases, packs given up and packs gone")
  func contents() throws {
    for kind in Kind.allCases {
      let copy = try Copy(kind)
      let repository = try copy.clone("clone")
      let bucket = try copy.bucket
      try FileSystem.removeTree("\(copy.folder.path)/remote/log/checkpoint")
      var entries: [RemoteEntry] = []
      _ = try RemoteLog(bucket, repository.store.remoteKeys).read(after: .start, seen: .start) {
        entries += $0.entries
      }
      let given = entries.flatMap(\.condemned)
      let gone = entries.flatMap(\.deleted)
      let left = Set(given).subtracting(gone)
      #expect(entries.count > RemoteLayout.checkpointInterval && gone.count == 1 && left.count == 1)
      for pack in left { #expect(try bucket.get(RemoteLayout.pack(pack), limit: 1 << 20) != nil) }
      for pack in gone { #expect(try bucket.get(RemoteLayout.pack(pack), limit: 1 << 20) == nil) }
      let depths = try entries.flatMap(\.added).filter { !given.contains($0.id) }.flatMap { pack in
        let bytes = try #require(try bucket.get(RemoteLayout.index(pack.id), limit: 1 << 20))
        return try PackIndex(bytes, of: "\(pack.id)").entries.map(\.baseDepth)
      }
      #expect(depths.contains { $0 > 1 })
      #expect(
        Set(entries.flatMap(\.moves).map(\.name)).isSuperset(of: ["heads/main", "heads/spare", "tags/paper"]))
    }
  }

  @Test(
    "it is cloned, read, fetched from and pushed to",
    arguments: Kind.allCases.flatMap { kind in [false, true].map { (kind, $0) } })
  func use(kind: Kind, isLazy: Bool) throws {
    let copy = try Copy(kind)
    let repository = try copy.clone("clone", isLazy: isLazy)
    try Self.check(repository, kind)
    let fetched = try repository.fetch()
    #expect(fetched.refs.isEmpty && fetched.commitCount == 0)
    #expect(try repository.checkRemote("origin").isWhole)

    let before = try repository.rowsTest(table: "numbers")
    let new = #"{"row":-1,"small":0,"far":1,"constant":5,"word":"new","ratio":0.5,"flag":true}"#
    try repository.commitTest([new], .append, table: "numbers")
    let pushed = try repository.push()
    #expect(pushed.refs.map(\.state) == [.pushed] && pushed.commitCount == 1)
    // Seven columns, of which one is the same again at most; what leads to them; the snapshot and the commit.
    #expect((3...10).contains(pushed.objectCount), "what is there was sent again")

    // Another one reads all of it, also by the log alone, and what was given up goes.
    try FileSystem.removeTree("\(copy.folder.path)/remote/log/checkpoint")
    let other = try copy.clone("other")
    #expect(try other.rowsTest(table: "numbers") == before + [new])
    #expect(try other.resolve("origin/v9").commit == repository.resolve("HEAD").commit)
    #expect(try other.collectRemoteGarbage("origin", keepDays: 0).deletedPackCount == 1)
    #expect(try repository.fetch().refs.isEmpty)
    #expect(try repository.checkRemote("origin").isWhole)
    #expect(try other.check().problems == [])
  }

  @Test("without its key nothing of it is cloned")
  func wrongKey() throws {
    var copy = try Copy(.encrypted)
    for key in [nil, RepositoryKey.random()] {
      copy.options.key = key
      let error = #expect(throws: DSVError.self) { try copy.clone("clone") }
      #expect(error?.code == .wrongKey)
    }
  }
}
