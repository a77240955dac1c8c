package import DSVColumns
public import DSVFormat
package import DSVRemote
package import DSVStore
import DSVSystem
package import DSVVersions
import Synchronization

/// A dataset with all its versions: everything under one folder `.dsv`.
///
/// Threads may share one. Any number of processes may have the same repository open; writers take turns only for the
/// last moment of each commit.
public final class Repository: Sendable {
  /// The folder that holds `.dsv`.
  public let path: String
  package let store: Store
  package let reader: ObjectReader
  package let versions: VersionReader
  package let pool: WorkerPool
  let keyLimits: KeyIndex.Limits
  let options: Options
  /// What the memory tier may take.
  let memoryByteCount: Int
  /// Whether that was set for the repository, and so is for all that is kept in memory.
  let hasMemoryBudget: Bool
  /// Whether what was counted is written.
  let isClosed = Atomic<Bool>(false)

  /// What a repository may use.
  public struct Options: Sendable {
    /// Threads beside the caller's; 0 does everything on the caller's.
    public var threadCount: Int
    /// The memory tier: bytes of decoded chunks that are kept; `nil` for what `dsv tier budget` says, or 64 MiB.
    public var cacheByteCount: Int?
    /// Takes what was found and mended, in words for people.
    public var note: @Sendable (String) -> Void
    /// What opens it if it is encrypted; a plain repository takes none.
    public var key: RepositoryKey?
    /// Asked for a key where one is needed and `key` is `nil`, and again where the key was exchanged meanwhile.
    package var keyProvider: KeyProvider?
    /// Whether the index is verified whatever is known of it: for who repairs it.
    package var verifiesIndex = false
    /// Key columns of at most so many bytes are read whole where rows are looked for; for larger ones an index is kept.
    package var scannedKeyByteCountMax = KeyIndex.Limits().scannedByteCountMax
    /// A remote's pack that has reached this length takes no more records.
    package var remotePackByteCount = RemoteLayout.packByteCount
    /// Asked while a remote is waited for; `true` ends that with `interrupted`.
    public var isInterrupted: @Sendable () -> Bool = { false }
    /// Opens the place of a remote, where tests want another than its address says.
    package var openBucket: (@Sendable (RemoteAddress, _ makes: Bool) throws(DSVError) -> any Bucket)?

    func open(_ address: RemoteAddress, makes: Bool) throws(DSVError) -> any Bucket {
      if let openBucket { return try openBucket(address, makes) }
      return try address.open(makes: makes, isInterrupted: isInterrupted)
    }

    public init(
      threadCount: Int? = nil, cacheByteCount: Int? = nil,
      note: @escaping @Sendable (String) -> Void = { _ in }
    ) {
      self.threadCount = threadCount ?? Machine.coreCount
      self.cacheByteCount = cacheByteCount
      self.note = note
    }
  }

  /// What the store asks for a key.
  static func provider(_ options: Options) -> KeyProvider {
    { () throws(DSVError) in
      if let key = options.key { return key.value }
      return try options.keyProvider?()
    }
  }

  static let folderName = ".dsv"
  static let defaultBranch = "main"

  private init(path: String, store: Store, options: Options) {
    self.path = path
    self.store = store
    pool = WorkerPool(threadCount: options.threadCount)
    let budget = options.cacheByteCount == nil ? Self.memoryBudget(store, options.note) : nil
    hasMemoryBudget = budget != nil
    memoryByteCount = options.cacheByteCount ?? budget ?? 64 << 20
    reader = ObjectReader(store, cache: ObjectCache(byteCountMax: memoryByteCount), pool: pool)
    versions = VersionReader(reader)
    keyLimits = KeyIndex.Limits(scannedByteCountMax: options.scannedKeyByteCountMax)
    self.options = options
    attachRemotes()
  }

  deinit { close() }

  /// What is set for the memory tier. What cannot be read must not keep a repository from being opened.
  private static func memoryBudget(_ store: Store, _ note: (String) -> Void) -> Int? {
    do throws(DSVError) { return try TierFolder(store).settings().memoryByteCount } catch {
      note("\(error)")
      return nil
    }
  }

