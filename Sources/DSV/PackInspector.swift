import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore

/// Reads packs of a remote back. Asked by several threads.
///
/// Memory: a pack, at most ``RemoteLayout/packByteCountMax``, and what its index lists, at most
/// ``RemoteLayout/indexByteCountMax`` and five times that decoded, whatever the remote says of their lengths.
struct PackInspector: Sendable {
  typealias Item = (id: AnyID, place: RemotePlace)

  private static let pieceByteCount = 8 << 20

  private let remote: OpenRemote
  private let objects: WholeObjects
  /// The packs that lie there, by key, with their lengths.
  private let listed: [String: Int]
  /// How many objects the catalogue knows of each pack, by slot.
  private let counts: [UInt32: Int]
  /// Whether some packs' objects are not known, so that what others build on may be there all the same.
  let isLacking: Bool

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

  /// What the catalogue knows of packs that are to be looked at again, by slot. Walks all of it, once.
  func known(of packs: [RemotePack]) throws(DSVError) -> [UInt32: [Item]] {
    var known: [UInt32: [Item]] = [:]
    for pack in packs { known[pack.slot] = [] }
    guard !packs.isEmpty else { return known }
    try catalogue.forEachObject { known[$1.pack.slot]?.append(($0, $1)) }
    try catalogue.forEachSpare { known[$1.pack.slot]?.append(($0, $1)) }
    return known
  }

  /// - Parameter known: what the catalogue knows of a pack that is looked at again, as something was wrong the first time: it may
  ///   have been damaged on the way. Without it, not all is looked at once something is wrong.
  func inspect(_ pack: RemotePack, known: [Item]? = nil) throws(DSVError) -> RemoteInspection.Finding {
    var finding = RemoteInspection.Finding(pack: pack)
    let bytes = try bytes(of: pack, &finding)
    if finding.problem == nil, !PackScan.beginsPack(bytes, pack.id) {
      finding.problem = "it does not begin as a pack does"
    }
    try findItems(bytes, known, &finding)
    if known == nil, !finding.isSound { return finding }
    finding.items.sort { $0.place.offset < $1.place.offset }
    let codec = try catalogue.codec(of: pack)
    for (id, place) in finding.items {
      switch try verdict(id, place, bytes, codec) {
      case .sound(let base): if let base { finding.bases.insert(base) }
      case .hanging(let base):
        finding.bases.insert(base)
        finding.hanging.append((id, base))
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

  /// What lies there of a pack, from its beginning on; nothing of one that is longer than a pack may be.
  private func bytes(
    of pack: RemotePack, _ finding: inout RemoteInspection.Finding
  ) throws(DSVError) -> [UInt8] {
    guard let byteCount = listed[pack.key] else {
      finding.problem = "it is gone"
      return []
    }
    if byteCount != pack.byteCount { finding.problem = "it has \(byteCount) bytes, not \(pack.byteCount)" }
    let end = min(byteCount, pack.byteCount)
    guard end <= RemoteLayout.packByteCountMax else {
      finding.problem =
        "it has \(byteCount) bytes, and no pack has more than \(RemoteLayout.packByteCountMax)"
      return []
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(end)
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
    _ bytes: [UInt8], _ known: [Item]?, _ finding: inout RemoteInspection.Finding
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
    guard let known else { return }
    let scan = PackScan(bytes, try catalogue.codec(of: pack))
    if finding.problem == nil, scan.isWhole {
      finding.index = scan.index(of: pack.id, byteCount: pack.byteCount)
    }
    finding.items =
      pack.isLacking ? scan.entries.map { ($0.id, RemotePlace(pack, $0.place(in: pack.slot))) } : known
  }

  private enum Verdict {
    case sound(base: AnyID?)
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
    } catch {
      guard error.code == .corrupt || error.code == .notFound else { throw error }
      return .bad(error.message)
    }
    if let problem = try objects.verdict(id, object) {
      if let base = object.base, try objects.whole(base.id) == nil { return .hanging(base.id) }
      return .bad(problem)
    }
    guard let base = object.base, !isLacking else { return .sound(base: object.base?.id) }
    guard let depth = try catalogue.baseDepth(of: base.id) else { return .hanging(base.id) }
    return depth < base.depth
      ? .sound(base: base.id) : .bad("its base \(base.id) has too many bases of its own")
  }
}
