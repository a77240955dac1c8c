import DSVFormat
import DSVRemote

/// Packs that are so small that each is fetched whole with one request, and many of them at once: where a remote has one for
/// every commit, a round trip for each would be what takes the time.
///
/// Memory: ``byteCountMax``, and what is fetched at once.
struct SmallPacks {
  private struct Held {
    let bytes: [UInt8]
    var use: Int
  }

  private static let byteCountMax = 32 << 20
  /// How many packs, and bytes of them, are asked for at once.
  private static let batchCount = 64
  private static let batchByteCount = 8 << 20
  private static let width = 8

  private let remote: OpenRemote
  /// A pack with no more bytes is small.
  private let packByteCountMax: Int
  private var held: [UInt32: Held] = [:]
  private var byteCount = 0
  private var useCount = 0
  private(set) var fetchedByteCount = 0

  /// The packs of commits in the order in which they were asked for first, from new to old; and where each stands in it.
  private var trail: [RemotePack] = []
  private var places: [UInt32: Int] = [:]
  /// How many packs are fetched with the next that is missing, itself counted.
  private var window = 1
  /// Those that were fetched ahead last, how many they were, and which nobody has asked for yet.
  private var aheadCount = 0
  private var unused: Set<UInt32> = []
  /// Packs that could not be had when they were fetched ahead: they are left to who asks for them.
  private var refused: Set<UInt32> = []

  init(_ remote: OpenRemote, packByteCountMax: Int) {
    (self.remote, self.packByteCountMax) = (remote, packByteCountMax)
  }

  func isSmall(_ pack: RemotePack) -> Bool { pack.byteCount <= packByteCountMax }

  /// The bytes of a small pack that is here.
  mutating func bytes(of slot: UInt32) -> [UInt8]? {
    useCount += 1
    held[slot]?.use = useCount
    unused.remove(slot)
    return held[slot]?.bytes
  }

  /// Fetches the small pack of a commit or snapshot, and with it those of commits that will be asked for next: ever more at
  /// once, as long as those serve.
  ///
  /// Commits are asked for from new to old, and what they lead to from old to new.
  /// - Parameter isWanted: whether a commit is missing here.
  mutating func fetch(
    _ pack: RemotePack, of id: AnyID, _ isWanted: (CommitID) throws(DSVError) -> Bool
  ) throws(DSVError) {
    let place = places[pack.slot]
    if place == nil {
      places[pack.slot] = trail.count
      trail.append(pack)
    }
    guard held[pack.slot] == nil else { return }
    let isFirst = trail.count == 1
    window = unused.count * 2 > aheadCount ? 1 : min(window * 2, Self.batchCount)
    var ahead: [RemotePack] = []
    if let place { ahead = before(place) } else if !isFirst { ahead = try older(than: id, isWanted) }
    try fetch([pack], ahead: ahead)
    (aheadCount, unused) = (ahead.count, Set(ahead.map(\.slot)))
  }

  /// Fetches those of these packs that are not here; more of them than there is room for stay away.
  mutating func fetch(all packs: [RemotePack]) throws(DSVError) {
    var (batch, size, total): ([RemotePack], Int, Int) = ([], 0, 0)
    for pack in packs where held[pack.slot] == nil {
      total += pack.byteCount
      guard total <= Self.byteCountMax / 2 else { break }
      batch.append(pack)
      size += pack.byteCount
      if batch.count >= Self.batchCount || size >= Self.batchByteCount {
        try fetch(batch, ahead: [])
        (batch, size) = ([], 0)
      }
    }
    if !batch.isEmpty { try fetch(batch, ahead: []) }
  }

  /// - Parameter ahead: packs that nobody has asked for; one that cannot be had is left to who does.
  private mutating func fetch(_ wanted: [RemotePack], ahead: [RemotePack]) throws(DSVError) {
    let (packs, bucket) = (wanted + ahead, remote.bucket)
    let fetched = try Parallel.map(packs.count, width: Self.width) { (index) throws(DSVError) -> [UInt8]? in
      do throws(DSVError) { return try bucket.get(packs[index].key, range: 0..<packs[index].byteCount) } catch
      {
        guard index >= wanted.count else { throw error }
        return nil
      }
    }
    for (pack, bytes) in zip(packs, fetched) {
      guard let bytes else {
        refused.insert(pack.slot)
        continue
      }
      useCount += 1
      fetchedByteCount += bytes.count
      byteCount += bytes.count
      held[pack.slot] = Held(bytes: bytes, use: useCount)
    }
    makeRoom()
  }

  private mutating func makeRoom() {
    guard byteCount > Self.byteCountMax else { return }
    for (slot, pack) in held.sorted(by: { $0.value.use < $1.value.use }) {
      held[slot] = nil
      byteCount -= pack.bytes.count
      if byteCount <= Self.byteCountMax / 2 { return }
    }
  }

  private func mayFetch(_ pack: RemotePack, with found: [RemotePack]) -> Bool {
    isSmall(pack) && pack.condemnedTime == nil && held[pack.slot] == nil && !refused.contains(pack.slot)
      && !found.contains { $0.slot == pack.slot }
  }

  /// The packs that were asked for before one.
  private func before(_ place: Int) -> [RemotePack] {
    var (found, size): ([RemotePack], Int) = ([], 0)
    for pack in trail[..<place].reversed() where mayFetch(pack, with: found) {
      size += pack.byteCount
      guard found.count + 1 < window, size <= Self.batchByteCount else { break }
      found.append(pack)
    }
    return found
  }

  /// The packs of commits that the remote numbers before one, and that are missing here.
  private func older(
    than id: AnyID, _ isWanted: (CommitID) throws(DSVError) -> Bool
  ) throws(DSVError) -> [RemotePack] {
    guard let number = try remote.catalogue.number(of: CommitID(id)) else { return [] }
    var (found, size): ([RemotePack], Int) = ([], 0)
    // Others' commits that are here, and own ones, lie between.
    for number in (max(1, number - 4 * window)..<number).reversed() {
      guard let commit = try remote.catalogue.commit(number: number), try isWanted(commit),
        let pack = try remote.catalogue.place(of: AnyID(commit))?.pack, mayFetch(pack, with: found)
      else { continue }
      size += pack.byteCount
      guard found.count + 1 < window, size <= Self.batchByteCount else { break }
      found.append(pack)
    }
    return found
  }
}
