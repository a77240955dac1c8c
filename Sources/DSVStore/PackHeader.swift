import DSVFormat
import DSVSystem

/// The beginning of a pack file.
struct PackHeader: Equatable {
  typealias Layout = PackLayout.Header

  /// 16 random bytes: two packs of one number, in two repositories, are told apart by them.
  let packID: [UInt8]

  /// A new pack's.
  init(packID: [UInt8] = Random.bytes(16)) {
    precondition(packID.count == 16)
    self.packID = packID
  }

  /// Reads a header.
  ///
  /// - Throws: `.corrupt`, or `.unsupportedFormat` for a later revision.
  init(_ bytes: [UInt8], path: String) throws(DSVError) {
    let (magic, revision, reserved, packID, checksum) = try bytes.withBytes { (bytes) throws(DSVError) in
      var reader = ByteReader(bytes, of: path)
      return (
        try reader.read(UInt32.self), try reader.read(UInt16.self), try reader.read(UInt16.self),
        [UInt8](try reader.readBytes(16)), try reader.read(UInt64.self)
      )
    }
    guard magic == Layout.magicValue, checksum == Hash64.of(Array(bytes[..<Layout.checksum])) else {
      throw DSVError(.corrupt, "\(path): its first \(Layout.byteCount) bytes are no pack's header")
    }
    guard revision == Layout.revisionValue, reserved == 0 else {
      throw DSVError(.unsupportedFormat, "\(path): a pack of revision \(revision) needs a newer dsv")
    }
    self.packID = packID
  }

  var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.write(Layout.magicValue)
    writer.write(Layout.revisionValue)
    writer.write(UInt16(0))
    writer.write(bytes: packID)
    writer.write(Hash64.of(writer.bytes))
    return writer.bytes
  }
}
