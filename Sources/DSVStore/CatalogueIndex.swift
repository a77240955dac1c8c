package import DSVFormat
import DSVSystem

/// The database of a catalogue: what an index is for a repository's own packs, for the packs of a remote.
///
/// A folder with an LMDB environment in it, which may be deleted: it can be fetched again. Places name a pack by a number
/// that is given here. Reading takes no lock; one process at a time writes.
package final class CatalogueIndex: Sendable {
  /// Everything that one transaction changes.
  package struct Change {
    package var placed: [(AnyID, Place)] = []
    package var deleted: [AnyID] = []
    /// Further places of objects that have one.
    package var spares: [(AnyID, Place)] = []
    package var deletedSpares: [(AnyID, Place)] = []
    /// Where objects lay that have no place any more; `nil` forgets that.
    package var former: [(AnyID, Place?)] = []
    /// `nil` deletes the ref.
    package var refs: [(String, RefTarget?)] = []
    package var numbered: [(number: Int, commit: CommitID)] = []
    /// What else is kept, by key; `nil` deletes.
    package var values: [(key: [UInt8], value: [UInt8]?)] = []

    package init() {}
  }

  private let folder: RepositoryFolder
  private let index: Index
  private let keys: StoreKeys?
  private let note: @Sendable (String) -> Void

  /// Opens the catalogue in the folder `root`, which is made if it is not there.
  ///
  /// One that somebody else has changed is verified first, and replaced by an empty one if it is damaged.
  package init(
    _ root: String, _ keys: RemoteKeys? = nil, note: @escaping @Sendable (String) -> Void
  ) throws(DSVError) {
    folder = RepositoryFolder(root: root)
    (self.note, self.keys) = (note, keys?.keys)
    let lock = try Self.lock(folder)
    defer { withExtendedLifetime(lock) {} }
    try Self.ensureTrusted(folder, self.keys, note)
    index = try Index(folder, self.keys)
  }

  private static func lock(_ folder: RepositoryFolder) throws(DSVError) -> File {
    try FileSystem.makeFolderIfMissing(folder.root)
    let file = try File("\(folder.root)/lock", .updateOrCreate)
    try file.lock(.exclusive, waitingUpTo: Store.writerWaitSeconds, for: "reading on in this remote's log")
    return file
  }

  private static func ensureTrusted(
    _ folder: RepositoryFolder, _ keys: StoreKeys?, _ note: @Sendable (String) -> Void
  ) throws(DSVError) {
    guard let status = try FileSystem.status(folder.indexData) else { return try make(folder, keys) }
    if try IndexStamp(path: folder.stamp)?.matches(status) ?? false { return }
    do throws(DSVError) {
      _ = try IndexVerifier.verify(folder.indexData)
      let index = try Index(folder, keys)
      try index.settle()
      try stamp(folder, transactionID: try index.transactionID)
    } catch {
      guard error.code == .corrupt else { throw error }
      note("\(folder.indexData): \(error.message); it is fetched again")
      try FileSystem.removeTree(folder.index)
      try make(folder, keys)
    }
  }

  private static func make(_ folder: RepositoryFolder, _ keys: StoreKeys?) throws(DSVError) {
    try FileSystem.removeTree(folder.newIndex)
    try Index.create(folder.newIndex, IndexChange(), keys)
    try FileSystem.removeTree(folder.index)
    try FileSystem.rename(folder.newIndex, to: folder.index)
    try FileSystem.syncFolder(folder.root)
    try stamp(folder, transactionID: 1)
  }

  private static func stamp(_ folder: RepositoryFolder, transactionID: UInt64) throws(DSVError) {
    guard let status = try FileSystem.status(folder.indexData) else { return }
    try IndexStamp(status, transactionID: transactionID).write(to: folder.stamp)
  }

  // MARK: - Writing

  /// The right to write, which ends with its life.
  package struct Writer: ~Copyable {
    private let catalogue: CatalogueIndex
    private let lock: File

    fileprivate init(_ catalogue: CatalogueIndex, _ lock: File) {
      (self.catalogue, self.lock) = (catalogue, lock)
    }

    /// Makes a change whole or not at all, durably.
    package func apply(_ change: Change) throws(DSVError) {
      var all = IndexChange()
      all.state = try catalogue.index.state
      (all.placed, all.deleted, all.refs, all.meta) = (
        change.placed, change.deleted, change.refs, change.values
      )
      for (id, place) in change.spares { all.meta.append((CatalogueIndex.spareKey(id, place), place.bytes)) }
      for (id, place) in change.deletedSpares { all.meta.append((CatalogueIndex.spareKey(id, place), nil)) }
      for (id, place) in change.former { all.meta.append((CatalogueIndex.formerKey(id), place?.bytes)) }
      for one in change.numbered {
        all.numbered.append(ReflogRecord.Numbered(number: one.number, commit: one.commit))
        all.state.lastVersion = max(all.state.lastVersion, one.number)
      }
      let id = try catalogue.index.write(all)
      try CatalogueIndex.stamp(catalogue.folder, transactionID: id)
    }

    /// Takes everything away.
    package func removeAll() throws(DSVError) {
      try CatalogueIndex.make(catalogue.folder, catalogue.keys)
      try catalogue.index.refresh()
    }
  }

  /// Waits up to a minute for others to end writing.
  package func writer() throws(DSVError) -> Writer {
    let lock = try Self.lock(folder)
    try index.refresh()
    try index.settle()
    return Writer(self, lock)
  }

  // MARK: - Reading

  package func place(of id: AnyID) throws(DSVError) -> Place? { try index.place(of: id) }
  package var objectCount: Int { get throws(DSVError) { try index.objectCount } }

  /// The next objects behind `id` in order of their IDs.
  package func objects(after id: AnyID?, limit: Int) throws(DSVError) -> [(AnyID, Place)] {
    try index.objects(after: id, limit: limit)
  }

  // What stands among the values for each further place of an object: its ID, and the pack as a big-endian number.
  private static let sparePrefix = Array("spare".utf8)

  private static func spareKey(_ id: AnyID, _ place: Place) -> [UInt8] {
    sparePrefix + id.key + withUnsafeBytes(of: place.pack.bigEndian) { Array($0) }
  }

  /// The further places of an object, in order of their packs.
  package func spares(of id: AnyID) throws(DSVError) -> [Place] {
    try index.metaEntries(prefix: Self.sparePrefix + id.key).map { (entry) throws(DSVError) in
      try Place(entry.value, of: id)
    }
  }

  /// The next further places behind one, in order of IDs, and of packs.
  package func spares(after last: (AnyID, Place)?, limit: Int) throws(DSVError) -> [(AnyID, Place)] {
    let first = last.map { Self.spareKey($0, $1) + [0] } ?? []
    let entries = try index.metaEntries(prefix: Self.sparePrefix, from: first, limit: limit)
    return try entries.map { (key, value) throws(DSVError) in
      let name = key.dropFirst(Self.sparePrefix.count).dropLast(4)
      guard name.count == AnyID.byteCount else {
        throw DSVError(.corrupt, "\(folder.index): an object's key is no ID")
      }
      let id = Array(name).withBytes { AnyID(key: $0) }
      return (id, try Place(value, of: id))
    }
  }

  private static let formerPrefix = Array("former".utf8)

  private static func formerKey(_ id: AnyID) -> [UInt8] { formerPrefix + id.key }

  /// Where an object lay that has no place any more.
  package func formerPlace(of id: AnyID) throws(DSVError) -> Place? {
    try index.meta(Self.formerKey(id)).map { (bytes) throws(DSVError) in try Place(bytes, of: id) }
  }

  /// The next former places behind that of an object, in order of IDs.
  package func formerPlaces(after last: AnyID?, limit: Int) throws(DSVError) -> [(AnyID, Place)] {
    let first = last.map { Self.formerKey($0) + [0] } ?? []
    let entries = try index.metaEntries(prefix: Self.formerPrefix, from: first, limit: limit)
    return try entries.map { (key, value) throws(DSVError) in
      guard key.count == Self.formerPrefix.count + AnyID.byteCount else {
        throw DSVError(.corrupt, "\(folder.index): an object's key is no ID")
      }
      let id = Array(key.dropFirst(Self.formerPrefix.count)).withBytes { AnyID(key: $0) }
      return (id, try Place(value, of: id))
    }
  }

  package func ref(_ name: String) throws(DSVError) -> RefTarget? { try index.ref(name) }
  package func refs(prefix: String = "") throws(DSVError) -> [(String, RefTarget)] {
    try index.refs(prefix: prefix)
  }
  package func commit(number: Int) throws(DSVError) -> CommitID? { try index.commit(number: number) }
  package func number(of commit: CommitID) throws(DSVError) -> Int? { try index.number(of: commit) }
  package var lastVersion: Int { get throws(DSVError) { try index.state.lastVersion } }

  package func value(_ key: [UInt8]) throws(DSVError) -> [UInt8]? { try index.meta(key) }
  /// What is kept under the keys that begin with `prefix`, in order.
  package func values(prefix: [UInt8]) throws(DSVError) -> [(key: [UInt8], value: [UInt8])] {
    try index.metaEntries(prefix: prefix)
  }

  /// Changes with every change.
  package var changeNumber: UInt64 { get throws(DSVError) { try index.transactionID } }
}

/// Where what is known of remotes is kept.
package enum RemoteFolders {
  /// The folder of each remote of the repository whose folder is `root`.
  package static func all(in root: String) throws(DSVError) -> [String] {
    let folder = "\(root)/remotes"
    guard try FileSystem.exists(folder) else { return [] }
    return try FileSystem.list(folder).map { "\(folder)/\($0)" }
  }
}
