import DSVFormat
import DSVRemote

/// Packs that are so small that each is fetched whole with one request, and many of them at once: where a remote has one for
/// every commit, a round trip for each would be what takes the time.
///
/// Memory: ``byteCountMax``.
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

  /// The small packs in the order in which they came to the remote; `nil` until it is wanted.
  private var order: [RemotePack]?
  private var lastSlot: UInt32?
  /// How many packs are fetched with the next that is missing, itself counted.
  private var window = 1
  /// Those that were fetched ahead last, how many they were, and which nobody has asked for yet.
  private var aheadCount = 0
  private var unused: Set<UInt32> = []

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

  /// Fetches a small pack, and with it others that came to the remote before or after it: who needs one after the other
  /// gets ever more at once, as long as those serve.
  mutating func fetch(_ pack: RemotePack) throws(DSVError) {
    guard held[pack.slot] == nil else { return }
    window = unused.count * 2 > aheadCount ? 1 : min(window * 2, Self.batchCount)
    let ahead = try neighbours(of: pack, count: lastSlot == nil ? 0 : window - 1)
    lastSlot = pack.slot
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
      guard let bytes else { continue }
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

  /// The next small packs on the side to which the last one led, which are not here.
  private mutating func neighbours(of pack: RemotePack, count: Int) throws(DSVError) -> [RemotePack] {
    guard count > 0 else { return [] }
    if order == nil {
      let packs = try remote.catalogue.allPacks
      order = packs.filter { $0.condemnedTime == nil && isSmall($0) }
    }
    guard let order else { return [] }
    let isUpwards = lastSlot.map { $0 < pack.slot } ?? false
    let start = order.firstIndex { $0.slot >= pack.slot } ?? order.count
    var (found, size): ([RemotePack], Int) = ([], 0)
    func add(_ pack: RemotePack) -> Bool {
      guard found.count < count, size + pack.byteCount <= Self.batchByteCount else { return false }
      if held[pack.slot] == nil {
        found.append(pack)
        size += pack.byteCount
      }
      return true
    }
    if isUpwards {
      for next in order[start...].dropFirst() where !add(next) { break }
    } else {
      for next in order[..<start].reversed() where !add(next) { break }
    }
    return found
  }
}
