import DSV
import DSVFormat
import DSVRemote
import DSVSystem
import DSVTables
import DSVTesting
import DSVTransforms
import DSVVersions
import Synchronization
import Testing

/// Repositories in folders of their own that share a remote.
final class Clones {
  let folder: TemporaryFolder
  let bucket: FaultyBucket
  /// The keys whose creation fails.
  let refused = Refused()
  private var count = 0
  /// What must be there for as long as this.
  var kept: [AnyObject] = []

  final class Refused: Sendable {
    let prefix = Mutex<String?>(nil)
    /// Whether nothing of packs can be read.
    let reads = Mutex(false)
    /// What somebody else does before the first pack is put; once.
    let other = Mutex<(@Sendable () throws -> Void)?>(nil)
    /// What somebody else does before a call about a key that begins so; once.
    let otherAt = Mutex<(call: FaultyBucket.Call, prefix: String, body: @Sendable () throws -> Void)?>(nil)
  }

  init(_ base: any Bucket = MemoryBucket()) throws {
    folder = try TemporaryFolder(inMemory: true)
    let refused = refused
    bucket = FaultyBucket(base) { (call, key) throws(DSVError) in
      if call == .create, let prefix = refused.prefix.withLock({ $0 }), key.hasPrefix(prefix) {
        throw DSVError(.io, "the creation of \(key) fails on purpose")
      }
      let otherAt = refused.otherAt.withLock { other in
        guard let known = other, known.call == call, key.hasPrefix(known.prefix) else {
          return nil as (@Sendable () throws -> Void)?
        }
        other = nil
        return known.body
      }
      if let otherAt { #expect(throws: Never.self) { try otherAt() } }
      if call == .getRange, refused.reads.withLock({ $0 }) {
        throw DSVError(.io, "the reading of \(key) fails on purpose")
      }
      guard call == .put, key.hasPrefix(RemoteLayout.packPrefix) else { return }
      let other = refused.other.withLock { other in
        defer { other = nil }
        return other
      }
      if let other { #expect(throws: Never.self) { try other() } }
    }
  }

  /// What new repositories are encrypted with, and all are opened with.
  var key: RepositoryKey?
  var packByteCount = 1 << 20

  var options: Repository.Options {
    var options = Repository.Options(threadCount: 0)
    options.key = key
    options.remotePackByteCount = packByteCount
    let bucket = bucket
    options.openBucket = { (_, _) throws(DSVError) in bucket }
    return options
  }

  /// A clone that fetches what it reads.
  func lazyClone() throws -> Repository {
    var options = CloneOptions()
    options.isLazy = true
    return try clone(options)
  }

  func newPath() -> String {
    count += 1
    return "\(folder.path)/\(count)"
  }

  /// A repository that has the remote, and nothing else.
  func new() throws -> Repository {
    let repository = try Repository.initialize(at: newPath(), encryptedWith: key, options: options)
    _ = try repository.addRemote("origin", url: "s3://test/prefix")
    return repository
  }

  func clone(_ clone: CloneOptions = CloneOptions()) throws -> Repository {
    try Repository.clone("s3://test/prefix", to: newPath(), clone, options: options).repository
  }
}

extension Repository {
  @discardableResult
  func commitTest(
    _ lines: [String], _ mode: CommitOptions.Mode = .append, key: [String] = [], table: String = "data",
    message: String = "test"
  ) throws -> CommitResult {
    var options = CommitOptions()
    (options.mode, options.key, options.table) = (mode, key, table)
    let text = lines.map { $0 + "\n" }.joined()
    return try commit(rows: Array(text.utf8), CommitMessage(message, author: "test"), options)
  }

  /// The live rows of a version's table.
  func rowsTest(_ revision: String = "HEAD", table: String = "data") throws -> [String] {
    let export = try RowExport(
      try self.table(table, of: try resolve(revision).commit), ExportOptions(), reader: reader)
    var bytes: [UInt8] = []
    try export.run { bytes.append(contentsOf: $0) }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// Makes a branch at HEAD, and goes on on it.
  func branchOff(_ name: String) throws {
    try makeBranch(name, at: try resolve("HEAD").commit)
    try checkout(try resolve(name))
  }

  /// Takes a branch or tag of the remote away.
  func deleteThere(_ name: String) throws {
    var options = PushOptions()
    (options.names, options.deletes) = ([name], true)
    #expect(try push(to: nil, options).refs.first?.state == .deleted)
  }

  func pushAll() throws -> PushResult {
    var options = PushOptions()
    options.all = true
    return try push(options)
  }
}

func row(_ id: Int, _ text: String = "") -> String { #"{"id":\#(id),"text":"\#(text)\#(id)"}"# }

/// Rows that hardly compress.
func noise(_ ids: Range<Int>, byteCount: Int, seed: UInt64) -> [String] {
  var random = SeededGenerator(seed: seed)
  return ids.map { id in
    let digits = (0..<byteCount / 16).map { _ in
      let digits = String(random.next(), radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
    return #"{"id":\#(id),"text":"\#(digits)"}"#
  }
}

extension Repository {
  /// Runs the recipe in a file on HEAD.
  func transformTest(_ file: String) throws {
    let text = String(decoding: try FileSystem.read(file, limit: 1 << 20), as: UTF8.self)
    _ = try transform(
      try resolve("HEAD"), try Recipe(parsing: text, source: file), CommitMessage("transform", author: "test")
    )
  }
}
