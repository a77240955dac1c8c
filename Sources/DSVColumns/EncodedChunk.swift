import DSVFormat

/// A chunk whose values are not expanded: any run of them can be read without the others.
///
/// Its memory can be used again for other chunks. Once several threads may see it, nobody changes it any more.
package final class EncodedChunk: @unchecked Sendable {
  // Unchecked because it changes: only `ChunkDecoder` does that, before it gives it away.
  private let bytes = GrowingBytes()
  private let offsets = GrowingBytes()
  /// What `array` points into, if that is not `bytes`.
  private var chunk: Chunk?
  package private(set) var array: EncodedArray

  package init() { array = Self.nothing(bytes) }

  /// A chunk that is in plain form already.
  package init(_ chunk: Chunk) {
    self.chunk = chunk
    array = EncodedArray(chunk.array)
  }

  private static func nothing(_ bytes: GrowingBytes) -> EncodedArray {
    EncodedArray(
      ArrayView(
        layout: .none, count: 0, validity: nil, values: UnsafeRawPointer(bytes.base), offsets: nil,
        blobs: nil,
        children: []))
  }

  /// What it takes of memory, about.
  package var byteCount: Int { (chunk?.plainBytes.count ?? 0) + bytes.count + offsets.count + 512 }

  /// How much memory it keeps for other chunks.
  var heldByteCount: Int { bytes.capacity + offsets.capacity }

  /// Makes sure that the chunk is what its column's root or tree says of it: whoever reads it goes by that.
  func check(_ id: ColumnID, layout: Layout, rowCount: Int, nullCount: Int) throws(DSVError) {
    guard array.layout == layout, array.count == rowCount, array.view.nullCount == nullCount else {
      throw DSVError(
        .corrupt,
        "chunk \(id): \(array.count) values, \(array.view.nullCount) of them null, where its column has "
          + "\(rowCount) and \(nullCount), or values of another layout")
    }
  }

  /// The same in plain form.
  func plainChunk(of subject: String) throws(DSVError) -> Chunk {
    if let chunk { return chunk }
    let plain = GrowingBytes(capacity: plainByteCount)
    array.writePlain(to: plain)
    return try Chunk(taking: plain, of: subject)
  }

  // MARK: - Decoding

  private var plainByteCount = 0

  /// Lets go of what it holds, but keeps its memory.
  func removeAll() {
    (chunk, array) = (nil, Self.nothing(bytes))
  }

  /// Where `byteCount` encoded bytes go.
  func room(for byteCount: Int) -> UnsafeMutableRawBufferPointer {
    removeAll()
    bytes.removeAll()
    return UnsafeMutableRawBufferPointer(start: bytes.grow(by: byteCount), count: byteCount)
  }

  /// Takes what has been put into the room for the values; returns how many bytes they have in plain form.
  func parse(plainByteCountMax: Int, of subject: String) throws(DSVError) -> Int {
    offsets.removeAll()
    var parser = EncodedParser(
      bytes.bytes, offsets: offsets, plainByteCountMax: plainByteCountMax, of: subject)
    array = try parser.parse()
    try parser.reader.finish()
    plainByteCount = parser.plainByteCount
    return plainByteCount
  }

  /// Takes another chunk's values instead.
  func hold(_ chunk: Chunk) {
    bytes.removeAll()
    offsets.removeAll()
    (self.chunk, array) = (chunk, EncodedArray(chunk.array))
  }
}
