package import DSVFormat

/// Reads records out of a pack's bytes that are in memory, wherever they came from.
package enum RecordBytes {
  /// A record that is sound: its checksum fits, and nothing more is known of what it holds.
  package struct Found {
    package let id: AnyID
    package let object: StoredObject
    /// Header and body.
    package let byteCount: Int
  }

  /// How long a record's header is, and a pack's.
  package static let headerByteCount = PackLayout.Record.byteCount
  package static let packHeaderByteCount = PackLayout.Header.byteCount

  /// The record that `bytes` begins with; `nil` if they begin with none, or end before it does.
  package static func first(in bytes: UnsafeRawBufferPointer) -> Found? {
    guard let record = PackRecord(bytes), record.byteCount <= bytes.count else { return nil }
    let body = UnsafeRawBufferPointer(rebasing: bytes[headerByteCount..<record.byteCount])
    guard record.matches(body) else { return nil }
    return Found(id: record.id, object: record.object(body), byteCount: record.byteCount)
  }

  /// How long the record is that these bytes begin with, as its header says; `nil` if that is none.
  package static func byteCount(of header: UnsafeRawBufferPointer) -> Int? { PackRecord(header)?.byteCount }

  /// A pack with these records, as it would lie in a folder, and where each of them is.
  package static func pack(
    id: [UInt8], _ objects: [(AnyID, StoredObject)], number: UInt32
  ) -> (bytes: [UInt8], places: [(AnyID, Place)]) {
    var bytes = PackHeader(packID: id).bytes
    var places: [(AnyID, Place)] = []
    for (id, object) in objects {
      let record = PackRecord(id, object)
      places.append((id, Place(number, bytes.count, record)))
      bytes += record.bytes
      bytes += object.body
    }
    return (bytes, places)
  }
}
