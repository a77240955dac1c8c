package import DSVFormat
import DSVStore
import DSVSystem

/// Finds out whether a remote really holds what it is said to hold, by reading it back.
package struct PackVerification {
  private static let pieceByteCount = 8 << 20

  private let remote: RemoteTier

  package init(_ remote: RemoteTier) { self.remote = remote }

  /// The packs that lie in the bucket now, by key, with their lengths. One request for a thousand of them.
  package func listed() throws(DSVError) -> [String: Int] {
    var result: [String: Int] = [:]
    var last: String?
    while true {
      let entries = try remote.bucket.list(prefix: RemoteLayout.packPrefix, after: last, limit: 1000)
      for entry in entries { result[entry.key] = entry.byteCount }
      guard entries.count == 1000, let next = entries.last?.key else { return result }
      last = next
    }
  }

  /// What is wrong with a pack; `nil` if it holds every object that it is said to hold, whole and where it is said to be.
  ///
  /// Reads all of it, a few megabytes at a time.
  package func problem(_ pack: RemotePack) throws(DSVError) -> String? {
    let wanted: [(AnyID, RemotePlace)]
    do throws(DSVError) {
      wanted = try remote.places.objects(in: pack).sorted { $0.1.offset < $1.1.offset }
    } catch {
      guard error.code == .corrupt else { throw error }
      return error.message
    }
    var index = 0
    while index < wanted.count {
      let first = index
      let start = wanted[first].1.offset
      while index < wanted.count {
        let end = wanted[index].1.offset + wanted[index].1.byteCount
        if index > first, end - start > Self.pieceByteCount { break }
        index += 1
      }
      let last = wanted[index - 1].1
      guard last.offset + last.byteCount <= pack.byteCount else { return "it is shorter than its list says" }
      let bytes: [UInt8]
      do throws(DSVError) {
        bytes = try remote.bucket.get(pack.key, range: start..<last.offset + last.byteCount)
      } catch {
        guard error.code == .notFound || error.code == .corrupt else { throw error }
        return error.message
      }
      for (id, place) in wanted[first..<index] {
        let range = place.offset - start..<place.offset - start + place.byteCount
        let isSound = bytes.withBytes { bytes in
          RecordBytes.areSound(UnsafeRawBufferPointer(rebasing: bytes[range]), of: id)
        }
        guard isSound else {
          return "the record of object \(id) at byte \(place.offset) is damaged"
        }
      }
    }
    return nil
  }
}
