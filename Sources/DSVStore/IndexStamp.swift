import DSVFormat
import DSVSystem

/// The file `index.stamp`: what the index file was like when dsv last wrote to it.
///
/// If it is like that still, nobody else has touched it and it is used without a look. Else it is verified.
/// The stamp needs no sync: without it, the index is verified.
struct IndexStamp: Equatable {
  /// "dsvS"
  static let magic: UInt32 = 0x5376_7364
  static let byteCount = 56

  let transactionID: UInt64
  let byteCount: Int
  let modified: Int
  let changed: Int
  let inode: UInt64

  init(_ status: FileStatus, transactionID: UInt64) {
    self.transactionID = transactionID
    (byteCount, modified, changed, inode) = (status.byteCount, status.modified, status.changed, status.inode)
  }

  /// Reads a stamp; `nil` if there is none or if it is damaged.
  init?(path: String) throws(DSVError) {
    do throws(DSVError) {
      let bytes = try FileSystem.read(path, limit: Self.byteCount)
      guard bytes.count == Self.byteCount, bytes.number(0, 4) == UInt64(Self.magic), bytes.number(4, 4) == 0,
        bytes.number(48, 8) == Hash64.of(Array(bytes[..<48]))
      else { return nil }
      transactionID = bytes.number(8, 8)
      byteCount = Int(truncatingIfNeeded: bytes.number(16, 8))
      modified = Int(truncatingIfNeeded: bytes.number(24, 8))
      changed = Int(truncatingIfNeeded: bytes.number(32, 8))
      inode = bytes.number(40, 8)
    } catch {
      if error.code == .notFound || error.code == .corrupt { return nil }
      throw error
    }
  }

  var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.write(Self.magic)
    writer.write(UInt32(0))
    writer.write(transactionID)
    for field in [byteCount, modified, changed] { writer.write(Int64(field)) }
    writer.write(inode)
    writer.write(Hash64.of(writer.bytes))
    return writer.bytes
  }

  /// Writes the stamp over the one before it, the fastest way there is: a half-written one has no right checksum, and
  /// counts as none.
  func write(to path: String) throws(DSVError) {
    let file = try File(path, .updateOrCreate)
    if try file.byteCount() > Self.byteCount { try file.truncate(to: Self.byteCount) }
    try file.write(bytes, at: 0)
  }

  /// Whether the index file is as it was when this stamp was made.
  func matches(_ status: FileStatus) -> Bool {
    self == IndexStamp(status, transactionID: transactionID)
  }
}
