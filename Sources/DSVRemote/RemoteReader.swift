package import DSVFormat
package import DSVStore
import DSVSystem

/// Reads objects of a remote by ranges of its packs: neighbours with one request.
///
/// What it gives was checked against its record's checksum, or was authenticated; not against its ID.
package struct RemoteReader: Sendable {
  /// Records that are read with one request.
  package struct Run: Sendable {
    package let pack: RemotePack
    package fileprivate(set) var range: Range<Int>
    package fileprivate(set) var items: [(id: AnyID, place: RemotePlace)]
  }

  /// So many bytes that nobody asked for are read rather than asking twice.
  package static let gapByteCountMax = 32 << 10
  /// Longest stretch that is read with one request, unless one record is longer.
  package static let runByteCountMax = 4 << 20

  package let bucket: any Bucket
  package let catalogue: Catalogue

  package init(_ bucket: any Bucket, _ catalogue: Catalogue) {
    (self.bucket, self.catalogue) = (bucket, catalogue)
  }

  /// The object named `id`; `nil` if the remote does not hold it.
  package func read(_ id: AnyID) throws(DSVError) -> StoredObject? {
    guard let place = try catalogue.place(of: id) else { return nil }
    return try read(Run(pack: place.pack, range: place.range, items: [(id, place)]))[0].object
  }

  /// Puts objects that lie near each other together.
  ///
  /// - Parameter gap: how many bytes between two that are wanted are worth reading.
  package static func runs(
    _ items: [(id: AnyID, place: RemotePlace)], gap: Int = gapByteCountMax, longest: Int = runByteCountMax
  ) -> [Run] {
    var runs: [Run] = []
    let sorted = items.sorted {
      ($0.place.pack.slot, $0.place.offset) < ($1.place.pack.slot, $1.place.offset)
    }
    for item in sorted {
      let range = item.place.range
      if let last = runs.last, last.pack.slot == item.place.pack.slot,
        range.lowerBound - last.range.upperBound <= gap, range.upperBound - last.range.lowerBound <= longest
      {
        runs[runs.count - 1].range = last.range.lowerBound..<max(last.range.upperBound, range.upperBound)
        runs[runs.count - 1].items.append(item)
      } else {
        runs.append(Run(pack: item.place.pack, range: range, items: [item]))
      }
    }
    return runs
  }

  /// The objects of a run, with one request.
  ///
  /// - Throws: `.notFound` if the pack is gone: read on in the log and look the objects up again.
  package func read(_ run: Run) throws(DSVError) -> [(id: AnyID, object: StoredObject)] {
    let bytes = try bucket.get(run.pack.key, range: run.range)
    return try objects(of: run.items, in: bytes, from: run.range.lowerBound)
  }

  /// The objects whose records lie in a stretch of their pack that begins at byte `start`.
  package func objects(
    of items: [(id: AnyID, place: RemotePlace)], in bytes: [UInt8], from start: Int
  ) throws(DSVError) -> [(id: AnyID, object: StoredObject)] {
    guard let pack = items.first?.place.pack else { return [] }
    let subject = "\(bucket.name)/\(pack.key)"
    let codec = try catalogue.codec(of: pack)
    var objects: [(id: AnyID, object: StoredObject)] = []
    for (id, place) in items {
      let range = place.offset - start..<place.offset - start + place.byteCount
      guard range.lowerBound >= 0, range.upperBound <= bytes.count else {
        throw DSVError(.corrupt, "\(subject): it ends before object \(id)")
      }
      let object = try codec.object(id, in: Array(bytes[range]))
      guard object.kind == place.kind, object.base?.depth ?? 0 == place.baseDepth else {
        throw DSVError(.corrupt, "object \(id): it is not what the index of \(subject) says")
      }
      objects.append((id, object))
    }
    return objects
  }
}
