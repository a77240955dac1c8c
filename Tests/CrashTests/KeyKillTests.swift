import DSV
import DSVFormat
import DSVSystem
import DSVVersions
import Testing

/// What changes or makes encrypted repositories is killed at any moment. Nothing is lost, and the same command goes on.
@Suite struct KeyKillTests {
  static let roundCount = Machine.environment("CI") == nil ? 10 : 50

  private static func open(_ path: String, _ keys: [RepositoryKey]) throws -> (Repository, Int) {
    for (index, key) in keys.enumerated() {
      var options = Repository.Options(threadCount: 0)
      options.key = key
      do throws(DSVError) { return (try Repository.open(at: path, options: options), index) } catch {
        guard error.code == .wrongKey else { throw error }
      }
    }
    throw DSVError(.wrongKey, "no key opens it")
  }

  private static func write(_ key: RepositoryKey, _ name: String, _ scratch: Scratch) throws -> String {
    try scratch.file(name, try #require(key.text) + "\n")
  }

  /// Runs the command: the first time to its end, to learn how long it takes, and then killed at some moment.
  private static func run(
    _ arguments: [String], _ duration: inout UInt64, _ random: inout SeededGenerator, _ scratch: Scratch
  ) throws -> Child.End {
    if duration > 0 {
      return try Child(arguments, scratch: scratch.path).kill(
        afterNanoseconds: random.next() % (duration * 5 / 4))
    }
    let start = Clock.monotonicNanoseconds()
    let end = try Child.run(arguments, scratch: scratch.path)
    duration = Clock.monotonicNanoseconds() - start
    #expect(end.code == 0, "\(end.errors)")
    return end
  }

  private static func picture(_ repository: Repository) throws -> [String] {
    try repository.log(from: try repository.resolve("HEAD").commit).map { entry in
      "\(entry.version) \(entry.id) \(try Picture.export(repository, entry.id))"
    }
  }

  @Test("a rotation that is killed has happened or not, encrypting again goes on, and nothing is lost")
  func rotation() throws {
    var random = SeededGenerator(11)
    let scratch = try Scratch()
    var key = RepositoryKey.random()
    do {
      let repository = try Repository.initialize(
        at: scratch.repository, encryptedWith: key, options: .init(threadCount: 0))
      _ = try repository.commit(
        [try scratch.file("a.jsonl", Rows.text(0..<80, seed: 1))], CommitMessage("a"))
      _ = try repository.commit(
        [try scratch.file("b.jsonl", Rows.noise(1000, byteCount: 2_500_000, seed: 2))], CommitMessage("b"))
    }
    let before = try Self.picture(Self.open(scratch.repository, [key]).0)
    var (killed, duration) = (0, UInt64(0))
    for round in 0..<Self.roundCount {
      let next = RepositoryKey.random()
      let arguments = [
        "key", "rotate", "--reencrypt", "--new-key-file", try Self.write(next, "new\(round)", scratch),
        "--key-file", try Self.write(key, "old\(round)", scratch), "-C", scratch.repository, "--quiet",
        "--json",
      ]
      let end = try Self.run(arguments, &duration, &random, scratch)
      if end.signal != nil { killed += 1 }
      let (repository, index) = try Self.open(scratch.repository, [key, next])
      #expect(!end.isAcknowledged || index == 1)
      if index == 1 { key = next }
      #expect(try repository.check().problems == [], "round \(round)")
      if try repository.isReencrypting { try repository.reencrypt() }
      #expect(try Self.picture(repository) == before, "round \(round)")
      #expect(try repository.check().problems == [], "round \(round)")
    }
    print("rotations killed: \(killed) of \(Self.roundCount)")
  }

  @Test("an encryption that is killed goes on, and comes to what it would have")
  func encryption() throws {
    var random = SeededGenerator(12)
    let scratch = try Scratch()
    do {
      let repository = try Repository.initialize(at: scratch.repository, options: .init(threadCount: 0))
      for number in 0..<4 {
        let rows = Rows.text(number * 100..<number * 100 + 100, seed: UInt64(number))
        try repository.commitTest(try scratch.file("a.jsonl", rows), number == 0 ? .replace : .append)
      }
      let noise = Rows.noise(1000, byteCount: 1_500_000, seed: 2)
      try repository.commitTest(try scratch.file("b.jsonl", noise), .append)
    }
    let source = try Repository.open(at: scratch.repository, options: .init(threadCount: 0))
    let expected = try source.log(from: try source.resolve("HEAD").commit).map {
      try Picture.export(source, $0.id)
    }
    let key = RepositoryKey.random()
    let keyFile = try Self.write(key, "key", scratch)
    var (killed, duration) = (0, UInt64(0))
    for round in 0..<Self.roundCount {
      let copy = "\(scratch.path)/copy\(round)"
      let arguments = ["encrypt", scratch.repository, copy, "--key-file", keyFile, "--quiet", "--json"]
      let end = try Self.run(arguments, &duration, &random, scratch)
      if end.signal != nil { killed += 1 }
      if !end.isAcknowledged {
        // Killed in the last moment it is whole, and says so.
        let again = try Child.run(arguments, scratch: scratch.path)
        #expect(again.code == 0 || again.code == 4, "round \(round): \(again.errors)")
      }
      let (repository, _) = try Self.open(copy, [key])
      #expect(try repository.check().problems == [], "round \(round)")
      let found = try repository.log(from: try repository.resolve("HEAD").commit)
      #expect(found.map(\.version) == ["v5", "v4", "v3", "v2", "v1"], "round \(round)")
      #expect(try found.map { try Picture.export(repository, $0.id) } == expected, "round \(round)")
      try FileSystem.removeTree(copy)
    }
    print("encryptions killed: \(killed) of \(Self.roundCount)")
  }
}
