import DSVColumns
public import DSVFormat
import DSVStore
import DSVSystem
import DSVTables
import DSVVersions

/// What an encrypted copy came to.
public struct EncryptedCopy: Sendable {
  public let repository: Repository
  /// For each version, in the order of their numbers: the commit that it was, and the one that it is.
  public let commits: [(version: String, old: CommitID, new: CommitID)]
  /// Whether something was copied: not if the copy was whole already.
  public let isNew: Bool
}

extension Repository {
  /// The ref of a copy that is not whole yet.
  static let encryptingRef = "encrypting"

  /// Makes a new, encrypted repository with all versions, branches and tags of this one. Version numbers stay what they are; commits
  /// have other IDs, as keys go into them.
  ///
  /// What was broken off goes on if it is called again with the same arguments. Where the copy is whole already, it is compared and nothing
  /// is done, but that the result says again which commit became which.
  /// - Parameters:
  ///   - path: the folder of the copy.
  ///   - key: what opens the copy.
  /// - Throws: `conflict` if there is another repository already, or a copy that lacks what is new here.
  public func encrypt(
    to path: String, with key: RepositoryKey, options: Options = Options(),
    progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> EncryptedCopy {
    let lease = try store.lease()
    defer { withExtendedLifetime(lease) {} }
    var options = options
    options.key = key
    let target: Repository
    if try FileSystem.exists(path + "/" + Self.folderName) {
      target = try Repository.open(at: path, options: options, for: .encrypting)
      guard target.isEncrypted else { throw DSVError(.conflict, "\(path): there is a repository already") }
      if try target.store.ref(Self.encryptingRef) == nil { return try copied(to: target) }
    } else {
      if let advice = try CloneMark(path).advice() { throw DSVError(.conflict, advice) }
      target = try Repository.initialize(
        at: path, encryptedWith: key, options: options,
        refs: [(Self.encryptingRef, .symbolic(Head.refName))], keyring: nil)
    }
    var job = try EncryptionJob(from: self, to: target, butOf: try lostVersions(), progress)
    try job.copyVersions()
    try job.copyRefs()
    return EncryptedCopy(repository: target, commits: job.done, isNew: true)
  }

  /// Which commit became which in a copy that is whole.
  private func copied(to target: Repository) throws(DSVError) -> EncryptedCopy {
    var commits: [(version: String, old: CommitID, new: CommitID)] = []
    var renamed: [CommitID: CommitID] = [:]
    let lost = try lostVersions()
    for number in stride(from: 1, through: try store.versionCount, by: 1) {
      guard let old = try store.commit(number: number), try store.contains(AnyID(old)), !lost.contains(old)
      else { continue }
      guard let new = try target.store.commit(number: number) else {
        throw DSVError(
          .conflict,
          "\(target.path): the repository there is whole and has no \(Version.name(number)); a copy of what was added since has to be "
            + "made elsewhere")
      }
      renamed[old] = new
      // A gc there may have deleted it.
      guard try target.store.contains(AnyID(new)) else { continue }
      let (was, now) = (try commit(old), try target.commit(new))
      guard was.saysTheSame(as: now), was.parents.map({ renamed[$0] }) == now.parents else {
        throw DSVError(
          .conflict,
          "\(target.path): there is a repository already, and its \(Version.name(number)) is no copy of the one here"
        )
      }
      commits.append((Version.name(number), old, new))
    }
    guard !commits.isEmpty else { throw DSVError(.conflict, "\(target.path): there is a repository already") }
    return EncryptedCopy(repository: target, commits: commits, isNew: false)
  }
}

extension Commit {
  /// Whether another commit, whose names are others, may be a copy of this one.
  fileprivate func saysTheSame(as other: Commit) -> Bool {
    time == other.time && author == other.author && message == other.message && rowCount == other.rowCount
  }
}

/// Copies every version of a repository to one that has other names for the same content.
private struct EncryptionJob {
  private struct ColumnKey: Hashable {
    let root: ColumnID
    let type: String
  }

  private let source: Repository
  private let target: Repository
  private let session: WriteSession
  private let sink: ColumnSink
  private let progress: ProgressHandler
  /// Versions that are nowhere as a whole.
  private let lost: Set<CommitID>
  private(set) var done: [(version: String, old: CommitID, new: CommitID)] = []
  private var commits: [CommitID: CommitID] = [:]
  /// Columns that were copied, by what they were.
  private var columns: [ColumnKey: ColumnRoot] = [:]
  /// By a column's place in its table, the one that was copied last: the next version's may go on where it ends.
  private var latest: [String: (type: DataType, old: ColumnRoot, new: ColumnRoot)] = [:]
  /// What the last version came to: the next one is stored over it where that saves much.
  private var before: EncodedSnapshot?

