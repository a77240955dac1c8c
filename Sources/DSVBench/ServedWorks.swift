import DSV
import DSVFormat
import DSVSystem
import DSVTables
import DSVTransforms
import DSVVersions

/// The works that ``Server`` can do.
struct ServedWorks {
  /// A work that is ready to be timed; gives how many rows, names or bytes it came to.
  typealias Work = () throws -> Int

  private var path = ""
  private var opened: Repository?
  /// Versions that rows were taken from stay open, as a program would keep them.
  private var tables: [String: Version.Table] = [:]
  private var names: [String: (inout ServedWorks, Arguments) throws -> Work] = [
    "init": { works, words in try works.start(words) },
    "at": { works, words in try works.go(words) },
    "commit": { works, words in try works.commit(words) },
    "singles": { works, words in try works.singles(words) },
    "transform": { works, words in try works.transform(words) },
    "scan": { works, words in try works.scan(words, keepsAll: true) },
    "stream": { works, words in try works.scan(words, keepsAll: false) },
    "export": { works, words in try works.export(words) },
    "take": { works, words in try works.take(words, isOneByOne: false) },
    "take-each": { works, words in try works.take(words, isOneByOne: true) },
    "open-take": { works, words in try works.openAndTake(words) },
    "tag": { works, words in try works.name(words) { try $0.makeTag($1, at: $2) } },
    "branch": { works, words in try works.name(words) { try $0.makeBranch($1, at: $2) } },
    "checkout": { works, words in try works.checkout(words) },
    "diff": { works, words in try works.diff(words) },
    "gc": { works, _ in try works.collect() },
    "rotate": { works, _ in try works.rotate() },
    "trim": { _, _ in { Machine.releaseFreeMemory() ? 1 : 0 } },
    "bare-loop": { _, words in try Self.bareLoop(words) },
    "parse": { _, words in try Floors.parse(try words(0)) },
    "hash": { _, words in try Floors.hash(try words(0)) },
    "compress": { _, words in try Floors.compress(try words(0)) },
    "decompress": { _, words in try Floors.decompress(try words(0)) },
  ]

  /// The words after a work's name.
  struct Arguments {
    let words: [String]

    func callAsFunction(_ index: Int) throws -> String {
      guard index < words.count else { throw DSVError(.badInput, "argument \(index + 1) is missing") }
      return words[index]
    }

    /// An argument's parts, between commas.
    func list(_ index: Int) throws -> [String] { try self(index).split(separator: ",").map(String.init) }
  }

  mutating func prepare(_ name: String, _ words: [String]) throws -> Work {
    guard let make = names[name] else { throw DSVError(.badInput, "there is no such work") }
    return try make(&self, Arguments(words: words))
  }

  private func repository() throws -> Repository {
    guard let opened else { throw DSVError(.badInput, "'init' comes first") }
    return opened
  }

  private func message(_ text: String) -> CommitMessage { CommitMessage(text, author: "dsv-bench", time: 0) }

  // MARK: Writing

  /// PATH, and perhaps `encrypted`: makes a repository there, or opens the one that is there.
  private mutating func start(_ words: Arguments) throws -> Work {
    path = try words(0)
    tables = [:]
    if words.words.count > 1 {
      opened = try Repository.initialize(at: path, encryptedWith: .random())
    } else {
      let isThere = try FileSystem.exists("\(path)/.dsv")
      opened = try isThere ? Repository.open(at: path) : Repository.initialize(at: path)
    }
    return { 0 }
  }

  /// Exchanges the key, for a new one that nobody has; gives the packs that there are. What is committed next begins another pack.
  private func rotate() throws -> Work {
    let repository = try repository()
    let count = try FileSystem.list("\(path)/.dsv/packs").count { $0.hasSuffix(".pack") }
    return {
      _ = try repository.rotateKey(to: .random())
      return count
    }
  }

  /// PATH: names the repository there, which is not opened.
  private mutating func go(_ words: Arguments) throws -> Work {
    (path, opened, tables) = (try words(0), nil, [:])
    return { 0 }
  }

  /// FILE, MODE and, for the first, the KEY: gives the rows of the version.
  private func commit(_ words: Arguments) throws -> Work {
    var options = CommitOptions()
    guard let mode = CommitOptions.Mode(rawValue: try words(1)) else {
      throw DSVError(.badInput, "no such mode")
    }
    options.mode = mode
    options.key = try words.list(2)
    let (repository, file) = (try repository(), try words(0))
    return { [options] in try repository.commit([file], message(file), options).rowCount }
  }

