import DSV
import DSVFormat
import DSVSystem
import Testing

/// An encrypted repository that a released dsv wrote is read for ever.
@Suite struct GoldenEncryptedTests {
  static let folder = "fixtures/v1-encrypted"
  /// The digest of its `SHA256SUMS`. What is released never changes: a new format adds a folder.
  static let sumsDigest = "14b7bb8c8190105cf4b16236d6c52f1898f8404fe4b66a15d12962944f1ae37a"

  @Test("no released fixture has changed")
  func unchanged() throws {
    let sums = try Fixtures.text("\(Self.folder)/SHA256SUMS")
    #expect(Fixtures.digest(Array(sums.utf8)) == Self.sumsDigest)
    for line in sums.split(separator: "\n") {
      let path = line.dropFirst(66)
      #expect(try Fixtures.digest(Fixtures.bytes("\(Self.folder)/\(path)")) == line.prefix(64), "\(path)")
    }
  }

  /// A copy of the repository, which has no index, in a folder of its own.
  private func withCopy(_ key: RepositoryKey?, _ body: (Repository) throws -> Void) throws {
    let path = FileSystem.temporaryName(beside: "\(FileSystem.temporaryFolder)/dsv-golden")
    try FileSystem.makeFolder(path)
    defer { try? FileSystem.removeTree(path) }
    try FileSystem.makeFolder("\(path)/.dsv")
    try FileSystem.makeFolder("\(path)/.dsv/packs")
    for file in ["format", "keyring", "reflog", "packs/00000001.pack", "packs/00000002.pack"] {
      try FileSystem.replace(
        "\(path)/.dsv/\(file)", with: Fixtures.bytes("\(Self.folder)/repository/\(file)"))
    }
    var options = Repository.Options()
    options.key = key
    try body(try Repository.open(at: path, options: options))
  }

  private static func line(_ file: String) throws -> String {
    String(try Fixtures.text("\(folder)/\(file)").dropLast())
  }

  @Test("the key and the passphrase open it, and it is whole", arguments: [false, true])
  func check(isPassphrase: Bool) throws {
    let key =
      try isPassphrase
      ? RepositoryKey(passphrase: Self.line("passphrase")) : RepositoryKey(text: Self.line("key"))
    try withCopy(key) { repository in
      let result = try repository.check()
      #expect(result.problems == [] && result.objectCount == 56)
      let log = try Fixtures.text("\(Self.folder)/exported/log.jsonl")
      for name in ["v1", "v2", "v3", "v4", "v5", "v6", "v7", "main"] {
        #expect(log.contains("\"\(try repository.resolve(name).commit)\""), "\(name)")
      }
      #expect(try repository.resolve("filtered").commit == repository.resolve("v3").commit)
      #expect(try repository.resolve("spare").commit == repository.resolve("v2").commit)
      for (version, table) in [("v1", "data"), ("v2", "data"), ("v3", "data")] {
        let frozen = try Fixtures.bytes("\(Self.folder)/exported/\(version).\(table).jsonl")
        #expect(try GoldenRepositoryTests.rows(repository, version, table) == frozen, "\(version) \(table)")
      }
      let digest = try Fixtures.text("\(Self.folder)/exported/v7.numbers.sha256")
      #expect(try Fixtures.digest(GoldenRepositoryTests.rows(repository, "v7", "numbers")) + "\n" == digest)
    }
  }

  @Test("another key, or none, is the wrong one")
  func wrongKey() throws {
    for key in [nil, RepositoryKey.random(), RepositoryKey(passphrase: "incorrect horse")] {
      let error = #expect(throws: DSVError.self) { try withCopy(key) { _ in } }
      #expect(error?.code == .wrongKey)
    }
  }
}
