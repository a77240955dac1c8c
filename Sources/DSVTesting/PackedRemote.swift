package import DSVFormat
package import DSVRemote
package import DSVStore
import Synchronization

/// A remote made for tests: packs in a bucket, and a list in memory of what they hold.
package final class PackedRemote: RemotePlaces {
  private struct State {
    var packs: [UInt32: RemotePack] = [:]
    var places: [AnyID: Place] = [:]
  }

  package let bucket: any Bucket
  private let state = Mutex(State())

  package init(_ bucket: any Bucket) { self.bucket = bucket }

  /// Puts objects there, in this order, in packs of about so many bytes.
  package func put(_ objects: [(AnyID, StoredObject)], packByteCount: Int = 32 << 20) throws(DSVError) {
    var group: [(AnyID, StoredObject)] = []
    var byteCount = 0
    for object in objects {
      group.append(object)
      byteCount += PackLayout.recordByteCount(object.1, isSealed: false)
      if byteCount >= packByteCount {
        try putPack(group)
        (group, byteCount) = ([], 0)
      }
    }
    if !group.isEmpty { try putPack(group) }
  }

  private func putPack(_ objects: [(AnyID, StoredObject)]) throws(DSVError) {
    let slot = state.withLock { UInt32($0.packs.count + 1) }
    var builder = PackBuilder(packID: PackID(high: 0x7e57, low: UInt64(slot)))
    for (id, object) in objects { try builder.append(id, object) }
    let pack = RemotePack(slot: slot, id: builder.packID, byteCount: builder.bytes.count)
    try bucket.put(pack.key, builder.bytes)
    state.withLock { state in
      state.packs[slot] = pack
      for entry in builder.entries where state.places[entry.id] == nil {
        state.places[entry.id] = entry.place(in: slot)
      }
    }
  }

  /// Puts all objects of a store there, in the order in which they lie in its packs.
  package func put(_ store: Store, packByteCount: Int = 32 << 20) throws(DSVError) {
    var found: [(AnyID, Place)] = []
    try store.forEachObject { (id, place) throws(DSVError) in found.append((id, place)) }
    found.sort { ($0.1.pack, $0.1.offset) < ($1.1.pack, $1.1.offset) }
    try put(
      found.map { (id, _) throws(DSVError) in (id, try store.read(id)) }, packByteCount: packByteCount)
  }

  package func place(of id: AnyID) throws(DSVError) -> RemotePlace? {
    state.withLock { state in
      guard let place = state.places[id], let pack = state.packs[place.pack] else { return nil }
      return RemotePlace(pack, place)
    }
  }

  package func objects(in pack: RemotePack) throws(DSVError) -> [(AnyID, RemotePlace)] {
    state.withLock { state in
      state.places.filter { $0.value.pack == pack.slot }.map { ($0.key, RemotePlace(pack, $0.value)) }
    }
  }

  package func markVerified(_ id: PackID, over slots: [UInt32]) throws(DSVError) -> Bool {
    state.withLock { state in
      for (slot, pack) in state.packs where pack.id == id { state.packs[slot]?.verifiedOver = slots }
    }
    return true
  }

  package func forgetVerified(_ pack: PackID) throws(DSVError) {}
  package func pack(slot: UInt32) throws(DSVError) -> RemotePack? { state.withLock { $0.packs[slot] } }

  package var packs: [RemotePack] { state.withLock { $0.packs.values.sorted { $0.slot < $1.slot } } }

  package var totals: (objectCount: Int, byteCount: Int) {
    get throws(DSVError) {
      state.withLock { state in
        (state.places.count, state.packs.values.reduce(0) { $0 + $1.byteCount })
      }
    }
  }

  package func codec(of pack: RemotePack) throws(DSVError) -> PackCodec {
    PackCodec(packID: pack.id, sealer: nil)
  }
}
