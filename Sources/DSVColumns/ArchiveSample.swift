import DSVFormat

/// Pieces of a column's values, put together as a chunk for others to be compressed over: what neighbours in a column have
/// in common lies in it, and each of them can still be read without the others.
package struct ArchiveSample {
  /// Of the values it is taken from, the share that goes in it; beyond ``byteCountMax`` nothing is gained that the time for
  /// it would be worth.
  static let share = 16
  static let byteCountMax = 2 << 20
  /// Less than that is no help to chunks of the usual size.
  static let byteCountMin = 16 << 10
  private static let pieceByteCount = 8 << 10

  /// Of all chunks, each how-many-th gives a piece; `nil` where a sample would not pay.
  let step: Int
  private let pieceByteCount: Int
  private let values = GrowingBytes()
  private var ends: [UInt32] = [0]
  private let layout: Layout

  /// - Parameter byteCounts: the plain bytes of the chunks.
  init?(_ layout: Layout, _ byteCounts: [Int]) {
    guard layout == .bytes || layout == .fixed(1) else { return nil }
    let total = byteCounts.reduce(0, +)
    let wanted = min(Self.byteCountMax, total / Self.share)
    guard wanted >= Self.byteCountMin, byteCounts.count >= 4 else { return nil }
    self.layout = layout
    step = max(1, byteCounts.count * Self.pieceByteCount / wanted)
    pieceByteCount = max(1, wanted * step / byteCounts.count)
  }

  /// Takes a piece out of a chunk; from where in it, its own content decides.
  mutating func append(_ chunk: Chunk) {
    let array = chunk.array
    let byteCount = array.offsets.map { Int($0[array.count]) } ?? array.count
    let all = UnsafeRawBufferPointer(start: array.values, count: byteCount)
    let count = min(pieceByteCount, byteCount)
    let room = UInt64(byteCount - count + 1)
    let start = Int(Hash64.of(all, seed: 0) % room)
    values.append(UnsafeRawBufferPointer(rebasing: all[start..<start + count]))
    ends.append(UInt32(values.count))
  }

  /// The pieces as a chunk.
  func chunk() throws(DSVError) -> Chunk {
    let builder = ArrayBuilder(layout)
    if layout == .bytes {
      for (start, end) in zip(ends, ends.dropFirst()) {
        builder.append(UnsafeRawBufferPointer(rebasing: values.bytes[Int(start)..<Int(end)]))
      }
    } else {
      builder.append(contentsOf: values.bytes)
    }
    let plain = GrowingBytes(capacity: values.count + ends.count * 4 + 64)
    builder.writePlain(to: plain)
    return try Chunk(taking: plain, of: "a sample of values")
  }
}
