import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVVersions
import Synchronization

/// What a remote's branches and tags need, as far as that can be read anywhere.
///
/// Memory: some 50 bytes an object.
struct RemoteNeed {
  private let walk: Reachability
  /// Where the branches and tags are.
  let tips: Set<CommitID>
  /// What they need and no pack is known to hold. In order of IDs.
  let missing: [AnyID]
  /// Whether something is whole nowhere, so that nothing is known of what lies below it.
  let isCut: Bool

  init(
    _ remote: OpenRemote, _ objects: WholeObjects, _ progress: @escaping ProgressHandler
  ) throws(DSVError) {
    let needed = NeededObjects(remote.catalogue, objects)
    let refs = try remote.catalogue.refs()
    tips = Set(refs.map(\.commit))
    (walk, isCut) = try Self.walk(needed, refs.map(\.commit)) { (number) throws(DSVError) in
      try progress(
        Progress(
          phase: "walking \(remote.name)/\(refs[number].name)", done: 0, total: nil, unit: .objects))
    }
    missing = needed.missing
  }

  /// Whether the branches and tags lead to the object, or may do so.
  func leads(to id: AnyID) -> Bool { isCut || surelyLeads(to: id) }
  func surelyLeads(to id: AnyID) -> Bool { walk.leads(to: id) }

  /// What versions of this repository need, where some of it may be on the remote alone: it was demoted, or never fetched. `nil`
  /// where that cannot be. A clean-up keeps that too.
  static func own(
    _ repository: Repository, _ remote: OpenRemote, _ objects: WholeObjects,
    _ progress: @escaping ProgressHandler
  ) throws(DSVError) -> RemoteNeed? {
    let store = repository.store
    let hasDemoted = try TierFolder(store).hasDemoted
    guard remote.config.scope.isPartial || hasDemoted else { return nil }
    var commits: [CommitID] = []
    for number in stride(from: 1, through: try store.versionCount, by: 1) {
      if let commit = try store.commit(number: number), try store.contains(AnyID(commit)) {
        commits.append(commit)
      }
    }
    return try RemoteNeed(commits, objects, progress)
  }

  private init(
    _ commits: [CommitID], _ objects: WholeObjects, _ progress: @escaping ProgressHandler
  ) throws(DSVError) {
    (tips, missing) = (Set(commits), [])
    (walk, isCut) = try Self.walk(objects, commits) { (number) throws(DSVError) in
      try progress(Progress(phase: "walking versions", done: number, total: commits.count, unit: .objects))
    }
  }

  /// What commits lead to, as far as it can be read.
  ///
  /// - Parameter body: called before each, with its number.
  /// - Returns: `isCut`: whether it could not be read all.
  static func walk(
    _ store: any ObjectStore, _ commits: [CommitID], _ body: (Int) throws(DSVError) -> Void
  ) throws(DSVError) -> (walk: Reachability, isCut: Bool) {
    let cuts = Mutex(0)
    let reader = ObjectReader(store, cache: ObjectCache(byteCountMax: 32 << 20), pool: .onCaller)
    var walk = Reachability(VersionReader(reader), onMissing: { _, _ in cuts.withLock { $0 += 1 } })
    for (number, commit) in commits.enumerated() {
      try body(number)
      try walk.add(commit)
    }
    return (walk, cuts.withLock { $0 > 0 })
  }
}

/// What a walk comes by.
private final class NeededObjects: ObjectStore {
  private let catalogue: Catalogue
  private let objects: WholeObjects
  private let found = Mutex<Set<AnyID>>([])

  init(_ catalogue: Catalogue, _ objects: WholeObjects) {
    (self.catalogue, self.objects) = (catalogue, objects)
  }

  /// What the catalogue does not know. In order of IDs.
  var missing: [AnyID] { found.withLock { $0.sorted() } }

  var naming: ObjectNaming { objects.naming }

  func contains(_ id: AnyID) throws(DSVError) -> Bool { try objects.contains(id) }
  func baseID(of id: AnyID) throws(DSVError) -> AnyID? { nil }
  func read(_ id: AnyID) throws(DSVError) -> StoredObject { try objects.read(id) }

  /// A walk asks this once of each object that it comes by.
  func baseDepth(of id: AnyID) throws(DSVError) -> Int? {
    if try !catalogue.contains(id), !objects.isKnownThere(id) { _ = found.withLock { $0.insert(id) } }
    return try objects.baseDepth(of: id)
  }
}
