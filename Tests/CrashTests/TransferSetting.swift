import DSV
import DSVFormat
import DSVRemote
import DSVSystem
import DSVTesting
import DSVVersions
import Testing

/// Two clones of a remote: `a` has pushed, `b` is to fetch.
struct TransferSetting {
  enum Operation: String, CaseIterable { case push, pull, rebase, clone }

  /// Where the remote is, and whether it and its clones are encrypted.
  enum Kind: String, CaseIterable {
    case folder, encrypted, s3

    var operations: [Operation] { self == .s3 ? [.push, .pull, .clone] : Operation.allCases }
  }

  let scratch: Scratch
  let kind: Kind
  private let key: RepositoryKey?
  private let server: S3Server?
  private let bucket: S3Bucket?

  var url: String { bucket.map { "s3://\($0.place.bucket)/data" } ?? "file://\(scratch.path)/remote" }
  var a: String { "\(scratch.path)/a" }
  var b: String { "\(scratch.path)/b" }
  var c: String { "\(scratch.path)/c" }

  init(_ kind: Kind = .folder) throws {
    self.kind = kind
    scratch = try Scratch()
    key = kind == .encrypted ? .random() : nil
    server = kind == .s3 ? try .shared() : nil
    bucket = try server?.openBucket(prefix: "data")
    if let text = key?.text { _ = try scratch.file("key", text + "\n") }
    let first = try Repository.initialize(at: a, encryptedWith: key, options: options)
    var commit = CommitOptions()
    commit.key = ["id"]
    let file = try scratch.file("first.jsonl", Rows.text(0..<80, seed: 1))
    _ = try first.commit([file], CommitMessage("first"), commit)
    _ = try first.addRemote("origin", url: url, endpoint: server?.endpoint, isPathStyle: server != nil)
    _ = try first.push()
    var clone = CloneOptions()
    (clone.endpoint, clone.isPathStyle) = (server?.endpoint, server != nil)
    _ = try Repository.clone(url, to: b, clone, options: options)
  }

  private var options: Repository.Options {
    var options = Repository.Options(threadCount: 0)
    options.key = key
    if let bucket { options.openBucket = { (_, _) throws(DSVError) in bucket } }
    return options
  }

  func open(_ path: String) throws -> Repository { try Repository.open(at: path, options: options) }

  func commit(_ path: String, _ ids: Range<Int>, noise: Int = 0) throws {
    let text =
      Rows.text(ids, seed: UInt64(ids.lowerBound))
      + Rows.noise(ids.lowerBound + 500_000, byteCount: noise, seed: 3)
    try open(path).commitTest(try scratch.file("rows.jsonl", text), .append)
  }

  /// Begins the operation in a process of its own.
  func start(_ operation: Operation) throws -> Child {
    var arguments =
      switch operation {
      case .push: ["push", "-C", a]
      case .pull: ["pull", "-C", b]
      case .rebase: ["pull", "--rebase", "-C", b]
      case .clone: ["clone", url, c]
      }
    arguments += ["--json", "--quiet"]
    if key != nil { arguments += ["--key-file", "\(scratch.path)/key"] }
    guard let server else { return try Child(arguments, scratch: scratch.path) }
    if operation == .clone { arguments += ["--endpoint", server.endpoint, "--path-style"] }
    let credentials = [
      "AWS_ACCESS_KEY_ID=\(server.credentials.accessKeyID)",
      "AWS_SECRET_ACCESS_KEY=\(server.credentials.secretKey)",
    ]
    // It becomes the command, so that what is killed is that.
    return try Child(
      credentials + [Child.command] + arguments, program: "/usr/bin/env", scratch: scratch.path)
  }

  /// Something for the operation to do.
  func prepare(_ operation: Operation, _ round: Int) throws {
    let ids = 1000 + round * 100..<1010 + round * 100
    if operation == .clone { try FileSystem.removeTree(c) }
    if operation != .clone || round < 3 { try commit(a, ids, noise: 400_000) }
    if operation != .push, operation != .clone || round < 3 { _ = try open(a).push() }
    // Keys go to the remote with the push, up to as many as a keyring has.
    if operation == .push, key != nil, round % 4 == 1, round < 200 { _ = try open(a).addKey(.random()) }
    if operation == .rebase {
      for number in 0..<3 {
        try commit(b, ids.lowerBound + 50 + number * 2..<ids.lowerBound + 52 + number * 2)
      }
    }
  }
}
