package import DSVFormat

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

  private let codec: PackCodec
  /// The pack as it is so far.
  package private(set) var bytes: [UInt8]
  package private(set) var entries: [Entry] = []

  package init(_ codec: PackCodec) { (self.codec, bytes) = (codec, codec.header) }

  /// A plain pack.
  package init(packID: PackID = .random()) { self.init(PackCodec(packID: packID, sealer: nil)) }

  package var packID: PackID { codec.packID }
  package var isEmpty: Bool { entries.isEmpty }

  package mutating func append(_ id: AnyID, _ object: StoredObject) throws(DSVError) {
    guard codec.recordByteCount(object) <= PackLayout.storedByteCountMax,
      UInt32(exactly: object.plainByteCount) != nil
    else {
      throw DSVError(.badInput, "object \(id): \(object.bytes.count) bytes are too many for one object")
    }
    let record = codec.record(id, object)
    entries.append(
      Entry(
        id, bytes.count, stored: record.count - PackLayout.Record.byteCount, plain: object.plainByteCount,
        kind: object.kind, depth: object.base?.depth ?? 0))
    bytes += record
  }
}

extension PackLayout {
  /// Where the first record of a pack begins.
  package static let firstRecordOffset = Header.byteCount
  /// How much of a record stands before its body.
  package static let recordHeaderByteCount = Record.byteCount
}