  /// FOLDER: a commit for each of its files, in the order of their names. Their rows are in memory, as its peers' are.
  private func singles(_ words: Arguments) throws -> Work {
    let (repository, folder) = (try repository(), try words(0))
    let files = try FileSystem.list(folder).sorted().map {
      try FileSystem.read("\(folder)/\($0)", limit: 1 << 20)
    }
    var options = CommitOptions()
    options.mode = .append
    return { [options] in
      for rows in files { _ = try repository.commit(rows: rows, message("one row"), options) }
      return files.count
    }
  }

  /// The RECIPE's text, in which `;` stands for the end of a line: gives the rows that are left.
  private func transform(_ words: Arguments) throws -> Work {
    let text = String(try words(0).map { $0 == ";" ? "\n" : $0 })
    let (repository, recipe) = (try repository(), try Recipe(parsing: text, source: "the recipe"))
    return {
      try repository.transform(try repository.resolve("HEAD"), recipe, message("filter")).rowsOut
    }
  }

  private mutating func collect() throws -> Work {
    // gc waits for versions that are open.
    tables = [:]
    let repository = try repository()
    return { try repository.collectGarbage(keepDays: 0).deletedObjectCount }
  }

  // MARK: Reading

  /// REVISION, COLUMNS or nothing for all, CONDITION or nothing: gives the rows, which are held until the end of it if
  /// `keepsAll`.
  private func scan(_ words: Arguments, keepsAll: Bool) throws -> Work {
    let (repository, revision, condition) = (try repository(), try words(0), try words(2))
    let options = Scan.Options(columns: try words.list(1), where: condition.isEmpty ? nil : condition)
    return {
      let scan = try repository.version(revision).table().scan(options)
      var (batches, count): ([Batch], Int) = ([], 0)
      while let batch = try scan.next() {
        count += batch.rowCount
        if keepsAll { batches.append(batch) }
      }
      return withExtendedLifetime(batches) { count }
    }
  }

  /// REVISION: all rows as JSONL, to nowhere.
  private func export(_ words: Arguments) throws -> Work {
    let (repository, revision) = (try repository(), try words(0))
    return {
      let table = try repository.table(nil, of: try repository.resolve(revision).commit)
      return try RowExport(table, ExportOptions(), reader: repository.reader).run { (_) throws(DSVError) in }
    }
  }

  /// REVISION, ROWS: by their numbers, at once or one by one, from a version that stays open.
  private mutating func take(_ words: Arguments, isOneByOne: Bool) throws -> Work {
    let (revision, rows) = (try words(0), try words.list(1).compactMap(Int.init))
    let table = try tables[revision] ?? repository().version(revision).table()
    tables[revision] = table
    if !isOneByOne { return { try table.take(rows: rows).rowCount } }
    return { try rows.reduce(0) { try $0 + table.take(rows: [$1]).rowCount } }
  }

  /// REVISION, ROW: opens the repository another time, whose memory holds nothing yet, and takes a row.
  private func openAndTake(_ words: Arguments) throws -> Work {
    let (path, revision, rows) = (path, try words(0), try words.list(1).compactMap(Int.init))
    return { try Repository.open(at: path).version(revision).table().take(rows: rows).rowCount }
  }

  // MARK: Versions

  /// NAME, REVISION
  private func name(
    _ words: Arguments, make: @escaping (Repository, String, CommitID) throws -> Void
  ) throws -> Work {
    let (repository, name, revision) = (try repository(), try words(0), try words(1))
    return {
      try make(repository, name, try repository.resolve(revision).commit)
      return 1
    }
  }

  private func checkout(_ words: Arguments) throws -> Work {
    let (repository, revision) = (try repository(), try words(0))
    return {
      try repository.checkout(try repository.resolve(revision))
      return 1
    }
  }

  /// REVISION, REVISION: gives the rows that changed; each is looked at, as a program would.
  private func diff(_ words: Arguments) throws -> Work {
    let (repository, old, new) = (try repository(), try words(0), try words(1))
    return {
      let (old, new) = (try repository.resolve(old).commit, try repository.resolve(new).commit)
      var cellCount = 0
      let result = try repository.diff(old, new) { (row) throws(DSVError) in
        cellCount += try row.cells().count
      }
      return result.total.changed
    }
  }

  /// FOLDER, COUNT: see ``SingleRowBenchmarks/appendDurably(_:in:)``.
  private static func bareLoop(_ words: Arguments) throws -> Work {
    let (folder, count) = (try words(0), Int(try words(1)) ?? 0)
    return {
      try SingleRowBenchmarks.appendDurably(count, in: folder)
      return count
    }
  }
}
