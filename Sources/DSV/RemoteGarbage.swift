import DSVColumns
public import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVVersions

/// What a collection of a remote's garbage did.
public struct RemoteGarbageResult: Sendable {
  /// Packs that were given up: nobody may use them any more, and they are deleted once they have been for long enough.
  public internal(set) var condemnedPackCount = 0
  public internal(set) var condemnedByteCount = 0
  /// Packs that were written with what was live of those.
  public internal(set) var rewrittenPackCount = 0
  public internal(set) var deletedPackCount = 0
  public internal(set) var deletedByteCount = 0
}

extension Repository {
  /// Gives back the room of what no branch or tag of a remote leads to.
  ///
  /// In two steps. Packs that hold garbage, and those that pushes which were broken off left behind, are given up in the remote's log, with
  /// what is live in them written anew: whoever pushes meanwhile finds that out before their push counts. Packs that were given
  /// up at least `keepDays` ago are deleted: by then nobody reads them any more.
  public func collectRemoteGarbage(
    _ name: String? = nil, keepDays: Int = 7, progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> RemoteGarbageResult {
    try collectRemoteGarbage(name, before: Clock.secondsSince1970(daysAgo: keepDays), progress: progress)
  }

  /// - Parameter time: packs that were given up by then are deleted; seconds since 1970.
  package func collectRemoteGarbage(
    _ name: String?, before time: Int, progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> RemoteGarbageResult {
    let remote = try openRemote(name)
    if let reason = remote.config.readOnlyReason {
      throw DSVError(.badInput, "remote '\(remote.name)' can only be read: \(reason)")
    }
    let lease = try store.lease()
    defer { withExtendedLifetime(lease) {} }
    for _ in 0..<Push.attemptCountMax {
      guard try remote.readOn() else { return RemoteGarbageResult() }
      var collection = RemoteCollection(self, remote, progress)
      if let result = try collection.run(before: time) { return result }
    }
    throw DSVError(.busy, "others kept pushing to '\(remote.name)' first; try again")
  }
}

extension Repository {
  /// The commits of this repository's own refs that need what may be on the remote alone.
  fileprivate func commitsLeftToRemotes(_ remote: OpenRemote) throws(DSVError) -> [CommitID] {
    let hasDemoted = try TierFolder(store).hasDemoted
    guard remote.config.scope.isPartial || hasDemoted else { return [] }
    var commits: [CommitID] = []
    for (_, target) in try store.refs() {
      if case .commit(let id) = target, try store.contains(AnyID(id)) { commits.append(id) }
    }
    return commits
  }
}

/// What a remote holds, as a store: plain forms are read from here where they are here.
private final class RemoteGraph: ObjectStore {
  private let local: Store
  private let remote: OpenRemote
  /// What objects on the remote build on.
  private let bases: [AnyID: AnyID]

  init(_ local: Store, _ remote: OpenRemote, bases: [AnyID: AnyID]) {
    (self.local, self.remote, self.bases) = (local, remote, bases)
  }

  var naming: ObjectNaming { local.naming }

  func contains(_ id: AnyID) throws(DSVError) -> Bool { try remote.catalogue.contains(id) }
  func baseDepth(of id: AnyID) throws(DSVError) -> Int? { try remote.catalogue.baseDepth(of: id) }
  func baseID(of id: AnyID) throws(DSVError) -> AnyID? { bases[id] }

  func read(_ id: AnyID) throws(DSVError) -> StoredObject {
    if try local.contains(id) { return try local.read(id) }
    guard let object = try remote.reader.read(id) else {
      throw DSVError(.notFound, "object \(id): remote '\(remote.name)' does not hold it")
    }
    return object
  }
}

/// One try to collect a remote's garbage.
private struct RemoteCollection {
  private let repository: Repository
  private let remote: OpenRemote
  private let progress: ProgressHandler
  private var result = RemoteGarbageResult()

  init(_ repository: Repository, _ remote: OpenRemote, _ progress: @escaping ProgressHandler) {
    (self.repository, self.remote, self.progress) = (repository, remote, progress)
  }

  private var catalogue: Catalogue { remote.catalogue }

  /// - Returns: `nil` if somebody else changed the remote meanwhile.
  mutating func run(before time: Int) throws(DSVError) -> RemoteGarbageResult? {
    let position = try catalogue.position
    var entry = RemoteEntry(
      number: position.number + 1, previous: position.digest, nonce: .random(),
      time: Clock.secondsSince1970())
    let (condemned, rewritten) = try condemnedPacks()
    entry.condemned = condemned + (try orphans())
    entry.added = rewritten.map(\.logged)
    entry.deleted = try delete(before: time)
    if entry.condemned.isEmpty, entry.deleted.isEmpty { return result }
    guard try remote.create(entry) != nil else { return nil }
    let indexes = Dictionary(rewritten.map { ($0.index.packID, $0.index) }) { first, _ in first }
    try remote.readOn(known: indexes)
    try remote.journal.remove(rewritten.map(\.index.packID))
    result.condemnedPackCount = entry.condemned.count
    result.rewrittenPackCount = rewritten.count
    return result
  }

  /// The packs that hold something that nothing leads to; what is live in them is put in new ones.
  ///
  /// Every one, however little it is: of an object that is found on a remote all that it leads to must be there too. So what is
  /// live and builds on something that nothing leads to is put anew as well, whole.
  private mutating func condemnedPacks() throws(DSVError) -> ([PackID], [UploadedPack]) {
    let bases = try bases()
    let reader = ObjectReader(
      RemoteGraph(repository.store, remote, bases: bases), cache: ObjectCache(byteCountMax: 32 << 20),
      pool: repository.pool)
    let walk = try walk(VersionReader(reader))
    func isSound(_ id: AnyID) -> Bool { walk.leads(to: id) && bases[id].map { walk.leads(to: $0) } ?? true }
    var dead: Set<UInt32> = []
    try catalogue.forEachObject { (id, place) throws(DSVError) in
      if !isSound(id) { dead.insert(place.pack.slot) }
    }
    try catalogue.forEachSpare { (id, place) throws(DSVError) in
      // What a spare builds on nobody has looked for.
      if !walk.leads(to: id) || place.baseDepth > 0 { dead.insert(place.pack.slot) }
    }
    var live: [(id: AnyID, place: RemotePlace)] = []
    try catalogue.forEachObject { (id, place) throws(DSVError) in
      guard dead.contains(place.pack.slot), walk.leads(to: id) else { return }
      if try catalogue.spares(of: id).allSatisfy({ dead.contains($0.pack.slot) }) { live.append((id, place)) }
    }
    let condemned = try catalogue.allPacks.filter { dead.contains($0.slot) && $0.condemnedTime == nil }
    result.condemnedByteCount = condemned.reduce(0) { $0 + $1.byteCount }
    guard !live.isEmpty else { return (condemned.map(\.id), []) }
    let uploads = PackUploads(
      remote.bucket, remote.sealer, remote.journal, packByteCount: repository.options.remotePackByteCount)
    let total = live.reduce(0) { $0 + $1.place.byteCount }
    for run in RemoteReader.runs(live) {
      for (id, object) in try remote.reader.read(run) {
        try uploads.append(id, isSound(id) ? object : try reader.whole(id, object))
      }
      try progress(
        Progress(phase: "copying what is live", done: uploads.byteCount, total: total, unit: .bytes))
    }
    return (condemned.map(\.id), try uploads.finish())
  }

  /// What the remote's refs lead to, and what was left to the remote.
  private func walk(_ versions: VersionReader) throws(DSVError) -> Reachability {
    var walk = Reachability(versions)
    for ref in try catalogue.refs() {
      try progress(Progress(phase: "walking \(remote.name)/\(ref.name)", done: 0, total: nil, unit: .objects))
      try walk.add(ref.commit)
    }
    // What was left to the remote, or never fetched, is nowhere else.
    for commit in try repository.commitsLeftToRemotes(remote) { try walk.add(commit) }
    return walk
  }

  /// What objects on the remote build on.
  private func bases() throws(DSVError) -> [AnyID: AnyID] {
    var items: [(id: AnyID, place: RemotePlace)] = []
    try catalogue.forEachObject { (id, place) throws(DSVError) in
      if place.baseDepth > 0 { items.append((id, place)) }
    }
    let (runs, reader) = (RemoteReader.runs(items), remote.reader)
    var bases: [AnyID: AnyID] = [:]
    // A group at a time: the objects themselves are not kept.
    for start in stride(from: 0, to: runs.count, by: 16) {
      let group = Array(runs[start...].prefix(16))
      let found = try Parallel.map(group.count, width: 8) { (index) throws(DSVError) in
        try reader.read(group[index]).map { ($0.id, $0.object.base?.id) }
      }
      for objects in found { for (id, base) in objects { bases[id] = base } }
    }
    return bases
  }

  /// Packs that no entry names: pushes that were broken off, or are under way, put them. Our own journal's stay.
  private func orphans() throws(DSVError) -> [PackID] {
    let own = Set(try remote.journal.packs().map(\.index.packID))
    var found: Set<PackID> = []
    var last: String?
    while true {
      let entries = try remote.bucket.list(prefix: RemoteLayout.packPrefix, after: last, limit: 1000)
      for entry in entries {
        guard let id = RemoteLayout.packID(ofKey: entry.key), !own.contains(id) else { continue }
        if try catalogue.pack(id) == nil { found.insert(id) }
      }
      guard entries.count == 1000 else { return found.sorted() }
      last = entries.last?.key
    }
  }

  /// Deletes packs that were given up long enough ago. Done before the log says so: twice does no harm.
  private mutating func delete(before time: Int) throws(DSVError) -> [PackID] {
    let old = try catalogue.allPacks.filter { $0.condemnedTime.map { $0 <= time } ?? false }
    for start in stride(from: 0, to: old.count, by: 200) {
      let group = old[start...].prefix(200)
      try remote.bucket.delete(group.flatMap { [RemoteLayout.pack($0.id), RemoteLayout.index($0.id)] })
      try progress(
        Progress(phase: "deleting packs", done: start + group.count, total: old.count, unit: .objects))
    }
    result.deletedPackCount = old.count
    result.deletedByteCount = old.reduce(0) { $0 + $1.byteCount }
    return old.map(\.id)
  }
}
