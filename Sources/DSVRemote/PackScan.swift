import DSVFormat
package import DSVStore
import DSVSystem

/// What a pack's own bytes say of what it holds: for a pack whose index is gone or damaged.
package struct PackScan: Sendable {
  /// Records that are sound, in the order in which they lie. What the objects are worth only their IDs tell.
  package private(set) var entries: [PackBuilder.Entry] = []
  /// Whether the bytes are a pack's header and sound records, and nothing else.
  package private(set) var isWhole: Bool

  /// - Parameter bytes: the pack from its beginning on, as far as it is there.
  package init(_ bytes: [UInt8], _ codec: PackCodec) {
    isWhole = Self.beginsPack(bytes, codec.packID)
    var offset = PackCodec.headerByteCount
    while offset < bytes.count {
      let header = bytes.withBytes { RecordBytes.header(UnsafeRawBufferPointer(rebasing: $0[offset...])) }
      guard let (id, byteCount) = header, byteCount <= bytes.count - offset else {
        isWhole = false
        return
      }
      // Behind a damaged record the next one begins where its header says.
      do throws(DSVError) {
        let object = try codec.object(id, in: Array(bytes[offset..<offset + byteCount]))
        entries.append(
          PackBuilder.Entry(
            id, offset, stored: byteCount - PackLayout.recordHeaderByteCount, plain: object.plainByteCount,
            kind: object.kind, depth: object.base?.depth ?? 0))
      } catch { isWhole = false }
      offset += byteCount
    }
  }

  /// Whether bytes begin with the header of that pack.
  package static func beginsPack(_ bytes: [UInt8], _ id: PackID) -> Bool {
    guard bytes.count >= PackCodec.headerByteCount else { return false }
    do throws(DSVError) {
      return try PackCodec.packID(header: Array(bytes.prefix(PackCodec.headerByteCount)), of: "pack \(id)")
        == id
    } catch { return false }
  }

  /// The index that says so.
  package func index(of pack: PackID, byteCount: Int) -> PackIndex {
    PackIndex(packID: pack, packByteCount: byteCount, entries: entries)
  }
}
