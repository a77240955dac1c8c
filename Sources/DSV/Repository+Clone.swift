public import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTables

/// What a clone takes over, and from where.
public struct CloneOptions: Sendable {
  public var endpoint: String?
  public var region: String?
  public var isPathStyle = false
  /// Only commits and schemas; rows are fetched as they are read.
  public var isLazy = false
  /// Dotted names of the columns whose values are taken over at once; empty for all.
  public var columns: [String] = []
  /// The one table whose rows are taken over at once.
  public var table: String?
  /// The branch to begin on; `nil` for `main`, or the first there is.
  public var branch: String?

  public init() {}

  func scope() throws(DSVError) -> FetchScope {
    guard [isLazy, !columns.isEmpty, table != nil].count(where: { $0 }) <= 1 else {
      throw DSVError(.badInput, "a clone is lazy, or of some columns, or of a table: name one of them")
    }
    if isLazy { return .metadata }
    if let table { return .table(table) }
    return columns.isEmpty ? .all : .columns(columns)
  }
}

/// What a clone came to.
public struct CloneResult: Sendable {
  public let path: String
  /// Where HEAD is.
  public let branch: String
  public let commit: CommitID
  public let fetch: FetchResult
}

extension Repository {
  /// Makes a repository of what a remote holds, and adds the remote as `origin`.
  ///
  /// One that was broken off goes on where it was when it is asked for again.
  /// - Parameter path: the folder, which is made if it is not there.
  /// - Throws: `conflict` if there is another repository, or another clone was begun there; `notFound` if nothing was ever pushed to the
  ///   remote, it has no such branch, or no branch or tag of it has such a column or table. Nothing is left at `path` then.
  public static func clone(
    _ url: String, to path: String, _ clone: CloneOptions = CloneOptions(), options: Options = Options(),
    progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> (repository: Repository, result: CloneResult) {
    var config = RemoteConfig(
      RemoteAddress(url, endpoint: clone.endpoint, region: clone.region, isPathStyle: clone.isPathStyle))
    config.scope = try clone.scope()
    try config.address.check()
    let (isThere, hasFolder) = (
      try FileSystem.exists("\(path)/\(folderName)"), try FileSystem.exists(path)
    )
    let mark = CloneMark(path)
    if isThere, try mark.url() == nil {
      throw DSVError(
        .conflict, "\(path): there is a repository already; 'dsv remote add' and 'dsv pull' go there")
    }
    let repository =
      isThere
      ? try open(at: path, options: options, for: .cloning) : try begin(config, at: path, mark, options)
    try mark.check(config, repository.store.sealedName)
    if try !repository.hasRemote(defaultRemote) { _ = try repository.addRemote(defaultRemote, config) }
    let remote = try repository.openRemote(defaultRemote)
    if let problem = try repository.problem(clone, config.scope, remote, progress) {
      // What was fetched before, or is by another process now, and what somebody has committed here, is not ours to take away.
      guard !isThere, try repository.store.versionCount == 0 else { throw problem }
      // What was asked for is not there: nothing of it is left, so that something else can be asked for.
      repository.close()
      try FileSystem.removeTree("\(path)/\(folderName)")
      try mark.remove()
      if !hasFolder, try FileSystem.list(path).isEmpty { try FileSystem.removeTree(path) }
      throw problem
    }
    let fetched = try repository.fetch(remote, progress: progress)
    let branch = try repository.checkOutFirst(clone.branch)
    try mark.remove()
    guard let commit = try repository.head().commit else {
      throw DSVError(.corrupt, "\(url): its branch '\(branch)' names no version")
    }
    return (repository, CloneResult(path: path, branch: branch, commit: commit, fetch: fetched))
  }

  /// Makes the empty repository that becomes a clone.
  private static func begin(
    _ config: RemoteConfig, at path: String, _ mark: CloneMark, _ options: Options
  ) throws(DSVError) -> Repository {
    // Before anything is made: an address without a repository leaves nothing.
    let bucket = try options.open(config.address, makes: false)
    guard let features = try RemoteLog(bucket).format() else {
      throw DSVError(.notFound, "\(config.address.url): there is no dsv repository")
    }
    if !features.contains("encryption"), try Self.provider(options)() != nil {
      throw DSVError(
        .badInput,
        "\(config.address.url) is not encrypted, and a key was given: what is committed in a clone would not be encrypted either. "
          + "Clone it without a key")
    }
    let opened = features.contains("encryption") ? try Self.keyring(of: bucket, options) : nil
    if try !FileSystem.exists(path) { try FileSystem.makeFolder(path) }
    if try mark.url() == nil {
      try mark.write(config) { opened?.keyring.refKey($0) }
    } else {
      try mark.check(config) { opened?.keyring.refKey($0) }
    }
    return try initialize(at: path, encryptedWith: opened?.key, options: options, keyring: opened?.keyring)
  }

  /// The newest keyring of an encrypted remote, and the key that opens it.
  private static func keyring(
    of bucket: any Bucket, _ options: Options
  ) throws(DSVError) -> (key: RepositoryKey, keyring: Keyring) {
    guard let key = try provider(options)() else {
      throw DSVError(
        .wrongKey,
        "\(bucket.name): this repository is encrypted: give its key by DSV_KEY_FILE, DSV_KEY, --key-file, --key-command "
          + "or --passphrase")
    }
    guard let number = try OpenRemote.keyrings(bucket).last else {
      throw DSVError(.corrupt, "\(bucket.name): its keyring is gone, and with it the keys of all there is")
    }
    let subject = "\(bucket.name)/\(RemoteLayout.keyring(number))"
    let sealed = try SealedKeyring(try OpenRemote.keyring(number, bucket), of: subject)
    return (RepositoryKey(key), try Keyring(sealed, key, of: subject))
  }

  /// What keeps a clone from being what was asked for: a branch, a table or a column that the remote does not have.
  private func problem(
    _ clone: CloneOptions, _ scope: FetchScope, _ remote: OpenRemote, _ progress: @escaping ProgressHandler
  ) throws(DSVError) -> DSVError? {
    guard try remote.readOn() else { return nil }
    let refs = try remote.catalogue.refs()
    if let branch = clone.branch, !refs.contains(where: { $0.name == RefName.branch(branch) }) {
      let names = refs.compactMap { $0.name.hasPrefix("heads/") ? String($0.name.dropFirst(6)) : nil }
      return DSVError(.notFound, "the remote has no branch '\(branch)'; \(Self.list(names))")
    }
    guard refs.contains(where: { $0.name.hasPrefix("heads/") }) else {
      return DSVError(.notFound, "the remote has no branch to begin on; 'dsv push' to it makes one")
    }
    guard scope.hasNames else { return nil }
    let tables = try FetchJob(self, remote, scope: .metadata, progress).tables(at: refs.map(\.commit))
    switch scope {
    case .table(let name):
      guard !tables.contains(where: { $0.name.hasSameBytes(as: name) }) else { return nil }
      return DSVError(.notFound, "the remote has no table '\(name)'; \(Self.list(tables.map(\.name)))")
    case .columns(let names):
      let paths = tables.flatMap(\.columnPaths)
      let missing = names.filter { name in !paths.contains { $0.hasSameBytes(as: name) } }
      guard !missing.isEmpty else { return nil }
      let what = "column\(missing.count == 1 ? "" : "s") \(missing.map { "'\($0)'" }.joined(separator: ", "))"
      return DSVError(.notFound, "the remote has no \(what); \(Self.list(paths))")
    case .all, .metadata: return nil
    }
  }

  /// What there is instead, in words.
  static func list(_ names: [String]) -> String {
    var seen = Set<FieldName>()
    let all = names.filter { seen.insert(FieldName($0)).inserted }
    if all.isEmpty { return "there is none" }
    let more = all.count > 50 ? " and \(all.count - 50) more" : ""
    return "there are: \(all.prefix(50).joined(separator: ", "))\(more)"
  }

  /// Begins a branch where the remote's is, and takes over its tags. What somebody made in a clone that was not finished stays.
  private func checkOutFirst(_ wanted: String?) throws(DSVError) -> String {
    let prefix = RefName.remote(Self.defaultRemote)
    return try store.session().publish { (publication) throws(DSVError) in
      var branches: [String: RefTarget] = [:]
      for (ref, target) in try publication.refs(prefix: prefix) {
        let name = String(ref.dropFirst(prefix.count))
        if name.hasPrefix("heads/") { branches[String(name.dropFirst(6))] = target }
        if name.hasPrefix("tags/"), try publication.ref(name) == nil {
          try publication.move(RefMove(name, expected: .nothing, new: target, action: "clone"))
        }
      }
      let name = wanted ?? (branches[Self.defaultBranch] != nil ? Self.defaultBranch : branches.keys.min())
      guard let name, let target = branches[name] else {
        throw DSVError(
          .notFound,
          wanted.map { "the remote has no branch '\($0)'" } ?? "the remote has no branch to begin on")
      }
      guard try publication.ref(RefName.branch(name)) == nil else { return name }
      try publication.move(RefMove(RefName.branch(name), expected: .nothing, new: target, action: "clone"))
      try publication.move(
        RefMove(Head.refName, expected: .anything, new: .symbolic(RefName.branch(name)), action: "clone"))
      return name
    }
  }
}

/// The file `.dsv.cloning` beside a repository that is not a whole clone yet: what was asked for.
struct CloneMark {
  private static let name = ".dsv.cloning"
  private static let byteCountMax = 65_536
  private let path: String
  private let folder: String

