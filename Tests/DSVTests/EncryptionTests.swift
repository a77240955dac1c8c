import DSV
import DSVColumns
import DSVFormat
import DSVStore
import DSVSystem
import DSVTables
import DSVTesting
import DSVVersions
import Synchronization
import Testing

/// Encrypted repositories as their users see them.
@Suite struct EncryptionTests {
  private static func code(_ body: () throws -> Void) -> DSVError.Code? {
    do {
      try body()
      return nil
    } catch { return (error as? DSVError)?.code }
  }

  private static func open(_ path: String, _ key: RepositoryKey?) throws(DSVError) -> Repository {
    var options = Repository.Options(threadCount: 0)
    options.key = key
    return try Repository.open(at: path, options: options)
  }

  @Test("an encrypted repository has other names for the same content, and the same exports")
  func names() throws {
    let (plain, sealed) = (try Dataset(key: nil), try Dataset(key: .random()))
    let rows = (0..<3000).map {
      #"{"id":\#($0),"text":"\#(String(repeating: "word \($0 % 91) ", count: 40))"}"#
    }
    let roots = try [plain, sealed].map { try $0.commit(rows, key: ["id"]).root }
    let chunks = try [plain, sealed].map { dataset in
      let commit = try #require(try dataset.repository.head().commit)
      let table = try dataset.repository.table(nil, of: commit)
      return try #require(table.field("text")).values
    }
    #expect(try plain.rows() == sealed.rows())
    if TestRepository.isEncrypted { return }
    #expect(roots[0] != roots[1] && chunks[0].place != chunks[1].place)
    #expect(try sealed.repository.fingerprint(try #require(try sealed.repository.head().commit)) != roots[0])
  }

