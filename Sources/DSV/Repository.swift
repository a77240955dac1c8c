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
    try initialize(at: path, encryptedWith: key, options: options, refs: [], keyring: nil)
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
      key: key?.value, keyring: keyring, note: options.note)
    return Repository(path: path, store: store, options: options)
  }

  /// Opens the repository of a folder, or of the nearest folder above it that has one.
  ///
  /// - Throws: `notFound` if there is none, `wrongKey` if it is encrypted and there is no key, or not one of its own.
  public static func open(at path: String, options: Options = Options()) throws(DSVError) -> Repository {
    var folder = path.hasPrefix("/") ? path : try Machine.currentFolder() + "/" + path
    while true {
      if try FileSystem.exists(folder + "/" + folderName) { break }
      guard let slash = folder.lastIndex(of: "/"), folder != "/" else {
        throw DSVError(.notFound, "no dsv repository in \(path) or above it; make one with 'dsv init'")
      }
      folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
    }
    let store = try Store.open(
      at: (folder == "/" ? "" : folder) + "/" + folderName, keys: provider(options), note: options.note)
    return Repository(path: folder, store: store, options: options)
  }
}

/// The names that refs are stored under.
enum RefName {
  static func branch(_ name: String) -> String { "heads/" + name }
  static func tag(_ name: String) -> String { "tags/" + name }
  /// What begins the names of the refs that say where a remote was when it was last looked at.
  static func remote(_ remote: String) -> String { "remotes/\(remote)/" }

  /// Checks a branch's or tag's name as a user may give it.
  static func check(_ name: String) throws(DSVError) {
    func refuse(_ why: String) throws(DSVError) {
      throw DSVError(.badInput, "'\(name)' cannot be a name: \(why)")
    }
    if name.isEmpty || name.utf8.count > 200 { try refuse("it has 1 to 200 bytes") }
    if name == Head.refName || name == "@" { try refuse("it means where you are") }
    if Version.number(name) != nil { try refuse("it looks like a version number") }
    let isClean = name.unicodeScalars.allSatisfy { scalar in
      scalar.value > 0x20 && scalar.value != 0x7f && !"~^:?*[\\".unicodeScalars.contains(scalar)
        && !(0x80...0x9f).contains(scalar.value)
    }
    if !isClean { try refuse("spaces, control characters and ~^:?*[\\ are not allowed") }
    if name.hasPrefix("-") || name.hasPrefix("/") || name.hasSuffix("/") || name.contains("//")
      || name.contains("..")
    {
      try refuse("it may not begin with - or /, end with /, or hold // or ..")
    }
  }
}

/// Where the next commit goes.
public struct Head: Hashable, Sendable {
  static let refName = "HEAD"
  /// `nil` where HEAD names a commit and no branch.
  public let branch: String?
  /// `nil` before the first commit.
  public let commit: CommitID?
}