  /// - Parameter folder: that which holds `.dsv`.
  init(_ folder: String) { (self.folder, path) = (folder, "\(folder)/\(Self.name)") }

  private func text() throws(DSVError) -> String? {
    guard try FileSystem.exists(path) else { return nil }
    return String(decoding: try FileSystem.read(path, limit: Self.byteCountMax), as: UTF8.self)
  }

  /// Where the clone comes from that was begun; `nil` if none was.
  func url() throws(DSVError) -> String? {
    guard let line = try text()?.split(separator: "\n").first else { return nil }
    return line.hasPrefix("url ") ? String(line.dropFirst(4)) : ""
  }

  /// - Parameter sealedName: a name for a text that only who has the keyring can tell; `nil` in a plain repository.
  func write(_ config: RemoteConfig, _ sealedName: (String) -> [UInt8]?) throws(DSVError) {
    try FileSystem.replace(path, with: Array(Self.text(config, sealedName).utf8))
  }

  /// - Throws: `conflict` if something else was asked for when it was begun.
  func check(_ config: RemoteConfig, _ sealedName: (String) -> [UInt8]?) throws(DSVError) {
    guard try text() == Self.text(config, sealedName) else {
      let begun = try url() ?? ""
      let what =
        begun == config.address.url
        ? "this clone was begun there with other options: with the same it goes on"
        : "another clone, of \(begun), was begun there"
      throw DSVError(.conflict, "\(folder): \(what); delete \(try remains()) to begin this one")
    }
  }