  /// Makes an empty repository in a folder, which is made too if it is not there.
  ///
  /// - Parameter key: what is to open it: it is then encrypted. `nil` makes a plain one.
  /// - Throws: `conflict` if the folder holds one already.
  public static func initialize(
    at path: String, encryptedWith key: RepositoryKey? = nil, options: Options = Options()
  ) throws(DSVError) -> Repository {
    if let advice = try CloneMark(path).advice() { throw DSVError(.conflict, advice) }
    return try initialize(at: path, encryptedWith: key, options: options, refs: [], keyring: nil)
  }

  /// - Parameters:
  ///   - refs: beside HEAD.
  ///   - keyring: see ``Store/create(at:refs:format:key:keyring:cost:note:)``.
  package static func initialize(
    at path: String, encryptedWith key: RepositoryKey?, options: Options, refs: [(String, RefTarget)] = [],
    keyring: Keyring?
  ) throws(DSVError) -> Repository {
    if try !FileSystem.exists(path) {
      try FileSystem.makeFolder(path)
      try FileSystem.syncFolder("\(path)/..")
    }
    let store = try Store.create(
      at: path + "/" + folderName, refs: [(Head.refName, .symbolic(RefName.branch(defaultBranch)))] + refs,
      key: key?.value, keyring: keyring, keep: { () throws(DSVError) in try key?.keep() }, note: options.note)
    return Repository(path: path, store: store, options: options)
  }

  /// Opens the repository of a folder, or of the nearest folder above it that has one.
  ///
  /// - Throws: `notFound` if there is none, `wrongKey` if it is encrypted and there is no key, or not one of its own; `conflict` for a
  ///   clone or an encrypted copy that was begun and is not whole.
  public static func open(at path: String, options: Options = Options()) throws(DSVError) -> Repository {
    try open(at: path, options: options, for: .use)
  }

  /// What a repository is opened for. What is not whole yet is open to who goes on with it.
  enum Purpose {
    case use, cloning, encrypting
  }

  static func open(at path: String, options: Options, for purpose: Purpose) throws(DSVError) -> Repository {
    var folder = path
    if !path.hasPrefix("/") {
      let current = try Machine.currentFolder()
      folder = path == "." ? current : "\(current == "/" ? "" : current)/\(path)"
    }
    while true {
      if try FileSystem.exists(folder + "/" + folderName) { break }
      if let advice = try CloneMark(folder).advice() { throw DSVError(.notFound, advice) }
      guard let slash = folder.lastIndex(of: "/"), folder != "/" else {
        throw DSVError(.notFound, "no dsv repository in \(path) or above it; make one with 'dsv init'")
      }
      folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
    }
    let store = try Store.open(
      at: (folder == "/" ? "" : folder) + "/" + folderName, keys: provider(options),
      verifiesIndex: options.verifiesIndex, note: options.note)
    let repository = Repository(path: folder, store: store, options: options)
    try repository.checkWhole(for: purpose)
    return repository
  }

  /// Nobody is to take half a clone or copy for an empty repository, and commit to it.
  private func checkWhole(for purpose: Purpose) throws(DSVError) {
    // What is damaged is not told here: who mends it has to open it.
    func unlessDamaged(_ body: () throws(DSVError) -> Bool) throws(DSVError) -> Bool? {
      do throws(DSVError) { return try body() } catch {
        guard error.code == .corrupt else { throw error }
        return nil
      }
    }
    if purpose != .encrypting, isEncrypted,
      try unlessDamaged({ () throws(DSVError) in try store.ref(Self.encryptingRef) != nil }) == true
    {
      throw DSVError(
        .conflict,
        "\(path): an encrypted copy was begun here and is not whole yet: if nobody is at it, the same 'dsv encrypt' goes on with it; "
          + "to give it up, delete \(store.root)")
    }
    guard purpose != .cloning, let advice = try CloneMark(path == "/" ? "" : path).advice() else { return }
    // One that is at a version has all that was asked for, and lacks its last step only.
    let isAtVersion = try unlessDamaged { () throws(DSVError) in try head().commit != nil }
    guard isAtVersion != false else { throw DSVError(.conflict, advice) }
    options.note(advice)
  }
}

/// Where the next commit goes.
public struct Head: Hashable, Sendable {
  static let refName = RefName.head
  /// `nil` where HEAD names a commit and no branch.
  public let branch: String?
  /// `nil` before the first commit.
  public let commit: CommitID?
}
