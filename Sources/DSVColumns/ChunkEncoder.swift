package import DSVFormat

/// How a node's values are written in a stored chunk. Which one is used changes no ID.
enum Encoding: UInt8 {
  /// As in the plain form, without padding, and lengths instead of offsets.
  case plain = 0
  /// All values that are not null are equal; one is written.
  case constant = 1
  /// The distinct values, and for each value which of them it is.
  case dictionary = 2
  /// Fixed layouts of up to 8 bytes: differences from the smallest, bit-packed.
  case packed = 3

  /// Whether a node's width counts.
  var isPacked: Bool { self == .dictionary || self == .packed }

  func fits(layout code: UInt8) -> Bool {
    switch self {
    case .plain: true
    case .constant: (2...5).contains(code) || code == 7
    case .dictionary: code == 7
    case .packed: (2...5).contains(code)
    }
  }
}

/// Turns chunks into the bytes that a pack holds: each node in the encoding that looks smallest, then zstd.
///
/// For one thread at a time.
package final class ChunkEncoder {
  private let encoded = GrowingBytes()
  private let zstd: Zstd
  private var dictionary = DictionaryBuilder()

  package static let headerByteCount = 8

  package init(zstd: Zstd) { self.zstd = zstd }

  /// How much memory it keeps for the next chunk.
  var heldByteCount: Int { encoded.capacity + zstd.heldByteCount }

  /// The stored form of a chunk.
  package func store(_ chunk: Chunk) -> [UInt8] { store(chunk.array, isAppended: false) }

  /// The stored form of a chunk that has its base's values and then these.
  package func store(appended values: Chunk) -> [UInt8] { store(values.array, isAppended: true) }

  /// The stored form of a chunk that is whole by itself, compressed at another level than dsv's usual one.
  package func store(_ chunk: Chunk, level: Int32) -> [UInt8] {
    store(chunk.array, isAppended: false, level: level)
  }

  /// The stored form of a chunk over a base, whose plain form `prefix` is; `nil` where the frame would be no shorter than
  /// `limit`.
  package func store(_ chunk: Chunk, over prefix: ZstdPrefix, limit: Int) -> [UInt8]? {
    encoded.removeAll()
    write(chunk.array)
    return zstd.compressed(encoded.bytes, after: prefix, limit: limit).map {
      stored($0, compression: 2, isAppended: false)
    }
  }

  private func store(_ array: ArrayView, isAppended: Bool, level: Int32 = Zstd.level) -> [UInt8] {
    encoded.removeAll()
    write(array)
    guard let frame = zstd.compressed(encoded.bytes, level: level) else {
      return stored(encoded.bytes, compression: 0, isAppended: isAppended)
    }
    return stored(frame, compression: 1, isAppended: isAppended)
  }

  /// The header for what is encoded, and `content`, which is that, or a frame of it.
  private func stored(_ content: some Collection<UInt8>, compression: UInt8, isAppended: Bool) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(compression)
    writer.write(UInt8(isAppended ? 1 : 0))
    writer.write(UInt16(0))
    writer.write(UInt32(encoded.count))
    writer.write(bytes: content)
    return writer.bytes
  }

  private func write(_ array: ArrayView) {
    switch array.layout {
    case .fixed(1): writeFixed(array, UInt8.self)
    case .fixed(2): writeFixed(array, UInt16.self)
    case .fixed(4): writeFixed(array, UInt32.self)
    case .fixed(8): writeFixed(array, UInt64.self)
    case .fixed(let width):
      writeHeader(array, .plain)
      encoded.append(UnsafeRawBufferPointer(start: array.values, count: array.count * width))
    case .bytes: writeBytes(array)
    case .none: writeHeader(array, .plain)
    case .bool:
      writeHeader(array, .plain)
      encoded.append(UnsafeRawBufferPointer(start: array.values, count: (array.count + 7) / 8))
    case .list:
      writeHeader(array, .plain)
      writeLengths(array.count) { array.range($0) }
    case .fixedSizeList, .struct: writeHeader(array, .plain)
    }
    for child in array.children { write(child) }
  }

  private func writeHeader(_ array: ArrayView, _ encoding: Encoding, width: Int = 0) {
    encoded.append(array.layout.code)
    encoded.append(UInt8(array.validity == nil ? 0 : 1) | (array.blobs == nil ? 0 : 2))
    encoded.append(encoding.rawValue)
    encoded.append(UInt8(width))
    encoded.append(UInt32(array.count))
    if case .fixedSizeList(_, let n) = array.layout { encoded.append(UInt64(n)) }
    if case .struct(let fields) = array.layout { encoded.append(UInt64(fields.count)) }
    for bitmap in [array.validity, array.blobs] {
      if let bitmap { encoded.append(UnsafeRawBufferPointer(start: bitmap, count: (array.count + 7) / 8)) }
    }
  }

  private func writeFixed<T: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _ array: ArrayView, _: T.Type
  ) {
    let n = array.count
    var (low, high) = (T.max, T.min)
    // Signed order, so that small negative and positive numbers are near each other.
    let flip: T = 1 << (T.bitWidth - 1)
    for index in 0..<n where !array.isNull(index) {
      let value = array.fixed(index, as: T.self) ^ flip
      low = min(low, value)
      high = max(high, value)
    }
    if low >= high, n > 0 {
      writeHeader(array, .constant)
      encoded.append((low > high ? flip : low) ^ flip)
      return
    }
    let width = n == 0 ? 0 : BitPacking.width(of: UInt64(high - low))
    if n == 0 || width > BitPacking.widthMax || width + width / 4 >= T.bitWidth {
      writeHeader(array, .plain)
      encoded.append(UnsafeRawBufferPointer(start: array.values, count: n * MemoryLayout<T>.size))
      return
    }
    writeHeader(array, .packed, width: width)
    encoded.append(UInt64(low ^ flip))
    BitPacking.write(n, width: width, to: encoded) { index in
      array.isNull(index) ? 0 : UInt64((array.fixed(index, as: T.self) ^ flip) - low)
    }
  }

  private func writeBytes(_ array: ArrayView) {
    if array.blobs == nil, let indexes = dictionary.build(array) {
      let distinct = dictionary.distinct
      if distinct.count <= 1 {
        writeHeader(array, .constant)
        writeLengths(1) { _ in distinct.isEmpty ? (0, 0) : array.range(distinct[0]) }
        if let only = distinct.first { encoded.append(array.bytes(only)) }
        return
      }
      let width = BitPacking.width(of: UInt64(distinct.count - 1))
      writeHeader(array, .dictionary, width: width)
      encoded.append(UInt32(distinct.count))
      writeLengths(distinct.count) { array.range(distinct[$0]) }
      for index in distinct { encoded.append(array.bytes(index)) }
      BitPacking.write(array.count, width: width, to: encoded) { UInt64(indexes[$0]) }
      return
    }
    writeHeader(array, .plain)
    writeLengths(array.count) { array.range($0) }
    let byteCount = array.offsets.map { Int($0[array.count]) } ?? 0
    encoded.append(UnsafeRawBufferPointer(start: array.values, count: byteCount))
  }

  private func writeLengths(_ count: Int, _ range: (Int) -> (start: Int, end: Int)) {
    var longest = 0
    for index in 0..<count {
      let (start, end) = range(index)
      longest = max(longest, end - start)
    }
    let width = BitPacking.width(of: UInt64(longest))
    encoded.append(UInt8(width))
    BitPacking.write(count, width: width, to: encoded) { index in
      let (start, end) = range(index)
      return UInt64(end - start)
    }
  }
}

