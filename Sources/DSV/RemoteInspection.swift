import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVVersions
import Synchronization

/// What of a remote's packs is not what its log says.
struct RemoteInspection {
  /// A pack that is damaged or gone, or whose index is.
  struct Finding: Sendable {
    let pack: RemotePack
    /// What is wrong with the pack itself; with its index; and with one of its objects.
    var problem: String?
    var indexProblem: String?
    var objectProblem: String?
    /// All that it should hold, as far as that is known.
    var items: [(id: AnyID, place: RemotePlace)] = []
    /// What of that cannot be had from it.
    var bad: [AnyID] = []
    /// What lies in it as it should, and builds on something that is whole nowhere or in no pack.
    var hanging: [(id: AnyID, base: AnyID)] = []
    /// What its index should be, where the pack says so and is whole.
    var index: PackIndex?

    /// Whether it serves again once its index is put.
    var needsIndexOnly: Bool { problem == nil && bad.isEmpty && index != nil }
    var isSound: Bool { problem == nil && indexProblem == nil && bad.isEmpty }
  }

  /// In the order of the log.
  private(set) var findings: [Finding] = []
  /// What the remote's refs need and no pack is known to hold.
  private(set) var missing: [AnyID] = []
  /// What lies there as it should and builds on what is whole nowhere: of use once somebody has put that.
  private(set) var hanging: [AnyID] = []
  let objects: WholeObjects
  private(set) var result: RemoteCheckResult

  var isWhole: Bool { findings.isEmpty && missing.isEmpty }

  init(
    _ repository: Repository, _ remote: OpenRemote, _ progress: @escaping ProgressHandler
  ) throws(DSVError) {
    objects = WholeObjects(repository.store, remote)
    result = RemoteCheckResult(remote: remote.name)
    let packs = try remote.catalogue.allPacks.filter { $0.condemnedTime == nil }
    let inspector = try PackInspector(remote, objects)
    let total = packs.reduce(0) { $0 + $1.byteCount }
    // Each takes a pack's length of memory.
    for start in stride(from: 0, to: packs.count, by: 2) {
      try progress(
        Progress(phase: "reading back \(remote.name)", done: result.byteCount, total: total, unit: .bytes))
      let group = Array(packs[start...].prefix(2))
      let found = try Parallel.map(group.count, width: 2) { (number) throws(DSVError) in
        try inspector.inspect(group[number])
      }
      for finding in found {
        (result.packCount, result.byteCount) = (
          result.packCount + 1, result.byteCount + finding.pack.byteCount
        )
        result.objectCount += finding.items.count
        if !finding.isSound || !finding.hanging.isEmpty || finding.pack.isLacking { findings.append(finding) }
      }
    }
    for finding in findings where finding.pack.isLacking {
      objects.add(finding.items.map { ($0.id, $0.place) })
    }
    missing = try Self.missing(remote, objects, progress)
    try settleHanging(remote.catalogue)
    findings = findings.filter { !$0.isSound }
    // What leaves the disk for them must be looked at again first.
    for finding in findings { try remote.catalogue.forgetVerified(finding.pack.id) }
    result.missingCount = missing.count
    result.damaged = findings.map { finding in
      let problem = finding.problem ?? finding.objectProblem ?? finding.indexProblem ?? ""
      return RemoteCheckResult.Pack(key: finding.pack.key, problem: problem, objectCount: finding.bad.count)
    }
  }

  /// Finds out what becomes of objects whose base is whole nowhere, or in no pack.
  private mutating func settleHanging(_ catalogue: Catalogue) throws(DSVError) {
    let missing = Set(missing)
    var bases: [AnyID: Bool] = [:]
    for index in findings.indices {
      for (id, base) in findings[index].hanging {
        var isWhole = bases[base]
        if isWhole == nil { isWhole = try objects.whole(base) != nil }
        bases[base] = isWhole
        if isWhole == true {
          // Put in its place, the base serves those that build on it.
          if missing.contains(base) { continue }
          if try catalogue.contains(base) { continue }
        } else if try objects.whole(id) == nil {
          hanging.append(id)
          continue
        }
        findings[index].bad.append(id)
        if findings[index].objectProblem == nil {
          findings[index].objectProblem = "object \(id): the remote does not have its base \(base) whole"
        }
      }
    }
  }

