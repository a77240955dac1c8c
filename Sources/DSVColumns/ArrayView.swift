package import DSVFormat

/// Consecutive values of one layout, as they lie in a chunk's plain form. Points into memory that a ``Chunk`` owns.
package struct ArrayView {
  package let layout: Layout
  package let count: Int
  /// One bit a value, least significant first, 1 = present; `nil` where nothing is null.
  package let validity: UnsafePointer<UInt8>?
  /// Fixed: the values. Bool: one bit a value. Bytes: the values' bytes, one after another.
  package let values: UnsafeRawPointer
  /// Bytes and lists: `count + 1` offsets into `values` or the child, from 0.
  package let offsets: UnsafePointer<UInt32>?
  /// One bit a value, 1 = the value is a ``BlobReference`` and not the bytes themselves; `nil` where none is.
  package let blobs: UnsafePointer<UInt8>?
  /// Lists: the elements. Structs: the fields.
  package let children: [ArrayView]

  @inline(__always)
  package func isNull(_ index: Int) -> Bool {
    guard let validity else { return false }
    return validity[index >> 3] >> UInt8(index & 7) & 1 == 0
  }

  @inline(__always)
  package func bool(_ index: Int) -> Bool {
    values.load(fromByteOffset: index >> 3, as: UInt8.self) >> UInt8(index & 7) & 1 == 1
  }

  @inline(__always)
  package func fixed<T: BitwiseCopyable>(_ index: Int, as _: T.Type) -> T {
    values.loadUnaligned(fromByteOffset: index * MemoryLayout<T>.size, as: T.self)
  }

  /// The bytes of value `index`. Of a blob: its ``BlobReference``.
  @inline(__always)
  package func bytes(_ index: Int) -> UnsafeRawBufferPointer {
    let (start, end) = range(index)
    return UnsafeRawBufferPointer(start: values + start, count: end - start)
  }

  @inline(__always)
  package func isBlob(_ index: Int) -> Bool {
    guard let blobs else { return false }
    return blobs[index >> 3] >> UInt8(index & 7) & 1 == 1
  }

  /// Where value `index` lies: of bytes in `values`, of a list in its child.
  @inline(__always)
  package func range(_ index: Int) -> (start: Int, end: Int) {
    if case .fixedSizeList(_, let n) = layout { return (index * n, (index + 1) * n) }
    guard let offsets else { return (0, 0) }
    return (Int(offsets[index]), Int(offsets[index + 1]))
  }
}

/// What stands in a chunk for a value of more than 256 KiB: the root of the column of its bytes, and its length.
package struct BlobReference: Equatable {
  package static let byteCount = 40
  /// How long a value may be that is kept as a blob.
  package static let valueByteCounts = ColumnWriter.blobByteCountMin...TreeEntry.plainByteCountMax
  package let root: ColumnID
  package let valueByteCount: Int

  package init(root: ColumnID, valueByteCount: Int) {
    self.root = root
    self.valueByteCount = valueByteCount
  }

  package init(_ bytes: UnsafeRawBufferPointer) throws(DSVError) {
    var reader = ByteReader(bytes, of: "blob reference")
    root = try reader.readID()
    valueByteCount = Int(clamping: try reader.read(UInt64.self))
    try reader.finish()
  }

  package var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.write(root)
    writer.write(UInt64(valueByteCount))
    return writer.bytes
  }
}
