package import DSVFormat
import DSVSystem
import Synchronization

/// An open repository folder: objects in packs, refs and version numbers, and the index that finds them.
///
/// Any number of processes and threads may use one repository. Reading takes no lock. `format-spec/store.md` says
/// what lies where, and in which order it is written.
package final class Store: ObjectStore {
  let folder: RepositoryFolder
  let index: Index
  let packs: PackFiles
  let format: RepositoryFormat
  /// `nil` for a plain repository.
  let keys: StoreKeys?
  private let leaseCount = Lease.Count()
  /// Says what was found and mended, in words for people.
  let note: @Sendable (String) -> Void

  private let attached = Mutex<(any ObjectSource)?>(nil)
  private let isAttached = Atomic<Bool>(false)
  /// What was read here since the store was opened.
  package let counts = ReadCounts()

  /// Longest wait for the lock of who publishes.
  static let writerWaitSeconds = 60.0

  init(
    _ folder: RepositoryFolder, _ index: Index, _ format: RepositoryFormat, _ keys: StoreKeys?,
    note: @escaping @Sendable (String) -> Void
  ) {
    self.folder = folder
    self.index = index
    self.format = format
    self.keys = keys
    self.note = note
    packs = PackFiles(folder, keys)
  }

  package var naming: ObjectNaming { keys?.naming ?? .plain }

  package var isEncrypted: Bool { keys != nil }

  /// The repository's folder.
  package var root: String { folder.root }

  // MARK: - Objects

  /// Whether the object is on this disk, whatever a source may have.
  package func contains(_ id: AnyID) throws(DSVError) -> Bool { try index.place(of: id) != nil }

  package func read(_ id: AnyID) throws(DSVError) -> StoredObject {
    if let object = try readHere(id) { return object }
    counts.miss()
    if let source, let object = try source.fetch(id) { return object }
    throw DSVError(.notFound, "object \(id): it is not in this repository")
  }

  /// The object from this disk; `nil` if it is not there.
  private func readHere(_ id: AnyID) throws(DSVError) -> StoredObject? {
    do throws(DSVError) {
      if let place = try index.place(of: id) { return try read(id, at: place) }
      try refreshIndex()
    } catch {
      // gc may have moved the object to another pack, or another process may have rebuilt the index.
      guard error.code == .notFound else { throw error }
      try refreshIndex()
    }
    guard let place = try index.place(of: id) else { return nil }
    do throws(DSVError) {
      return try read(id, at: place)
    } catch {
      guard error.code == .notFound else { throw error }
      throw DSVError(.corrupt, "object \(id): its pack \(folder.pack(place.pack)) is gone", cause: error)
    }
  }

  private func read(_ id: AnyID, at place: Place) throws(DSVError) -> StoredObject {
    let object = try packs.read(id, at: place)
    counts.hit(place.byteCount)
    return object
  }

  // MARK: - Objects that are elsewhere

  /// Where objects are asked for that are not on this disk.
  package var source: (any ObjectSource)? {
    isAttached.load(ordering: .acquiring) ? attached.withLock { $0 } : nil
  }

  /// Makes `source` the one that is asked; `nil` for none.
  package func attach(_ source: (any ObjectSource)?) {
    attached.withLock { $0 = source }
    isAttached.store(source != nil, ordering: .releasing)
  }

  package var prefetches: Bool { source?.prefetches ?? false }

  package func prefetch(_ ids: [AnyID], first: Bool) { source?.prefetch(ids, first: first) }

  /// What is on this disk, and nothing else: for who must not make a source give what it has.
  package var here: any ObjectStore { LocalObjects(store: self) }

  private struct LocalObjects: ObjectStore {
    let store: Store

    var naming: ObjectNaming { store.naming }

    func contains(_ id: AnyID) throws(DSVError) -> Bool { try store.contains(id) }
    func baseDepth(of id: AnyID) throws(DSVError) -> Int? { try store.baseDepth(of: id) }
    func baseID(of id: AnyID) throws(DSVError) -> AnyID? { try store.baseID(of: id) }

    func read(_ id: AnyID) throws(DSVError) -> StoredObject {
      if let object = try store.readHere(id) { return object }
      throw DSVError(.notFound, "object \(id): it is not on this disk")
    }
  }

  // MARK: - What is known of objects

  package func baseDepth(of id: AnyID) throws(DSVError) -> Int? { try index.place(of: id)?.baseDepth }

  /// Reads the beginning of the object's record, and not what it holds.
  package func baseID(of id: AnyID) throws(DSVError) -> AnyID? {
    guard let place = try index.place(of: id), place.baseDepth > 0 else { return nil }
    do throws(DSVError) { return try packs.baseID(of: id, at: place) } catch {
      guard error.code == .notFound || error.code == .corrupt else { throw error }
      // gc may have moved it; or else this says what is damaged.
      return try read(id).base?.id
    }
  }

  /// Where an object lies, and how large it is.
  package func place(of id: AnyID) throws(DSVError) -> Place? { try index.place(of: id) }

  package var objectCount: Int { get throws(DSVError) { try index.objectCount } }

  /// What the records of all objects take.
  package var recordByteCount: Int {
    get throws(DSVError) {
      var sum = 0
      try forEachObject { (_, place) throws(DSVError) in sum += place.byteCount }
      return sum
    }
  }

  /// The lengths of all files of the repository, added up.
  package var byteCount: Int { get throws(DSVError) { try FileSystem.byteCount(under: folder.root) } }

  /// Runs `body` for each object, in order of IDs. Objects that come or go meanwhile may be met or not.
  ///
  /// No transaction is open while `body` runs.
  package func forEachObject(_ body: (AnyID, Place) throws(DSVError) -> Void) throws(DSVError) {
    var last: AnyID?
    while true {
      let objects = try index.objects(after: last, limit: 1024)
      for (id, place) in objects { try body(id, place) }
      guard let next = objects.last?.0 else { return }
      last = next
    }
  }

  // MARK: - Sessions

  /// Begins a session that can put and publish.
  ///
  /// - Throws: `.busy` if gc goes on for more than a minute, `.unsupportedFormat` if a newer dsv must write here.
  package func session() throws(DSVError) -> WriteSession {
    try format.checkWritable(folder.format)
    let lease = try lease()
    return WriteSession(self, lease, lastPack: try index.state.lastPack)
  }

  /// Keeps gc away for as long as the result lives, for a long read.
  package func lease() throws(DSVError) -> Lease {
    let lease = try Lease(folder, leaseCount)
    // An index that was exchanged before gc ran would still show what gc has deleted, and so would one whose last change
    // was gc's, killed as it made it.
    try IndexGuard(folder: folder, keys: keys, note: note).retrying { () throws(DSVError) in
      try refreshIndex()
    }
    try index.settle()
    return lease
  }

  /// Takes the lock of who publishes. It ends with the result's life.
  func lockWriter() throws(DSVError) -> File {
    let file = try File(folder.writerLock, .updateOrCreate)
    try file.lock(.exclusive, waitingUpTo: Self.writerWaitSeconds, for: "publishing in this repository")
    return file
  }

  /// Takes the lock of who publishes, and sees to it that the index shows the last state: a change that is decided on an older
  /// one would write over what was published since.
  func beginWriting() throws(DSVError) -> File {
    let lock = try lockWriter()
    // Whose key was revoked meanwhile writes nothing more.
    try keys?.refresh()
    try refreshIndex()
    try index.settle()
    return lock
  }

  /// Turns to a rebuilt index, if there is one.
  func refreshIndex() throws(DSVError) {
    if try index.refresh() { packs.close() }
  }

  // MARK: - Refs and versions

  package func ref(_ name: String) throws(DSVError) -> RefTarget? { try index.ref(name) }

  /// The refs whose names begin with `prefix`, in order of their bytes.
  package func refs(prefix: String = "") throws(DSVError) -> [(String, RefTarget)] {
    try index.refs(prefix: prefix)
  }

  /// The commit that is version `number`.
  package func commit(number: Int) throws(DSVError) -> CommitID? { try index.commit(number: number) }

  /// The version number of a commit.
  package func number(of commit: CommitID) throws(DSVError) -> Int? { try index.number(of: commit) }

  /// The numbered commits whose IDs begin with these hexadecimal digits, at most 16 of them.
  ///
  /// - Throws: `.badInput` for fewer than 4 digits or more than 64.
  package func commits(hexPrefix: String) throws(DSVError) -> [CommitID] {
    guard 4...64 ~= hexPrefix.utf8.count else {
      throw DSVError(.badInput, "a commit is named by 4 to 64 hexadecimal digits")
    }
    return try index.commits(hexPrefix: hexPrefix)
  }

  /// How many version numbers were given; they are `1...versionCount`.
  package var versionCount: Int { get throws(DSVError) { try index.state.lastVersion } }

  /// All ref moves there have been, oldest first. Damaged stretches are left out: ``checkPacks`` names them.
  package func reflog() throws(DSVError) -> [ReflogEntry] {
    try reflogRecords().flatMap(\.entries)
  }

  /// The commits that gc has deleted. One that was written again since is there all the same.
  package func collectedCommits() throws(DSVError) -> Set<CommitID> {
    Set(try reflogRecords().flatMap { $0.collected?.commits ?? [] })
  }

  var reflogFile: ReflogFile { ReflogFile(path: folder.reflog, keys: keys) }

  private func reflogRecords() throws(DSVError) -> [ReflogRecord] {
    try reflogFile.read(limit: try index.state.reflogByteCount).records
  }
}
