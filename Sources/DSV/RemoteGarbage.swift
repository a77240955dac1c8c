import DSVColumns
public import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVVersions

/// What a collection of a remote's garbage did.
public struct RemoteGarbageResult: Sendable {
  /// Packs that were given up: nobody may use them any more, and they are deleted once they have been for long enough. Bytes are
  /// those that lie there, of packs and their indexes.
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
  /// up at least `keepDays` ago are deleted: by then nobody reads them any more. What a push from here has put and was not named
  /// since is given up after as many days, too.
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
      // Others may have given up what is left to the remote from here.
      let isSafe = try bringBack(remote, isBeforeDeletion: true, progress)
      var collection = RemoteCollection(self, remote, progress)
      guard let result = try collection.run(before: isSafe ? time : .min) else { continue }
      if let folder = remote.bucket as? FolderBucket { _ = folder.removeLeftovers() }
      return result
    }
    throw DSVError(.busy, "others kept pushing to '\(remote.name)' first; try again")
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
    // Before anything is put here that no entry names yet.
    let sizes = try sizes()
    let orphans = try orphans(in: sizes, before: time)
    let (condemned, rewritten) = try advising { (collection) throws(DSVError) in
      try collection.condemnedPacks()
    }
    entry.condemned = condemned + orphans
    entry.added = rewritten.map(\.logged)
    entry.deleted = try delete(before: time)
    if entry.condemned.isEmpty, entry.deleted.isEmpty { return result }
    guard try remote.create(entry) != nil else { return nil }
    let indexes = Dictionary(rewritten.map { ($0.index.packID, $0.index) }) { first, _ in first }
    try remote.readOn(known: indexes)
    result.condemnedPackCount = entry.condemned.count
    result.condemnedByteCount = entry.condemned.reduce(0) { $0 + sizes[$1, default: 0] }
    result.deletedByteCount = entry.deleted.reduce(0) { $0 + sizes[$1, default: 0] }
    result.rewrittenPackCount = rewritten.count
    return result
  }

  /// Says what to do where the remote has not all that it should.
  private mutating func advising<Value>(
    _ body: (inout RemoteCollection) throws(DSVError) -> Value
  ) throws(DSVError) -> Value {
    do throws(DSVError) { return try body(&self) } catch {
      guard error.code == .notFound || error.code == .corrupt else { throw error }
      throw DSVError(
        .corrupt,
        "remote '\(remote.name)' has not all that is needed of it: \(error.message). 'dsv remote check \(remote.name)' tells what of the "
          + "remote is damaged, and with --repair puts anew what is whole here; nothing was deleted",
        cause: error)
    }
  }

  /// The packs that hold something that nothing leads to; what is live in them is put in new ones.
  ///
  /// Every one, however little it is: of an object that is found on a remote all that it leads to must be there too. So what is
  /// live and builds on something that nothing leads to is put anew as well, whole.
  private mutating func condemnedPacks() throws(DSVError) -> ([PackID], [UploadedPack]) {
    let bases = try bases()
    let graph = RemoteGraph(repository.store, remote, bases: bases)
    let reader = ObjectReader(
      graph, cache: ObjectCache(byteCountMax: 32 << 20), pool: repository.pool)
    let walk = try walk(VersionReader(reader))
    let own = try walkOfWhatIsHere(graph)
    func isLive(_ id: AnyID) -> Bool { walk.leads(to: id) || own?.leads(to: id) ?? false }
    func isSound(_ id: AnyID) -> Bool { isLive(id) && bases[id].map(isLive) ?? true }
    var dead: Set<UInt32> = []
    try catalogue.forEachObject { (id, place) throws(DSVError) in
      if !isSound(id) { dead.insert(place.pack.slot) }
    }
    try catalogue.forEachSpare { (id, place) throws(DSVError) in
      // What a spare builds on nobody has looked for.
      if !isLive(id) || place.baseDepth > 0 { dead.insert(place.pack.slot) }
    }
    var live: [(id: AnyID, place: RemotePlace)] = []
    try catalogue.forEachObject { (id, place) throws(DSVError) in
      guard dead.contains(place.pack.slot), isLive(id) else { return }
      if try catalogue.spares(of: id).allSatisfy({ dead.contains($0.pack.slot) }) { live.append((id, place)) }
    }
    let condemned = try catalogue.allPacks.filter { dead.contains($0.slot) && $0.condemnedTime == nil }
    guard !live.isEmpty else { return (condemned.map(\.id), []) }
    // What is put in vain, as somebody else came first, no push needs: without a journal the next clean-up finds it.
    let uploads = PackUploads(
      remote.bucket, remote.sealer, nil, packByteCount: repository.options.remotePackByteCount)
    let total = live.reduce(0) { $0 + $1.place.byteCount }
    for run in RemoteReader.runs(live) {
      for (id, object) in try remote.reader.read(run) {
        try graph.verify(id, object)
        try uploads.append(id, isSound(id) ? object : try reader.whole(id, object))
      }
      try progress(
        Progress(phase: "copying what is live", done: uploads.byteCount, total: total, unit: .bytes))
    }
    return (condemned.map(\.id), try uploads.finish())
  }

  /// What the remote's refs lead to: all of it is there.
  private func walk(_ versions: VersionReader) throws(DSVError) -> Reachability {
    var walk = Reachability(versions)
    for ref in try catalogue.refs() {
      try progress(Progress(phase: "walking \(remote.name)/\(ref.name)", done: 0, total: nil, unit: .objects))
      try walk.add(ref.commit)
    }
    return walk
  }

  /// What versions that this repository knows lead to, where some of it may be on the remote alone: it was demoted, or never
  /// fetched. `nil` where that cannot be.
  ///
  /// Every version that gc has left here counts, also one that no branch leads to any more.
  private func walkOfWhatIsHere(_ graph: RemoteGraph) throws(DSVError) -> Reachability? {
    let store = repository.store
    let hasDemoted = try TierFolder(store).hasDemoted
    guard remote.config.scope.isPartial || hasDemoted else { return nil }
    let reader = ObjectReader(
      graph.withLocal, cache: ObjectCache(byteCountMax: 32 << 20), pool: repository.pool)
    // What is neither here nor there is another remote's.
    var walk = Reachability(VersionReader(reader), isElsewhere: { (_) throws(DSVError) in true })
    for number in stride(from: 1, through: try store.versionCount, by: 1) {
      try progress(
        Progress(phase: "walking versions", done: number, total: try store.versionCount, unit: .objects))
      if let commit = try store.commit(number: number), try store.contains(AnyID(commit)) {
        try walk.add(commit)
      }
    }
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

  /// The packs that lie there, and how many bytes each takes with its index.
  private func sizes() throws(DSVError) -> [PackID: Int] {
    var sizes: [PackID: Int] = [:]
    var last: String?
    while true {
      let entries = try remote.bucket.list(prefix: RemoteLayout.packPrefix, after: last, limit: 1000)
      for entry in entries {
        if let id = RemoteLayout.packID(ofKey: entry.key) { sizes[id, default: 0] += entry.byteCount }
      }
      guard entries.count == 1000 else { return sizes }
      last = entries.last?.key
    }
  }

  /// Packs that no entry names: pushes that were broken off, or are under way, put them. Those of our own journal stay until a
  /// pack that was given up when they were put would be deleted.
  private func orphans(in sizes: [PackID: Int], before time: Int) throws(DSVError) -> [PackID] {
    try remote.journal.forget(before: time)
    let own = Set(try remote.journal.packs().map(\.index.packID))
    var found: [PackID] = []
    for id in sizes.keys where !own.contains(id) { if try catalogue.pack(id) == nil { found.append(id) } }
    return found.sorted()
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
    return old.map(\.id)
  }
}
