package import DSVFormat
import DSVSystem

extension Store {
  /// Makes an empty repository in the new folder `root`, durably, and opens it.
  ///
  /// - Parameters:
  ///   - root: the folder to be made; its parent exists.
  ///   - refs: refs that it has from the beginning: where HEAD points.
  ///   - key: what opens it; `nil` makes a plain repository.
  ///   - keyring: that of another repository, whose names this one is to share, or of a remote; `key` opens it. `nil` for one of its own.
  ///   - keep: puts `key` where its user finds it again. Called when nothing else is left to fail but the folder's last name.
  /// - Throws: `.conflict` if `root` exists.
  package static func create(
    at root: String, refs: [(String, RefTarget)] = [], format: RepositoryFormat = RepositoryFormat(),
    key: UserKey? = nil, keyring: Keyring? = nil, cost: Scrypt.Cost = .standard,
    keep: () throws(DSVError) -> Void = {}, note: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(DSVError) -> Store {
    guard try !FileSystem.exists(root) else { throw DSVError(.conflict, "\(root): it is there already") }
    let parent = FileSystem.parent(of: root)
    try FileSystem.refuseNetwork(parent)
    let new = RepositoryFolder(root: FileSystem.temporaryName(beside: root))
    var format = format
    if key != nil { format.readerRequired.insert(RepositoryFormat.encryption) }
    do throws(DSVError) {
      var keyring = keyring?.withoutPacks()
      if keyring == nil, let key { keyring = try Keyring(new: key, cost: cost) }
      try build(new, refs, format, keyring)
      try keep()
      try FileSystem.rename(new.root, to: root)
    } catch {
      try FileSystem.removeTree(new.root)
      throw error
    }
    try FileSystem.syncFolder(parent)
    return try open(at: root, keys: { () throws(DSVError) in key }, note: note)
  }

  /// Fills a new folder, so that only its name is missing.
  private static func build(
    _ new: RepositoryFolder, _ refs: [(String, RefTarget)], _ format: RepositoryFormat, _ keyring: Keyring?
  ) throws(DSVError) {
    for path in [new.root, new.packs, new.locks, new.temporary] { try FileSystem.makeFolder(path) }
    try FileSystem.replace(new.format, with: Array(format.text.utf8))
    let keys = try keyring.map { (keyring) throws(DSVError) in try StoreKeys(new.keyring, making: keyring) }
    let reflog = ReflogFile(path: new.reflog, keys: keys)
    try reflog.create()
    var change = IndexChange()
    change.refs = refs.map { ($0.0, $0.1) }
    if !refs.isEmpty {
      let moves = refs.map { ReflogRecord.Move(name: $0.0, old: nil, new: $0.1, action: "create") }
      let record = ReflogRecord(time: Clock.secondsSince1970(), numbered: [], moves: moves)
      change.state.reflogByteCount = try reflog.append(record)
    }
    try Index.create(new.index, change, keys)
    try FileSystem.syncFolder(new.root)
  }

  /// Opens the repository in the folder `root`.
  ///
  /// If somebody else has changed the index since dsv wrote it (or a crash came at the wrong moment), it is
  /// verified first, and rebuilt from packs and reflog if it is damaged or gone; `note` says so.
  /// - Parameters:
  ///   - keys: asked for a key if the repository is encrypted; a plain one takes none.
  ///   - verifiesIndex: whether the index is verified in any case: LMDB may not survive one that a disk has damaged unseen.
  /// - Throws: `.notFound` if there is no repository, `.unsupportedFormat` if it is of a newer dsv, `.wrongKey` if it is
  ///   encrypted and there is no key, or not one of its own; `.io` where this user may not write.
  package static func open(
    at root: String, keys provider: KeyProvider? = nil, verifiesIndex: Bool = false,
    note: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(DSVError) -> Store {
    let folder = RepositoryFolder(root: root)
    let format = try readFormat(folder)
    do throws(DSVError) { return try open(folder, format, provider, verifiesIndex, note) } catch {
      guard let failure = error.cause as? SystemFailure, failure.isRefusal else { throw error }
      // That nobody can write here does not say that nobody writes: it may be mounted for writing elsewhere. So readers take locks too.
      throw DSVError(
        error.code,
        "\(root): it cannot be opened for writing, which reading needs too, for its locks: \(failure.reason). Let this user write there, "
          + "or copy the folder to where they may, and read it there", cause: error)
    }
  }

  private static func open(
    _ folder: RepositoryFolder, _ format: RepositoryFormat, _ provider: KeyProvider?, _ verifiesIndex: Bool,
    _ note: @escaping @Sendable (String) -> Void
  ) throws(DSVError) -> Store {
    let root = folder.root
    try FileSystem.refuseNetwork(root)
    let isEncrypted = format.readerRequired.contains(RepositoryFormat.encryption)
    if !isEncrypted, try FileSystem.exists(folder.keyring) {
      // Nothing is to be written in clear because somebody has changed a line.
      throw DSVError(
        .corrupt,
        "\(folder.format): it does not say that the repository is encrypted, and \(folder.keyring) is there")
    }
    let keys = isEncrypted ? try StoreKeys(folder.keyring, of: root, provider) : nil
    for path in [folder.packs, folder.locks, folder.temporary] where try !FileSystem.exists(path) {
      if path == folder.packs { note("\(path): it is gone, and all objects with it") }
      try FileSystem.makeFolderIfMissing(path)
    }
    let indexGuard = IndexGuard(folder: folder, keys: keys, note: note)
    try indexGuard.ensureTrusted(isStampEnough: !verifiesIndex)
    let index = try indexGuard.retrying { () throws(DSVError) in try Index(folder, keys) }
    let store = Store(folder, index, format, keys, note: note)
    try TemporaryFile.sweep(folder.temporary)
    return store
  }

  private static func readFormat(_ folder: RepositoryFolder) throws(DSVError) -> RepositoryFormat {
    do throws(DSVError) {
      let bytes = try FileSystem.read(folder.format, limit: RepositoryFormat.byteCountMax)
      return try RepositoryFormat(bytes, path: folder.format)
    } catch {
      guard error.code == .notFound else { throw error }
      throw DSVError(
        .notFound, "\(folder.root): there is no repository, for \(folder.format) is not there", cause: error)
    }
  }
}
