package import DSVFormat

/// What can be told of a record's bytes that are in memory, wherever they came from, without its key.
package enum RecordBytes {
  /// The object that a record is of and how long it is, as its header says; `nil` if these bytes begin with no record.
  package static func header(_ bytes: UnsafeRawBufferPointer) -> (id: AnyID, byteCount: Int)? {
    PackRecord(bytes).map { ($0.id, $0.byteCount) }
  }

  /// Whether these bytes are the record of that object and nothing else, and match their checksum.
  package static func areSound(_ bytes: UnsafeRawBufferPointer, of id: AnyID) -> Bool {
    guard let record = PackRecord(bytes), record.id == id, record.byteCount == bytes.count else {
      return false
    }
    return record.matches(UnsafeRawBufferPointer(rebasing: bytes[PackLayout.Record.byteCount...]))
  }
}
