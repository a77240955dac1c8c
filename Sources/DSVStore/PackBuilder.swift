package import DSVFormat
import DSVSystem

/// A pack that is made in memory, to be put somewhere whole.
package struct PackBuilder: Sendable {
  /// Where an object of the pack lies, and how large it is.
  package struct Entry: Sendable, Hashable {
    package let id: AnyID
    /// Where the record's header begins.
    package let offset: Int
    package let storedByteCount: Int
    package let plainByteCount: Int
    package let kind: ObjectKind
    package let baseDepth: Int

    package init(_ id: AnyID, _ offset: Int, stored: Int, plain: Int, kind: ObjectKind, depth: Int) {
      (self.id, self.offset, storedByteCount, plainByteCount) = (id, offset, stored, plain)
      (self.kind, baseDepth) = (kind, depth)
    }

    /// The place in a pack that is known by a number.
    package func place(in pack: UInt32) -> Place {
      Place(
        pack: pack, offset: offset, stored: storedByteCount, plain: plainByteCount, kind: kind,
        depth: baseDepth)
    }
  }

  /// 16 random bytes.
  package let packID: [UInt8]
  /// The pack as it is so far.
  package private(set) var bytes: [UInt8]
  package private(set) var entries: [Entry] = []

  package init(packID: [UInt8] = Random.bytes(16)) {
    self.packID = packID
    bytes = PackHeader(packID: packID).bytes
  }

  package var isEmpty: Bool { entries.isEmpty }

  package mutating func append(_ id: AnyID, _ object: StoredObject) throws(DSVError) {
    try append(id, object, record: PackRecord(id, object).bytes + object.body)
  }

  /// - Parameter record: the object's record, header and body, as it is to stand in the pack.
  package mutating func append(_ id: AnyID, _ object: StoredObject, record: [UInt8]) throws(DSVError) {
    let storedByteCount = record.count - PackLayout.Record.byteCount
    guard storedByteCount <= PackLayout.storedByteCountMax, UInt32(exactly: object.plainByteCount) != nil
    else {
      throw DSVError(.badInput, "object \(id): \(object.bytes.count) bytes are too many for one object")
    }
    entries.append(
      Entry(
        id, bytes.count, stored: storedByteCount, plain: object.plainByteCount, kind: object.kind,
        depth: object.base?.depth ?? 0))
    bytes += record
  }
}

extension PackLayout {
  /// Where the first record of a pack begins.
  package static let firstRecordOffset = Header.byteCount
  /// How much of a record stands before its body.
  package static let recordHeaderByteCount = Record.byteCount

  /// The object in a record, whose checksum is verified.
  ///
  /// - Throws: `.corrupt` if `record` is not the record of that object and nothing else.
  package static func object(
    _ id: AnyID, in record: UnsafeRawBufferPointer, of subject: String
  ) throws(DSVError) -> StoredObject {
    guard let header = PackRecord(record), header.id == id, header.byteCount == record.count else {
      throw DSVError(.corrupt, "object \(id): its record in \(subject) is damaged")
    }
    let body = UnsafeRawBufferPointer(rebasing: record[Record.byteCount...])
    guard header.matches(body) else {
      throw DSVError(.corrupt, "object \(id): its record in \(subject) does not match its checksum")
    }
    return header.object(body)
  }
}