  init(
    from source: Repository, to target: Repository, butOf lost: Set<CommitID>,
    _ progress: @escaping ProgressHandler
  ) throws(DSVError) {
    (self.source, self.target, self.lost, self.progress) = (source, target, lost, progress)
    session = try target.store.session()
    sink = ColumnSink(session, pool: target.pool)
  }

  /// Copies the versions that are not there yet, each in a publication of its own.
  mutating func copyVersions() throws(DSVError) {
    let last = try source.store.versionCount
    for number in stride(from: 1, through: last, by: 1) {
      // What gc has deleted has no number in the copy.
      guard let old = try source.store.commit(number: number), try source.store.contains(AnyID(old)) else {
        continue
      }
      if lost.contains(old) {
        source.options.note(
          "\(Version.name(number)) is left out: only a remote's branch led to it, and no remote has all of it any more"
        )
        continue
      }
      try progress(Progress(phase: "encrypting versions", done: number - 1, total: last, unit: .objects))
      let new = if let known = try copied(number, old) { known } else { try copy(number, old) }
      commits[old] = new
      done.append((Version.name(number), old, new))
    }
  }

  /// The commit that an earlier call has made of a version.
  private func copied(_ number: Int, _ old: CommitID) throws(DSVError) -> CommitID? {
    guard let new = try target.store.commit(number: number) else { return nil }
    guard try source.commit(old).saysTheSame(as: try target.commit(new)) else {
      throw DSVError(.conflict, "\(target.path): its version \(Version.name(number)) is another one")
    }
    return new
  }

  private mutating func copy(_ number: Int, _ old: CommitID) throws(DSVError) -> CommitID {
    let commit = try source.commit(old)
    var tables: [Table] = []
    for table in try source.versions.snapshot(commit.root).tables { tables.append(try copy(table)) }
    let snapshot = EncodedSnapshot(Snapshot(tables: tables), session.naming)
    try session.put(snapshot, after: before)
    var parents: [CommitID] = []
    for parent in commit.parents { parents.append(try renamed(parent, of: old)) }
    var lineage = commit.lineage
    if let was = lineage {
      lineage = Lineage(
        input: try renamed(was.input, of: old), stages: was.stages, recipe: was.recipe)
    }
    let new = Commit(
      root: snapshot.id, parents: parents, rowCount: commit.rowCount, time: commit.time,
      author: commit.author, message: commit.message, lineage: lineage)
    let id = try session.put(new)
    before = snapshot
    return try session.publish { (publication) throws(DSVError) in
      let given = try publication.number(id, wanted: number)
      guard given == number else {
        throw DSVError(.conflict, "\(target.path): version \(Version.name(number)) is given already")
      }
      // The reflog keeps what the ref was at from gc.
      try publication.move(
        RefMove(
          Repository.encryptingRef, expected: .anything, new: .commit(id),
          action: "encrypt: \(Version.name(number))"))
      return id
    }
  }

  private func renamed(_ old: CommitID, of commit: CommitID) throws(DSVError) -> CommitID {
    guard let new = commits[old] else {
      throw DSVError(.corrupt, "commit \(commit): it names \(old), which is no version before it")
    }
    return new
  }

  // MARK: - Tables

  private mutating func copy(_ table: Table) throws(DSVError) -> Table {
    var result = table
    result.fields = []
    for field in table.fields { result.fields.append(try copy(field, table.name)) }
    if let selection = table.selection { result.selection = try copy(selection, .uint16, table.name) }
    return result
  }

  /// - Parameter path: names the table, and the fields that the field is in.
  private mutating func copy(_ field: TableField, _ path: String) throws(DSVError) -> TableField {
    let path = "\(path)\n\(field.name)"
    var result = field
    result.values = try copy(field.values, field.type, path)
    if case .mixed(let root) = field.absence {
      result.absence = .mixed(try copy(root, .bool, path + "\n"))
    }
    result.children = []
    for child in field.children { result.children.append(try copy(child, path)) }
    return result
  }

