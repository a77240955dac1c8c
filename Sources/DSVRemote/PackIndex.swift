package import DSVFormat
package import DSVStore

/// The value that says what a remote's pack holds, and where: `packs/….idx`.
package struct PackIndex: Sendable, Equatable {
  /// "dsvI"
  static let magic: UInt32 = 0x4976_7364
  static let revision: UInt16 = 1
  /// What an entry takes.
  static let entryByteCount = 49

  package let packID: PackID
  /// The pack's length.
  package let packByteCount: Int
  /// In ascending order of IDs.
  package let entries: [PackBuilder.Entry]

  package init(packID: PackID, packByteCount: Int, entries: [PackBuilder.Entry]) {
    (self.packID, self.packByteCount) = (packID, packByteCount)
    self.entries = entries.sorted { $0.id < $1.id }
  }

  package init(_ pack: PackBuilder) {
    self.init(packID: pack.packID, packByteCount: pack.bytes.count, entries: pack.entries)
  }

  package var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.writeHeader(Self.magic, Self.revision)
    writer.write(bytes: packID.bytes)
    writer.write(UInt64(packByteCount))
    writer.write(UInt64(entries.count))
    for entry in entries {
      writer.write(entry.id)
      writer.write(UInt64(entry.offset))
      writer.write(UInt32(entry.storedByteCount))
      writer.write(UInt32(entry.plainByteCount))
      writer.write(entry.kind.rawValue | UInt8(entry.baseDepth) << 4)
    }
    return writer.sealed
  }

  package init(_ bytes: [UInt8], of subject: String) throws(DSVError) {
    self = try withChecked(bytes, of: subject) { (reader) throws(DSVError) in
      try reader.readHeader(Self.magic, Self.revision)
      let packID = try reader.readPackID()
      let packByteCount = try reader.read(UInt64.self)
      let count = try reader.read(UInt64.self)
      guard packByteCount < 1 << 40, count == UInt64(reader.remaining / Self.entryByteCount) else {
        throw reader.corrupt("a length is out of bounds")
      }
      var entries: [PackBuilder.Entry] = []
      entries.reserveCapacity(Int(count))
      for _ in 0..<count {
        let entry = try Self.entry(&reader, packByteCount: packByteCount)
        if let last = entries.last, last.id >= entry.id { throw reader.corrupt("IDs are not in order") }
        entries.append(entry)
      }
      return PackIndex(packID: packID, packByteCount: Int(packByteCount), sorted: entries)
    }
  }

  private init(packID: PackID, packByteCount: Int, sorted: [PackBuilder.Entry]) {
    (self.packID, self.packByteCount, entries) = (packID, packByteCount, sorted)
  }

  private static func entry(
    _ reader: inout ByteReader, packByteCount: UInt64
  ) throws(DSVError) -> PackBuilder.Entry {
    let id: AnyID = try reader.readID()
    let offset = try reader.read(UInt64.self)
    let stored = Int(try reader.read(UInt32.self))
    let plain = Int(try reader.read(UInt32.self))
    let code = try reader.read(UInt8.self)
    let depth = Int(code >> 4)
    guard let kind = ObjectKind(rawValue: code & 15), depth <= ObjectBase.depthMax,
      stored <= PackLayout.storedByteCountMax, offset >= UInt64(PackLayout.firstRecordOffset),
      offset <= packByteCount,
      packByteCount - offset >= UInt64(PackLayout.recordHeaderByteCount + stored)
    else { throw reader.corrupt("an entry is out of bounds") }
    return PackBuilder.Entry(id, Int(offset), stored: stored, plain: plain, kind: kind, depth: depth)
  }
}
