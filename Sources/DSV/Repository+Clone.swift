public import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem

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
  /// - Throws: `conflict` if there is another repository, `notFound` if nothing was ever pushed to the remote.
  public static func clone(
    _ url: String, to path: String, _ clone: CloneOptions = CloneOptions(), options: Options = Options(),
    progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> (repository: Repository, result: CloneResult) {
    var config = RemoteConfig(
      RemoteAddress(url, endpoint: clone.endpoint, region: clone.region, isPathStyle: clone.isPathStyle))
    config.scope = try clone.scope()
    try config.address.check()
    let mark = "\(path)/\(folderName).cloning"
    let isBegun = try FileSystem.exists(mark)
    let repository: Repository
    if try FileSystem.exists("\(path)/\(folderName)") {
      guard isBegun else {
        throw DSVError(
          .conflict, "\(path): there is a repository already; 'dsv remote add' and 'dsv pull' go there")
      }
      repository = try open(at: path, options: options)
    } else {
      // Before anything is made: an address without a repository leaves nothing.
      let bucket = try options.open(config.address, makes: false)
      guard let features = try RemoteLog(bucket).format() else {
        throw DSVError(.notFound, "\(url): there is no dsv repository")
      }
      if !features.contains("encryption"), try Self.provider(options)() != nil {
        throw DSVError(
          .badInput,
          "\(url) is not encrypted, and a key was given: what is committed in a clone would not be encrypted either. Clone it without a key"
        )
      }
      let opened = features.contains("encryption") ? try Self.keyring(of: bucket, options) : nil
      if try !FileSystem.exists(path) { try FileSystem.makeFolder(path) }
      if !isBegun { try FileSystem.replace(mark, with: Array(config.text.utf8)) }
      repository = try initialize(
        at: path, encryptedWith: opened?.key, options: options, keyring: opened?.keyring)
    }
    let begun = try RemoteConfig(
      String(decoding: try FileSystem.read(mark, limit: 65_536), as: UTF8.self), of: mark)
    guard begun == config else {
      throw DSVError(
        .conflict, "\(path): a clone of \(begun.address.url) was begun there; delete it to begin another")
    }
    if try !repository.hasRemote(defaultRemote) { _ = try repository.addRemote(defaultRemote, config) }
    let fetched = try repository.fetch(try repository.openRemote(defaultRemote), progress: progress)
    let branch = try repository.checkOutFirst(clone.branch)
    try FileSystem.remove(mark)
    guard let commit = try repository.head().commit else {
      throw DSVError(.corrupt, "\(url): its branch '\(branch)' names no version")
    }
    return (repository, CloneResult(path: path, branch: branch, commit: commit, fetch: fetched))
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
