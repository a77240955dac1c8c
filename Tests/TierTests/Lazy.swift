import DSV
import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTables
import DSVTesting

/// A repository with a history, and a copy of it whose objects are in a remote too.
final class Lazy {
  let folder: TemporaryFolder
  let full: Repository
  let memory = MemoryBucket()
  let bucket: SlowBucket
  let remote: PackedRemote
  private(set) var copy: Repository

  init(
    threadCount: Int = 2, packByteCount: Int = 300_000, latencyNanoseconds: UInt64 = 0,
    fill: (Repository, TemporaryFolder) throws -> Void = Lazy.history
  ) throws {
    folder = try TemporaryFolder(inMemory: true)
    full = try Repository.initialize(at: folder.path + "/full", options: .init(threadCount: threadCount))
    try fill(full, folder)
    bucket = SlowBucket(memory, latencyNanoseconds: latencyNanoseconds)
    remote = PackedRemote(memory)
    try remote.put(full.store, packByteCount: packByteCount)
    try Self.copyTree(folder.path + "/full", folder.path + "/copy")
    copy = try Self.open(folder, threadCount)
    attach()
  }

  private static func open(_ folder: TemporaryFolder, _ threadCount: Int) throws -> Repository {
    try Repository.open(
      at: folder.path + "/copy", options: .init(threadCount: threadCount, cacheByteCount: 8 << 20))
  }

  func attach(_ bucket: (any Bucket)? = nil, limits: FetchLimits = FetchLimits()) {
    copy.attach([RemoteTier("origin", bucket ?? self.bucket, remote)], limits: limits)
  }

  /// Opens the copy anew.
  func reopen(threadCount: Int = 2) throws {
    copy.close()
    copy = try Self.open(folder, threadCount)
    attach()
  }

  private static func copyTree(_ from: String, _ to: String) throws {
    try FileSystem.makeFolder(to)
    // Who opens and closes a file of locks lets go of the locks that this process has there.
    for name in try FileSystem.list(from) where name != "lock.mdb" {
      let (source, target) = ("\(from)/\(name)", "\(to)/\(name)")
      if try FileSystem.status(source)?.isFolder == true {
        try copyTree(source, target)
      } else {
        try FileSystem.replace(target, with: try FileSystem.read(source, limit: 1 << 30), isDurable: false)
      }
    }
  }

  /// Every version, the oldest first.
  static func commits(_ repository: Repository) throws -> [CommitID] {
    try (1...repository.store.versionCount).compactMap { try repository.store.commit(number: $0) }
  }

  /// The objects that are on the disk of a repository, by kind.
  static func objects(_ repository: Repository) throws -> [ObjectKind: Set<AnyID>] {
    var result: [ObjectKind: Set<AnyID>] = [:]
    try repository.store.forEachObject { (id, place) throws(DSVError) in
      result[place.kind, default: []].insert(id)
    }
    return result
  }

  /// The chunks and nodes that some versions need.
  static func needed(_ repository: Repository, _ commits: [CommitID]) throws -> Set<AnyID> {
    var result: Set<AnyID> = []
    let reader = repository.reader
    func add(_ id: ColumnID, _ level: Int) throws {
      guard result.insert(AnyID(id)).inserted else { return }
      var last = AnyID(id)
      while let base = try repository.store.baseID(of: last) {
        result.insert(base)
        last = base
      }
      if level > 0 {
        for child in try reader.node(id, level: level).children { try add(child.id, level - 1) }
      } else {
        try addBlobs(try reader.chunk(id))
      }
    }
    func addBlobs(_ chunk: Chunk) throws {
      for index in 0..<chunk.count where chunk.array.blobs != nil && chunk.array.isBlob(index) {
        let root = try BlobReference(chunk.array.bytes(index)).root
        let stored = try reader.store.read(AnyID(root))
        try add(root, stored.kind == .node ? try reader.decodedNode(root, stored).level : 0)
      }
    }
    for commit in commits {
      for column in try repository.snapshot(commit).tables.flatMap(\.columns) {
        if case .object(let id, let level) = column.place { try add(id, level) }
        if let chunk = try reader.inlineChunk(column) { try addBlobs(chunk) }
      }
    }
    return result
  }

  /// The live rows of a version, as they are exported.
  static func rows(_ repository: Repository, _ commit: CommitID, table: String) throws -> [String] {
    let table = try repository.table(table, of: commit)
    var options = ExportOptions()
    options.includesSignals = true
    let export = try RowExport(table, options, reader: repository.reader)
    var bytes: [UInt8] = []
    try export.run { bytes.append(contentsOf: $0) }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  // MARK: - Content

  static func row(_ id: Int, seed: Int = 0, words: Int = 40) -> String {
    let text = (0..<words).map { "word\(Hash64.of(UInt64(id * 100 + $0), seed: UInt64(seed)) % 5000)" }
    let length = id % 7 == 0 ? "null" : "\(id * 3 + seed)"
    return
      #"{"id":\#(id),"text":"\#(text.joined(separator: " "))","length":\#(length),"in":{"a":\#(id % 11),"b":"\#(id % 5)"}}"#
  }

  static func commit(
    _ repository: Repository, _ lines: [String], _ mode: CommitOptions.Mode = .replace,
    table: String = "data",
    key: [String] = [], time: Int64 = 0
  ) throws {
    var options = CommitOptions()
    (options.mode, options.table, options.key) = (mode, table, key)
    let bytes = Array(lines.map { $0 + "\n" }.joined().utf8)
    _ = try repository.commit(
      rows: bytes, CommitMessage("\(mode)", author: "test", time: time), options)
  }

  /// Versions made by commit, append, upsert, replace and compact; with a second table, blobs and dropped rows.
  static func history(_ repository: Repository, _ folder: TemporaryFolder) throws {
    let blob = (0..<60_000).map { "b\(Hash64.of(UInt64($0)) % 900)" }.joined(separator: " ")
    try commit(repository, (0..<3000).map { row($0) } + [#"{"id":-1,"text":"\#(blob)"}"#], key: ["id"])
    try commit(repository, (3000..<3500).map { row($0) }, .append)
    try commit(repository, (100..<160).map { row($0, seed: 1) } + [row(4000)], .upsert)
    try commit(repository, (0..<2000).map { row($0, seed: 9) }, table: "other")
    try commit(repository, (0..<2500).map { row($0, seed: 2) }, key: ["id"])
    try commit(repository, (5000..<5003).map { row($0) }, .append)
  }
}