/// Finds the distinct values of an array of short byte strings.
private struct DictionaryBuilder {
  /// Where each distinct value occurs first.
  private(set) var distinct: [Int] = []
  private var slots: [Int32] = []
  private var indexes: [UInt32] = []

  /// For each value the index of its equal in `distinct`; `nil` where a dictionary would not pay.
  mutating func build(_ array: ArrayView) -> [UInt32]? {
    distinct.removeAll(keepingCapacity: true)
    let n = array.count
    guard let offsets = array.offsets else { return nil }
    // A few values, or long ones, gain nothing that zstd does not find as well.
    guard n >= 1, Int(offsets[n]) / n <= 128 else { return nil }
    let limit = min(4096, max(1, n / 4))
    // At most a quarter of them are taken, and a few values do not pay for the clearing of many.
    let slotCount = 1 << (Int.bitWidth - (limit * 4 - 1).leadingZeroBitCount)
    slots = [Int32](repeating: -1, count: slotCount)
    indexes.removeAll(keepingCapacity: true)
    for index in 0..<n {
      if array.isNull(index) {
        indexes.append(0)
        continue
      }
      let bytes = array.bytes(index)
      var slot = Int(truncatingIfNeeded: Hash64.of(bytes)) & (slotCount - 1)
      while true {
        let found = slots[slot]
        if found < 0 {
          guard distinct.count < limit else { return nil }
          slots[slot] = Int32(distinct.count)
          indexes.append(UInt32(distinct.count))
          distinct.append(index)
          break
        }
        if array.bytes(distinct[Int(found)]).elementsEqual(bytes) {
          indexes.append(UInt32(found))
          break
        }
        slot = (slot + 1) & (slotCount - 1)
      }
    }
    return indexes
  }
}