  /// Columns and tables of an encrypted repository are not named in clear.
  private static func text(_ config: RemoteConfig, _ sealedName: (String) -> [UInt8]?) -> String {
    guard config.scope.hasNames, let name = sealedName("clone\n" + config.scope.text) else {
      return config.text
    }
    return config.text(
      scope: "fetch sealed \(name.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined())\n"
    )
  }

  func remove() throws(DSVError) { try FileSystem.remove(path) }

  /// What there is of a clone that was begun.
  private func remains() throws(DSVError) -> String {
    try FileSystem.exists("\(folder)/.dsv") ? "\(folder)/.dsv and \(path)" : path
  }

  /// What to do about a clone that was begun and not finished, in words; `nil` if none was.
  func advice() throws(DSVError) -> String? {
    guard let url = try url() else { return nil }
    return
      "\(folder): a clone of \(url) was begun here and is not whole: the same 'dsv clone' goes on with it; to give it up, delete "
      + (try remains())
  }
}

extension Table {
  /// The dotted names of all columns, at every depth.
  var columnPaths: [String] {
    func paths(_ field: TableField, _ prefix: String) -> [String] {
      [prefix + field.name] + field.children.flatMap { paths($0, prefix + field.name + ".") }
    }
    return fields.flatMap { paths($0, "") }
  }
}