  /// What the remote's refs lead to, as far as that can be read anywhere, and no pack is known to hold.
  private static func missing(
    _ remote: OpenRemote, _ objects: WholeObjects, _ progress: @escaping ProgressHandler
  ) throws(DSVError) -> [AnyID] {
    let needed = NeededObjects(remote.catalogue, objects)
    let reader = ObjectReader(needed, cache: ObjectCache(byteCountMax: 32 << 20), pool: .onCaller)
    // Below what is whole nowhere nothing is known.
    var walk = Reachability(VersionReader(reader), onMissing: { _, _ in })
    for ref in try remote.catalogue.refs() {
      try progress(Progress(phase: "walking \(remote.name)/\(ref.name)", done: 0, total: nil, unit: .objects))
      try walk.add(ref.commit)
    }
    return needed.missing
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

  /// What the catalogue does not know.
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

/// Reads packs of a remote back. Asked by several threads.
private struct PackInspector: Sendable {
  private static let pieceByteCount = 8 << 20

  private let remote: OpenRemote
  private let objects: WholeObjects
  /// The packs that lie there, by key, with their lengths.
  private let listed: [String: Int]
  /// How many objects the catalogue knows of each pack, by slot.
  private let counts: [UInt32: Int]
  /// Whether some packs' objects are not known, so that what others build on may be there all the same.
  private let isLacking: Bool

  private var catalogue: Catalogue { remote.catalogue }

  init(_ remote: OpenRemote, _ objects: WholeObjects) throws(DSVError) {
    (self.remote, self.objects) = (remote, objects)
    listed = try PackVerification.listed(remote.tier)
    var counts: [UInt32: Int] = [:]
    try remote.catalogue.forEachObject { _, place in counts[place.pack.slot, default: 0] += 1 }
    try remote.catalogue.forEachSpare { _, place in counts[place.pack.slot, default: 0] += 1 }
    self.counts = counts
    isLacking = try remote.catalogue.allPacks.contains { $0.isLacking && $0.condemnedTime == nil }
  }

  /// Looks twice where something is wrong: it may have been damaged on the way.
  func inspect(_ pack: RemotePack) throws(DSVError) -> RemoteInspection.Finding {
    let finding = try inspectOnce(pack)
    return finding.isSound ? finding : try inspectOnce(pack)
  }

  private func inspectOnce(_ pack: RemotePack) throws(DSVError) -> RemoteInspection.Finding {
    var finding = RemoteInspection.Finding(pack: pack)
    let bytes = try bytes(of: pack, &finding)
    if finding.problem == nil, !PackScan.beginsPack(bytes, pack.id) {
      finding.problem = "it does not begin as a pack does"
    }
    try findItems(bytes, &finding)
    finding.items.sort { $0.place.offset < $1.place.offset }
    let codec = try catalogue.codec(of: pack)
    for (id, place) in finding.items {
      switch try verdict(id, place, bytes, codec) {
      case .sound: break
      case .hanging(let base): finding.hanging.append((id, base))
      case .bad(let problem):
        finding.bad.append(id)
        let isNamed = problem.hasPrefix("object \(id)")
        if finding.objectProblem == nil {
          finding.objectProblem = isNamed ? problem : "object \(id): \(problem)"
        }
      }
    }
    return finding
  }

  /// What lies there of a pack, from its beginning on.
  private func bytes(
    of pack: RemotePack, _ finding: inout RemoteInspection.Finding
  ) throws(DSVError) -> [UInt8] {
    guard let byteCount = listed[pack.key] else {
      finding.problem = "it is gone"
      return []
    }
    if byteCount != pack.byteCount { finding.problem = "it has \(byteCount) bytes, not \(pack.byteCount)" }
    var bytes: [UInt8] = []
    let end = min(byteCount, pack.byteCount)
    do throws(DSVError) {
      while bytes.count < end {
        let piece = bytes.count..<min(end, bytes.count + Self.pieceByteCount)
        bytes += try remote.bucket.get(pack.key, range: piece)
      }
    } catch {
      guard error.code == .notFound || error.code == .corrupt else { throw error }
      finding.problem = error.message
    }
    return bytes
  }

  /// What the pack should hold, as its index says, or the catalogue, or at least the pack.
  private func findItems(
    _ bytes: [UInt8], _ finding: inout RemoteInspection.Finding
  ) throws(DSVError) {
    let pack = finding.pack
    do throws(DSVError) {
      finding.items = try remote.tier.places.objects(in: pack).map { (id: $0.0, place: $0.1) }
      if pack.isLacking || finding.items.count == counts[pack.slot, default: 0] { return }
      finding.indexProblem =
        "its index lists \(finding.items.count) objects, not \(counts[pack.slot, default: 0])"
    } catch {
      guard error.code == .corrupt else { throw error }
      finding.indexProblem = error.message
    }
    let scan = PackScan(bytes, try catalogue.codec(of: pack))
    if finding.problem == nil, scan.isWhole {
      finding.index = scan.index(of: pack.id, byteCount: pack.byteCount)
    }
    finding.items = scan.entries.map { ($0.id, RemotePlace(pack, $0.place(in: pack.slot))) }
    guard !pack.isLacking else { return }
    var known: [(id: AnyID, place: RemotePlace)] = []
    try catalogue.forEachObject { if $1.pack.slot == pack.slot { known.append(($0, $1)) } }
    try catalogue.forEachSpare { if $1.pack.slot == pack.slot { known.append(($0, $1)) } }
    finding.items = known
  }

  private enum Verdict {
    case sound
    case bad(String)
    /// It is what it should be, and its base is in no pack, or whole nowhere.
    case hanging(AnyID)
  }

  private func verdict(
    _ id: AnyID, _ place: RemotePlace, _ bytes: [UInt8], _ codec: PackCodec
  ) throws(DSVError) -> Verdict {
    guard place.range.upperBound <= bytes.count else { return .bad("the pack ends before it") }
    let object: StoredObject
    do throws(DSVError) {
      object = try codec.object(id, in: Array(bytes[place.range]))
      guard object.kind == place.kind, object.base?.depth ?? 0 == place.baseDepth else {
        return .bad("it is not what the pack's index says")
      }
    } catch { return .bad(error.message) }
    if let problem = objects.problem(id, object) {
      if let base = object.base, try objects.whole(base.id) == nil { return .hanging(base.id) }
      return .bad(problem)
    }
    guard let base = object.base, !isLacking else { return .sound }
    guard let depth = try catalogue.baseDepth(of: base.id) else { return .hanging(base.id) }
    return depth < base.depth ? .sound : .bad("its base \(base.id) has too many bases of its own")
  }
}
