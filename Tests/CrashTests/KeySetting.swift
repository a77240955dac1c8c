import DSV
import DSVFormat
import DSVSystem
import DSVVersions
import Testing

/// An encrypted repository whose keys are exchanged: two open it, one of which stays out of that.
struct KeySetting {
  enum Exchange: String, CaseIterable { case rotate, reencrypt, add, revoke }

  let exchange: Exchange
  let scratch: Scratch
  /// The key that the command is given.
  private(set) var own = RepositoryKey.random()
  let kept = RepositoryKey.random()
  /// The one that comes, or goes.
  private var other = RepositoryKey.random()

  init(_ exchange: Exchange) throws {
    self.exchange = exchange
    scratch = try Scratch()
    let repository = try Repository.initialize(
      at: scratch.repository, encryptedWith: own, options: .init(threadCount: 0))
    let rows = try scratch.file("a.jsonl", Rows.text(0..<80, seed: 1))
    _ = try repository.commit([rows], CommitMessage("a"))
    if exchange == .reencrypt {
      let noise = try scratch.file("b.jsonl", Rows.noise(1000, byteCount: 2_500_000, seed: 2))
      _ = try repository.commit([noise], CommitMessage("b"))
    }
    _ = try repository.addKey(kept)
  }

  /// With the key that opens it, now that the exchange has happened or not.
  func open() throws -> Repository { try open(opens(own) ? own : other) }

  private func open(_ key: RepositoryKey) throws(DSVError) -> Repository {
    var options = Repository.Options(threadCount: 0)
    options.key = key
    return try Repository.open(at: scratch.repository, options: options)
  }

  func opens(_ key: RepositoryKey) throws -> Bool {
    do throws(DSVError) { _ = try open(key) } catch {
      guard error.code == .wrongKey else { throw error }
      return false
    }
    return true
  }

  private func file(_ name: String, _ key: RepositoryKey) throws -> String {
    try scratch.file(name, try #require(key.text) + "\n")
  }

  /// What to run: an exchange that has not happened yet, with a key of its own.
  mutating func prepare() throws -> [String] {
    other = .random()
    let place = ["--key-file", try file("own", own), "-C", scratch.repository, "--quiet", "--json"]
    let keep = ["--keep-key-file", try file("kept", kept)]
    let new = ["--new-key-file", try file("new", other)]
    return switch exchange {
    case .rotate: ["key", "rotate"] + new + keep + place
    case .reencrypt: ["key", "rotate", "--reencrypt"] + new + keep + place
    case .add: ["key", "add"] + new + place
    case .revoke: ["key", "revoke", try open().addKey(other)] + keep + place
    }
  }

  /// Whether the exchange has happened; throws if it is half of one.
  func hasHappened() throws -> Bool {
    let (own, other) = (try opens(own), try opens(other))
    switch exchange {
    case .rotate, .reencrypt: try #require(own != other, "\(exchange): just one of the two opens it")
    case .add, .revoke: try #require(own, "\(exchange): the key that was used opens it")
    }
    return other == (exchange != .revoke)
  }

  /// Ends what is half done, and puts the number of keys back.
  mutating func finish() throws {
    let happened = try hasHappened()
    switch exchange {
    case .rotate: own = other
    case .reencrypt:
      if happened { own = other }
      let repository = try open()
      if try repository.isReencrypting { try repository.reencrypt() }
    case .add:
      let repository = try open()
      try repository.revokeKey(try repository.addKey(other), keeping: [kept])
    case .revoke: #expect(happened)
    }
  }

  func picture() throws -> [String] {
    let repository = try open()
    return try repository.log(from: try repository.resolve("HEAD").commit).map { entry in
      "\(entry.version) \(entry.id) \(try Picture.export(repository, entry.id))"
    }
  }
}
