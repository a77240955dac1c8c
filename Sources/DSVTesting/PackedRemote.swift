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
      byteCount += PackLayout.recordByteCount(object.1)
      if byteCount >= packByteCount {
        try putPack(group)
        (group, byteCount) = ([], 0)
      }
    }
    if !group.isEmpty { try putPack(group) }
  }

  private func putPack(_ objects: [(AnyID, StoredObject)]) throws(DSVError) {
    let number = state.withLock { UInt32($0.packs.count + 1) }
    let id = (0..<16).map { index in UInt8(truncatingIfNeeded: Int(number) &* 31 &+ index) }
    let (bytes, places) = RecordBytes.pack(id: id, objects, number: number)
    let pack = RemotePack(number: number, id: id, byteCount: bytes.count)
    try bucket.put(pack.key, bytes)
    state.withLock { state in
      state.packs[number] = pack
      for (id, place) in places where state.places[id] == nil { state.places[id] = place }
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

  package func place(of id: AnyID) throws(DSVError) -> Place? { state.withLock { $0.places[id] } }
  package func pack(_ number: UInt32) throws(DSVError) -> RemotePack? { state.withLock { $0.packs[number] } }

  package var packs: [RemotePack] {
    get throws(DSVError) { state.withLock { $0.packs.values.sorted { $0.number < $1.number } } }
  }

  package func objects(in pack: RemotePack) throws(DSVError) -> [(AnyID, Place)] {
    state.withLock { state in
      state.places.filter { $0.value.pack == pack.number }.sorted { $0.value.offset < $1.value.offset }
    }
  }

  package var totals: (objectCount: Int, byteCount: Int) {
    get throws(DSVError) {
      state.withLock { state in
        (state.places.count, state.packs.values.reduce(0) { $0 + $1.byteCount })
      }
    }
  }
}
