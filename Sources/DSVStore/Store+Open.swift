package import DSVFormat
import DSVSystem

extension Store {
  /// Makes an empty repository in the new folder `root`, durably, and opens it.
  ///
  /// - Parameters:
  ///   - root: the folder to be made; its parent exists.
  ///   - refs: refs that it has from the beginning: where HEAD points.
  /// - Throws: `.conflict` if `root` exists.
  package static func create(
    at root: String, refs: [(String, RefTarget)] = [], format: RepositoryFormat = RepositoryFormat(),
    note: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(DSVError) -> Store {
    guard try !FileSystem.exists(root) else { throw DSVError(.conflict, "\(root): it is there already") }
    let parent = FileSystem.parent(of: root)
    try FileSystem.refuseNetwork(parent)
    let new = RepositoryFolder(root: FileSystem.temporaryName(beside: root))
    do throws(DSVError) {
      try build(new, refs, format)
      try FileSystem.rename(new.root, to: root)
    } catch {
      try FileSystem.removeTree(new.root)
      throw error
    }
    try FileSystem.syncFolder(parent)
    return try open(at: root, note: note)
  }

  /// Fills a new folder, so that only its name is missing.
  private static func build(
    _ new: RepositoryFolder, _ refs: [(String, RefTarget)], _ format: RepositoryFormat
  ) throws(DSVError) {
    for path in [new.root, new.packs, new.locks, new.temporary] { try FileSystem.makeFolder(path) }
    try FileSystem.replace(new.format, with: Array(format.text.utf8))
    let reflog = ReflogFile(path: new.reflog)
    try reflog.create()
    var change = IndexChange()
    change.refs = refs.map { ($0.0, $0.1) }
    if !refs.isEmpty {
      let moves = refs.map { ReflogRecord.Move(name: $0.0, old: nil, new: $0.1, action: "create") }
      let record = ReflogRecord(time: Clock.secondsSince1970(), numbered: [], moves: moves)
      change.state.reflogByteCount = try reflog.append(record)
    }
    try Index.create(new.index, change)
    try FileSystem.syncFolder(new.root)
  }

  /// Opens the repository in the folder `root`.
  ///
  /// If somebody else has changed the index since dsv wrote it (or a crash came at the wrong moment), it is
  /// verified first, and rebuilt from packs and reflog if it is damaged or gone; `note` says so.
  /// - Throws: `.notFound` if there is no repository, `.unsupportedFormat` if it is of a newer dsv.
  package static func open(
    at root: String, note: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(DSVError) -> Store {
    let folder = RepositoryFolder(root: root)
    let format = try readFormat(folder)
    try FileSystem.refuseNetwork(root)
    for path in [folder.packs, folder.locks, folder.temporary] where try !FileSystem.exists(path) {
      if path == folder.packs { note("\(path): it is gone, and all objects with it") }
      try FileSystem.makeFolderIfMissing(path)
    }
    let indexGuard = IndexGuard(folder: folder, note: note)
    try indexGuard.ensureTrusted()
    let index = try indexGuard.retrying { () throws(DSVError) in try Index(folder) }
    let store = Store(folder, index, format, note: note)
    try TemporaryFile.sweep(folder.temporary)
    return store
  }

  private static func readFormat(_ folder: RepositoryFolder) throws(DSVError) -> RepositoryFormat {
    do throws(DSVError) {
      let bytes = try FileSystem.read(folder.format, limit: RepositoryFormat.byteCountMax)
      return try RepositoryFormat(bytes, path: folder.format)
    } catch {
      guard error.code == .notFound else { throw error }
      throw DSVError(.notFound, "\(folder.root): there is no repository", cause: error)
    }
  }
}
