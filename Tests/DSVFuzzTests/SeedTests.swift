import DSV
import DSVColumns
import DSVFormat
import DSVFuzz
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import DSVTransforms
import DSVVersions
import Testing

/// The inputs that fuzzing begins with: small real ones of each kind, which their readers take.
///
/// `DSV_FUZZ_SEEDS=1 swift test --filter SeedTests` writes those whose names begin with `seed-` anew.
@Suite struct SeedTests {
  static let folder = FileSystem.parent(of: #filePath) + "/../../fixtures/fuzz"
  static let byteCountMax = 4096
  /// Of one target, from one repository.
  private static let countMax = 3

  /// Inputs by target and name.
  typealias Seeds = [FuzzTarget: [String: [UInt8]]]

  /// Rows that between them come to every shape that a column's chunks and trees have.
  static let tables: [(name: String, rows: String)] = [
    (
      "flat",
      (0..<40).map { #"{"id":\#($0),"text":"row \#($0)","x":\#($0).25,"flag":\#($0 % 2 == 0)}"# }.lines
    ),
    (
      "nulls",
      (0..<40).map {
        #"{"id":\#($0)\#($0 % 3 == 0 ? "" : #","text":null"#),"n":\#($0 % 4 == 0 ? "null" : "7")}"#
      }.lines
    ),
    (
      "nested",
      (0..<20).map { #"{"id":\#($0),"n":{"a":[{"b":["x",null],"c":\#($0)}],"d":{}},"l":[[1],[],null]}"# }
        .lines
    ),
    (
      "mixed", (0..<20).map { #"{"id":\#($0),"v":\#(["1", #""t""#, "[2]", "null", "1e400"][$0 % 5])}"# }.lines
    ),
    (
      "dictionary",
      (0..<400).map { #"{"id":\#($0),"kind":"\#(["paper", "book", "web"][$0 * 7 % 3])","c":5}"# }.lines
    ),
    ("blob", [#"{"id":1,"text":"\#(String(repeating: "a blob is long. ", count: 20_000))"}"#].lines),
    ("many", (0..<60_000).map { #"{"id":\#($0 &* 2_654_435_761 % 1_000_003)}"# }.lines),
  ]

  @Test(
    "each input that fuzzing begins with is small, and its reader takes it", arguments: FuzzTarget.allCases)
  func seeds(target: FuzzTarget) throws {
    let folder = "\(Self.folder)/\(target.rawValue)"
    let names = try FileSystem.list(folder).filter { !$0.hasPrefix("crash-") }
    // Files of LMDB's have some pages of 4 KiB each.
    if target == .index { return }
    #expect(names.count >= 4, "\(target)")
    for name in names {
      let bytes = try FileSystem.read("\(folder)/\(name)", limit: 1 << 20)
      #expect(bytes.count <= Self.byteCountMax, "\(target)/\(name)")
      // Others are there for what they are refused for.
      if name.hasPrefix("seed-"), target != .keyring {
        #expect(bytes.withBytes { target.takes($0) }, "\(target)/\(name)")
      }
    }
  }

  @Test("what the inputs are made from still makes such", arguments: tables.map(\.name))
  func make(name: String) throws {
    var seeds: Seeds = [:]
    let text = try #require(Self.tables.first { $0.name == name }).rows
    try Self.collect(name, text, into: &seeds)
    for (target, inputs) in seeds {
      for (name, bytes) in inputs {
        // A keyring's reader is given what is in one, too.
        #expect(target == .keyring || bytes.withBytes { target.takes($0) }, "\(target)/\(name)")
        guard Machine.environment("DSV_FUZZ_SEEDS") != nil else { continue }
        try FileSystem.replace(
          "\(Self.folder)/\(target.rawValue)/seed-\(name)", with: bytes, isDurable: false)
      }
    }
    #expect(seeds[.snapshot]?.isEmpty == false && seeds[.commit]?.isEmpty == false)
  }

  /// Commits rows in several ways, pushes them, and takes up what then lies there.
  private static func collect(_ name: String, _ rows: String, into seeds: inout Seeds) throws {
    let scratch = try TemporaryFolder(inMemory: true)
    let remote = "\(scratch.path)/remote"
    do {
      let key = ["mixed", "nested"].contains(name) ? RepositoryKey(text: keyText) : nil
      var options = Repository.Options(threadCount: 0)
      options.scannedKeyByteCountMax = 0
      options.key = key
      let repository = try Repository.initialize(
        at: "\(scratch.path)/r", encryptedWith: key, options: options)
      func file(_ text: String) throws -> String {
        try FileSystem.replace("\(scratch.path)/rows.jsonl", with: Array(text.utf8), isDurable: false)
        return "\(scratch.path)/rows.jsonl"
      }
      let message = CommitMessage(name, author: "a seed", time: 1)
      var how = CommitOptions()
      if name != "many" { how.key = ["id"] }
      _ = try repository.commit([try file(rows)], message, how)
      how.mode = .append
      _ = try repository.commit([try file("{\"id\":2000000}\n")], message, how)
      if name != "many" {
        how.mode = .upsert
        _ = try repository.commit([try file("{\"id\":1}\n")], message, how)
      }
      if name == "nested" { _ = try repository.addKey(.random()) }
      try repository.makeTag("first", at: try repository.resolve("v1").commit)
      if name == "flat" || name == "blob" {
        _ = try repository.transform(
          try repository.resolve("main"), Recipe(steps: [Recipe.Step(name: "quality")]), message)
      }
      if name == "dictionary" || name == "many" { _ = try repository.archive() }
      try takeObjects(of: repository, name, into: &seeds)
      if key == nil {
        _ = try repository.addRemote("origin", url: "file://\(remote)")
        _ = try repository.push()
      }
    }
    try takeFiles(in: "\(scratch.path)/r/.dsv", name, into: &seeds)
    try takeValues(in: remote, name, into: &seeds)
  }

  /// The key that the target ``FuzzTarget/keyring`` has.
  private static let keyText = "UFFSU1RVVldYWVpbXF1eX2BhYmNkZWZnaGlqa2xtbm8="

  private static func add(
    _ target: FuzzTarget, _ name: String, _ bytes: some Collection<UInt8>, to seeds: inout Seeds
  ) {
    guard bytes.count <= byteCountMax else { return }
    let count = seeds[target, default: [:]].count
    if count < countMax { seeds[target, default: [:]]["\(name)-\(count + 1)"] = Array(bytes) }
  }

  private static func takeObjects(of repository: Repository, _ name: String, into seeds: inout Seeds) throws {
    var found: [(AnyID, Place)] = []
    try repository.store.forEachObject { found.append(($0, $1)) }
    // The long ones first: they have more in them.
    for (id, place) in found.sorted(by: { ($0.1.byteCount, $1.0) > ($1.1.byteCount, $0.0) }) {
      let stored = try repository.store.read(id)
      switch stored.kind {
      case .chunk:
        let chunk = try repository.reader.decodedChunk(ColumnID(id), stored)
        withExtendedLifetime(chunk) { add(.chunk, name, chunk.plainBytes, to: &seeds) }
        guard place.baseDepth == 0 else { continue }
        let head = withUnsafeBytes(of: UInt32(stored.plainByteCount).littleEndian) { Array($0) }
        add(.storedChunk, name, head + stored.bytes, to: &seeds)
      case .node:
        add(.node, name, try repository.reader.decodedNode(ColumnID(id), stored).bytes, to: &seeds)
      case .snapshot:
        add(.snapshot, name, try repository.versions.snapshot(SnapshotID(id)).bytes, to: &seeds)
      case .commit: add(.commit, name, try repository.versions.commit(CommitID(id)).bytes, to: &seeds)
      }
    }
  }

  private static func takeFiles(in folder: String, _ name: String, into seeds: inout Seeds) throws {
    add(.reflog, name, try FileSystem.read("\(folder)/reflog", limit: 1 << 20), to: &seeds)
    for file in try FileSystem.list("\(folder)/packs") {
      let pack = try FileSystem.read("\(folder)/packs/\(file)", limit: 1 << 30)
      add(.pack, name, pack, to: &seeds)
      // Records, behind the byte that says what they are.
      var start = 32
      while start + PackLayout.recordHeaderByteCount <= pack.count {
        let length = pack[start + 8..<start + 12].reversed().reduce(0) { $0 << 8 | Int($1) }
        let end = start + PackLayout.recordHeaderByteCount + length
        add(.sealed, name, [6] + pack[start..<end], to: &seeds)
        start = end
      }
    }
    if let keyring = try? FileSystem.read("\(folder)/keyring", limit: 1 << 20) {
      add(.keyring, name, keyring.dropLast(8), to: &seeds)
    }
  }

  /// Values of a remote, without their checksums.
  private static func takeValues(in remote: String, _ name: String, into seeds: inout Seeds) throws {
    guard try FileSystem.exists(remote) else { return }
    let entry = try FileSystem.read("\(remote)/\(RemoteLayout.entry(1))", limit: 1 << 20)
    add(.remoteEntry, name, entry.dropLast(8), to: &seeds)
    for file in try FileSystem.list("\(remote)/packs") where file.hasSuffix(".idx") {
      add(
        .packIndex, name, try FileSystem.read("\(remote)/packs/\(file)", limit: 1 << 20).dropLast(8),
        to: &seeds)
    }
    let read = try entry.withBytes { (bytes) throws(DSVError) in try RemoteEntry(bytes, of: "a seed") }
    var state = Checkpoint(LogPosition(number: 1, digest: RemoteEntry.digest(of: entry)))
    (state.refs, state.numbered, state.packs) = (read.moves, read.numbered, read.added)
    if let pack = read.added.first { state.condemned = [Checkpoint.Condemned(pack.id, time: 1)] }
    add(.checkpoint, name, state.secretBytes.withBytes { [UInt8]($0) }.dropLast(8), to: &seeds)
  }
}

extension Sequence<String> {
  /// Each on a line of its own.
  fileprivate var lines: String { map { $0 + "\n" }.joined() }
}