  @Test("a copy that is encrypted has every version, branch, tag and number, and the rows they had")
  func copy() throws {
    let dataset = try Dataset()
    try dataset.commit((0..<600).map { CompactTests.row($0) }, key: ["id"])
    try dataset.commit((590..<640).map { CompactTests.row($0, salt: 1) }, .upsert)
    try dataset.commit((640..<800).map { CompactTests.row($0) }, .append)
    try dataset.commit([#"{"b":"\#(String(repeating: "blob ", count: 70_000))"}"#], table: "long")
    let repository = dataset.repository
    let old = try repository.resolve("v2").commit
    try repository.makeBranch("side", at: old)
    try repository.makeTag("paper", at: old)
    try repository.checkout(try repository.resolve("side"))
    try dataset.commit([#"{"id":1,"text":"other"}"#], .upsert)
    let folder = try TemporaryFolder()
    let key = RepositoryKey.random()
    let result = try repository.encrypt(to: folder.path, with: key)
    let copy = try Self.open(folder.path, key)
    #expect(copy.isEncrypted && result.commits.map(\.version) == (1...5).map { "v\($0)" })
    for (version, was, now) in result.commits {
      #expect(try repository.resolve(version).commit == was && copy.resolve(version).commit == now)
      for table in try repository.snapshot(was).tables {
        let other = try copy.table(table.name, of: now)
        #expect(other.schema == table.schema && other.key == table.key && other.liveCount == table.liveCount)
        #expect(try Self.rows(repository, table) == Self.rows(copy, other), "\(version) \(table.name)")
      }
    }
    #expect(try copy.branches().map(\.name) == repository.branches().map(\.name))
    #expect(try copy.tags().map(\.name) == ["paper"] && copy.head().branch == "side")
    #expect(try copy.check().problems == [])
    // The copy is whole, and so nothing is done again, but that it is told what became of each version.
    let again = try repository.encrypt(to: folder.path, with: key)
    #expect(!again.isNew && again.commits.map(\.new) == result.commits.map(\.new))
    let another = try Dataset()
    try another.commit([#"{"n":1}"#])
    #expect(Self.code { _ = try another.repository.encrypt(to: folder.path, with: key) } == .conflict)
    #expect(Self.code { _ = try Self.open(folder.path, nil) } == .wrongKey)
    #expect(Self.code { _ = try Self.open(folder.path, .random()) } == .wrongKey)
    // What is written there goes on as in any other repository.
    let more = try copy.commit(
      rows: Array(#"{"id":2,"text":"more"}"#.utf8), CommitMessage("more", author: "a", time: 0),
      {
        var options = CommitOptions()
        options.mode = .upsert
        return options
      }())
    #expect(more.version == "v6")
    #expect(try repository.encrypt(to: folder.path, with: key).commits.count == 5)
    try dataset.commit([#"{"id":9,"text":"later"}"#], .upsert)
    #expect(Self.code { _ = try repository.encrypt(to: folder.path, with: key) } == .conflict)
  }

  @Test("a version that goes on where the last one ended has the roots that copying it by itself gives")
  func appended() throws {
    let dataset = try Dataset()
    func lines(_ range: Range<Int>) -> [String] {
      range.map {
        #"{"id":\#($0),"text":"\#(String(repeating: "word \($0 % 97) ", count: 60))","n":\#($0 % 3)}"#
      }
    }
    try dataset.commit(lines(0..<400))
    for number in 0..<6 { try dataset.commit(lines(400 + number..<401 + number), .append) }
    try dataset.commit(lines(410..<900), .append)
    try dataset.commit(lines(0..<300))
    let folder = try TemporaryFolder()
    let copy = try dataset.repository.encrypt(to: folder.path, with: .random()).repository
    let session = try copy.store.session()
    let sink = ColumnSink(session, pool: copy.pool)
    for version in ["v1", "v3", "v7", "v8", "v9"] {
      let table = try copy.table(nil, of: try copy.resolve(version).commit)
      for field in table.fields {
        let writer = ColumnWriter(type: field.type, sink: sink)
        let cursor = ColumnCursor(field.values, layout: field.type.layout, reader: copy.reader)
        while writer.rowCount < table.rowCount {
          let slice = try cursor.slice(at: writer.rowCount)
          try writer.append(contentsOf: slice.array, from: 0, to: slice.array.count)
        }
        #expect(try writer.finish() == field.values, "\(version) \(field.name)")
      }
    }
    #expect(try copy.check().problems == [])
  }

  private static func rows(_ repository: Repository, _ table: Table) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try RowExport(table, ExportOptions(), reader: repository.reader).run { bytes.append(contentsOf: $0) }
    return bytes
  }

  @Test("an encryption that is broken off at any version goes on, and comes to the same")
  func resume() throws {
    let dataset = try Dataset()
    for number in 0..<4 { try dataset.commit([#"{"n":\#(number)}"#], number == 0 ? .replace : .append) }
    let key = RepositoryKey.random()
    for limit in 0..<5 {
      let folder = try TemporaryFolder()
      let count = Atomic(0)
      let code = Self.code {
        _ = try dataset.repository.encrypt(to: folder.path, with: key) { progress throws(DSVError) in
          guard progress.phase == "encrypting versions" else { return }
          if count.add(1, ordering: .relaxed).oldValue == limit { throw DSVError(.interrupted, "enough") }
        }
      }
      #expect(code == (limit < 4 ? .interrupted : nil))
      if limit == 4 { continue }
      // It is no empty repository, to which one may commit.
      let told = try #require(throws: DSVError.self) { try Self.open(folder.path, key) }
      #expect(told.code == .conflict && told.message.contains("the same 'dsv encrypt' goes on"), "\(told)")
      let result = try dataset.repository.encrypt(to: folder.path, with: key)
      #expect(result.commits.count == 4)
      #expect(try Self.open(folder.path, key).check().problems == [])
      #expect(try Self.open(folder.path, key).resolve("main").commit == result.commits[3].new)
    }
  }

  @Test("an object's token opens with its own key, and a plain repository has none")
  func tokens() throws {
    let dataset = try Dataset(key: .random())
    let commit = try dataset.commit([#"{"a":1}"#])
    let found = try dataset.repository.fernetObject(AnyID(commit.commit))
    let key = try #require(Array(found.key.utf8).withUnsafeBytes { FernetKey(text: $0) })
    let token = try #require(Array(found.token.utf8).withUnsafeBytes { Base64URL.bytes($0) })
    let stored = try token.withUnsafeBytes { try Fernet.open($0, with: key, of: "token") }
    #expect(Array(stored.dropFirst()) == (try dataset.repository.object(AnyID(commit.commit))))
    let id: CommitID = try dataset.repository.object(AnyID(commit.commit)).withUnsafeBytes {
      dataset.repository.store.naming.id(kind: .commit, $0)
    }
    #expect(id == commit.commit)
    if TestRepository.isEncrypted { return }
    let plain = try Dataset()
    let other = try plain.commit([#"{"a":1}"#])
    #expect(Self.code { _ = try plain.repository.fernetObject(AnyID(other.commit)) } == .badInput)
    #expect(Self.code { _ = try plain.repository.addKey(.random()) } == .badInput)
  }

  @Test("keys change while others read and write, and nobody loses anything")
  func rotation() async throws {
    let dataset = try Dataset(key: .random())
    let shared = Shared(dataset.folder.path, .random())
    _ = try dataset.repository.rotateKey(to: shared.key.withLock { $0 })
    try dataset.commit([#"{"n":0}"#])
    let counts = try await withThrowingTaskGroup(of: Int.self) { group in
      for writer in 0..<2 {
        group.addTask {
          let repository = try shared.open()
          var options = CommitOptions()
          options.mode = .append
          for number in 0..<40 {
            let line = Array(#"{"n":\#(writer * 1000 + number)}"#.utf8)
            _ = try repository.commit(rows: line, CommitMessage("w", author: "a", time: 0), options)
          }
          return 40
        }
      }
      group.addTask {
        while !shared.isDone.load(ordering: .acquiring) {
          let repository = try shared.open()
          _ = try repository.snapshot(try repository.resolve("HEAD").commit)
        }
        return 0
      }
      group.addTask {
        let repository = try shared.open()
        for _ in 0..<20 {
          // As a key file is exchanged: the new key is there before the old one is gone.
          let next = RepositoryKey.random()
          try shared.key.withLock { (key) throws(DSVError) in
            _ = try repository.rotateKey(to: next)
            key = next
          }
          await Task.yield()
        }
        return 0
      }
      var counts: [Int] = []
      for try await count in group {
        counts.append(count)
        if counts.count == 3 { shared.isDone.store(true, ordering: .releasing) }
      }
      return counts
    }
    #expect(counts.reduce(0, +) == 80)
    let end = try shared.open()
    #expect(try end.head().commit.map { try end.commit($0).rowCount } == 81)
    #expect(try end.check().problems == [])
    try end.reencrypt()
    #expect(try shared.open().check().problems == [])
  }
}

/// Where a key is kept that is exchanged while others use it.
private final class Shared: Sendable {
  private let path: String
  let key: Mutex<RepositoryKey>
  let isDone = Atomic(false)

  init(_ path: String, _ key: RepositoryKey) {
    self.path = path
    self.key = Mutex(key)
  }

  func open() throws(DSVError) -> Repository {
    var options = Repository.Options(threadCount: 0)
    options.keyProvider = { [self] () throws(DSVError) in key.withLock { $0.value } }
    return try Repository.open(at: path, options: options)
  }
}
