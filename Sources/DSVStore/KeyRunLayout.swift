package import DSVFormat

/// What a run of keys says of itself. Normative text: `format-spec/keys.md`.
package struct KeyRunHeader: Equatable, Sendable {
  static let magic: UInt32 = 0x4b76_7364
  static let revision: UInt16 = 1
  static let byteCount = 112
  /// A hash and a row, counted from the run's first.
  static let entryByteCount = 21
  /// What five bytes can count.
  static let rowCountMax = 1 << 40
  /// Where a bucket ends, and its checksum.
  static let bucketByteCount = 16
  static let bucketBitCountMax = 20

  /// Tells the keys of one table, and the secret they are hashed with, from others.
  package var family: UInt64
  /// What the key's columns hold before the run, and up to its end.
  package var start, end: AnyID
  package var firstRow: Int
  package var rowCount: Int

  package init(family: UInt64, start: AnyID, end: AnyID, firstRow: Int, rowCount: Int) {
    (self.family, self.start, self.end) = (family, start, end)
    (self.firstRow, self.rowCount) = (firstRow, rowCount)
  }

  package var endRow: Int { firstRow + rowCount }

  /// How many of a hash's first bits are its bucket's number: so many that a bucket has 64 to 128 entries.
  var bucketBitCount: Int {
    let bucketCount = max(1, rowCount >> 6)
    return min(Self.bucketBitCountMax, Int.bitWidth - 1 - bucketCount.leadingZeroBitCount)
  }
  var bucketCount: Int { 1 << bucketBitCount }
  var directoryByteCount: Int { bucketCount * Self.bucketByteCount }
  var fileByteCount: Int { Self.byteCount + directoryByteCount + rowCount * Self.entryByteCount }

  @inline(__always)
  func bucket(of hash: SipHash.Digest) -> Int {
    // A shift by 64 gives 0.
    Int(hash.first >> UInt64(64 - bucketBitCount))
  }

  var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.write(Self.magic)
    writer.write(Self.revision)
    writer.write(UInt16(0))
    writer.write(family)
    writer.write(start)
    writer.write(end)
    writer.write(UInt64(firstRow))
    writer.write(UInt64(rowCount))
    writer.write(Hash64.of(writer.bytes))
    writer.write(UInt64(0))
    return writer.bytes
  }

  /// The checksum that ends the header, which every bucket's begins from.
  var checksum: UInt64 { Hash64.of(Array(bytes[..<(Self.byteCount - 16)])) }

  /// - Throws: `corrupt` or `unsupportedFormat`; either means that the run is to be made again.
  init(_ bytes: UnsafeRawBufferPointer, of subject: String) throws(DSVError) {
    var reader = ByteReader(bytes, of: subject)
    guard try reader.read(UInt32.self) == Self.magic else { throw reader.corrupt("no run of keys") }
    let revision = try reader.read(UInt16.self)
    guard revision == Self.revision else { throw reader.unsupported("revision \(revision)") }
    guard try reader.read(UInt16.self) == 0 else { throw reader.unsupported("a reserved field") }
    family = try reader.read(UInt64.self)
    (start, end) = (try reader.readID(), try reader.readID())
    let (first, count) = (try reader.read(UInt64.self), try reader.read(UInt64.self))
    guard first <= 1 << 48, (1...UInt64(Self.rowCountMax)).contains(count) else {
      throw reader.corrupt("row counts that cannot be")
    }
    (firstRow, rowCount) = (Int(first), Int(count))
    guard try reader.read(UInt64.self) == checksum, try reader.read(UInt64.self) == 0 else {
      throw reader.corrupt("a wrong checksum")
    }
    try reader.finish()
  }
}