  private mutating func copy(
    _ root: ColumnRoot, _ type: DataType, _ path: String
  ) throws(DSVError) -> ColumnRoot {
    var key: ColumnKey?
    if case .object(let id, _) = root.place { key = ColumnKey(root: id, type: type.description) }
    if let key, let known = columns[key] {
      latest[path] = (type, root, known)
      return known
    }
    var writer = ColumnWriter(type: type, sink: sink)
    if let (known, old, new) = latest[path], known == type,
      try ColumnPrefix(source.reader, type.layout).begins(root, with: old)
    {
      let objects = ObjectReader(session, cache: target.reader.cache, pool: target.pool)
      writer = try ColumnWriter(type: type, sink: sink, after: new, reader: objects)
    }
    let cursor = ColumnCursor(root, layout: type.layout, reader: source.reader)
    var row = writer.rowCount
    while row < root.rowCount {
      let slice = try cursor.slice(at: row)
      try append(slice.array, from: row - slice.startRow, to: writer)
      row = slice.endRow
      withExtendedLifetime(slice) {}
      try progress(Progress(phase: "encrypting", done: row, total: root.rowCount, unit: .rows))
    }
    let new = try writer.finish()
    guard new.rowCount == root.rowCount, new.nullCount == root.nullCount else {
      throw DSVError(.corrupt, "a column of \(root.rowCount) rows came to \(new.rowCount)")
    }
    if let key { columns[key] = new }
    latest[path] = (type, root, new)
    return new
  }

  /// Blobs are columns of their own, and so have other names in the copy.
  private func append(_ array: ArrayView, from start: Int, to writer: ColumnWriter) throws(DSVError) {
    guard array.blobs != nil else {
      return try writer.append(contentsOf: array, from: start, to: array.count)
    }
    for index in start..<array.count {
      if array.isBlob(index) {
        let bytes = try source.reader.blob(try BlobReference(array.bytes(index)))
        try bytes.withBytes { (bytes) throws(DSVError) in try writer.append(bytes) }
      } else {
        try writer.append(contentsOf: array, from: index, to: index + 1)
      }
    }
  }

  // MARK: - Refs

  /// Gives the copy the branches and tags, and makes it whole.
  func copyRefs() throws(DSVError) {
    var moves: [RefMove] = []
    for (name, target) in try source.store.refs() {
      switch target {
      case .commit(let old):
        let isOurs = name == Head.refName || name.hasPrefix("heads/") || name.hasPrefix("tags/")
        guard isOurs, let new = commits[old] else { continue }
        moves.append(RefMove(name, expected: .anything, new: .commit(new), action: "encrypt"))
      case .symbolic where name == Head.refName:
        moves.append(RefMove(name, expected: .anything, new: target, action: "encrypt"))
      case .symbolic: continue
      }
    }
    moves.append(RefMove(Repository.encryptingRef, expected: .anything, new: nil, action: "encrypt"))
    try session.publish { (publication) throws(DSVError) in
      for move in moves { try publication.move(move) }
    }
  }
}

/// Finds out whether a column is what another one begins with: so is that of a table before rows were appended.
private struct ColumnPrefix {
  private let reader: ObjectReader
  private let layout: Layout

  init(_ reader: ObjectReader, _ layout: Layout) { (self.reader, self.layout) = (reader, layout) }

  /// Reads nodes, and of chunks only the last of the shorter column and the one in its place.
  func begins(_ whole: ColumnRoot, with first: ColumnRoot) throws(DSVError) -> Bool {
    guard first.rowCount > 0, whole.rowCount >= first.rowCount else { return false }
    if let chunk = try reader.inlineChunk(first) { return try isPrefix(chunk, of: whole) }
    var (walker, other) = (TreeWalker(first, reader: reader), TreeWalker(whole, reader: reader))
    while let leaf = try walker.next() {
      guard let place = try other.next() else { return false }
      if leaf.entry.id == place.entry.id { continue }
      // Where a chunk is another one, it is the last, which has grown.
      guard leaf.endRow == first.rowCount else { return false }
      return isPrefix(try reader.chunk(leaf.entry.id), of: try reader.chunk(place.entry.id))
    }
    return true
  }

  private func isPrefix(_ chunk: Chunk, of whole: ColumnRoot) throws(DSVError) -> Bool {
    if let other = try reader.inlineChunk(whole) { return isPrefix(chunk, of: other) }
    var walker = TreeWalker(whole, reader: reader)
    guard let leaf = try walker.next() else { return false }
    return isPrefix(chunk, of: try reader.chunk(leaf.entry.id))
  }

  private func isPrefix(_ chunk: Chunk, of other: Chunk) -> Bool {
    guard other.count >= chunk.count, chunk.array.layout == layout, other.array.layout == layout else {
      return false
    }
    let builder = ArrayBuilder(layout)
    for index in 0..<chunk.count { builder.append(from: other.array, index) }
    let plain = GrowingBytes(capacity: chunk.plainBytes.count)
    builder.writePlain(to: plain)
    return withExtendedLifetime((chunk, other)) { plain.bytes.elementsEqual(chunk.plainBytes) }
  }
}
