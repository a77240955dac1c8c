import DSVColumns
import DSVExpression
import DSVFormat

/// Lays out a column's loaded rows as ``ExpressionEvaluator`` reads them: in place where they lie so already, else in
/// memory of its own that is used again for each batch.
final class FilterInput {
  private let type: DataType
  private let need: CheckedExpression.Column.Need
  private let widened = GrowingBytes(capacity: ExpressionEvaluator.batchRowLimit * 8)
  private let bits = GrowingBytes()
  private let validity = GrowingBytes()
  private let missing = GrowingBytes()
  private let texts = GrowingBytes()
  private(set) var column = ExpressionColumn(.none)

  init(type: DataType, need: CheckedExpression.Column.Need) {
    self.type = type
    self.need = need
  }

  /// How many bytes of blobs a batch reads, if it has more than one row.
  private static let blobByteCountMax = 8 << 20

  /// Where a batch that begins with `rows` ends so that its blobs, which are read whole, take little memory.
  func batchEnd(_ cell: FieldCursor, _ rows: Range<Int>) throws(DSVError) -> Int {
    let slice = cell.loaded
    guard need != .presence, slice.array.blobs != nil else { return rows.upperBound }
    var byteCount = 0
    for row in rows where slice.array.isBlob(row - slice.startRow) {
      byteCount += try BlobReference(slice.array.bytes(row - slice.startRow)).valueByteCount
      if byteCount > Self.blobByteCountMax { return max(row, rows.lowerBound + 1) }
    }
    return rows.upperBound
  }

  /// Points `column` at `rows`, which `cell` has loaded; valid until it loads others.
  func load(_ cell: FieldCursor, _ rows: Range<Int>) throws(DSVError) {
    let slice = cell.loaded
    let (array, start) = (slice.array, rows.lowerBound - slice.startRow)
    let count = rows.count
    column = ExpressionColumn(.none)
    if let source = array.validity {
      column.validity = Self.copyBits(source, start, count, to: validity)
      try loadMissing(cell, rows)
    }
    if need == .presence { return }
    switch (type, array.layout) {
    case (_, .bool):
      let source = array.values.assumingMemoryBound(to: UInt8.self)
      column.values = .bits(Self.copyBits(source, start, count, to: bits))
    case (.int8, _): widen(array, start, count, Int8.self)
    case (.int16, _): widen(array, start, count, Int16.self)
    case (.int32, _), (.date, _): widen(array, start, count, Int32.self)
    case (.uint8, _): widen(array, start, count, UInt8.self)
    case (.uint16, _): widen(array, start, count, UInt16.self)
    case (.uint32, _): widen(array, start, count, UInt32.self)
    case (.int64, _), (.timestamp, _):
      column.values = .int64(Self.pointer(array.values + start * 8))
    case (.uint64, _): column.values = .uint64(Self.pointer(array.values + start * 8))
    case (.float64, _): column.values = .double(Self.pointer(array.values + start * 8))
    case (.float32, _): widenFloat(array, start, count) { Double(array.fixed($0, as: Float.self)) }
    case (.float16, _): widenFloat(array, start, count) { Double(array.fixed($0, as: Float16.self)) }
    case (_, .bytes): try loadBytes(cell, array, rows)
    case (_, .list), (_, .fixedSizeList):
      widened.removeAll()
      for index in start..<start + count {
        let (first, end) = array.range(index)
        widened.append(Int64(end - first))
      }
      column.values = .listLengths(Self.pointer(UnsafeRawPointer(widened.base)))
    default: column.values = .none
    }
  }

  private static func pointer<T>(_ raw: UnsafeRawPointer) -> UnsafePointer<T> {
    raw.assumingMemoryBound(to: T.self)
  }

  private func widen<T: FixedWidthInteger & BitwiseCopyable>(
    _ array: ArrayView, _ start: Int, _ count: Int, _: T.Type
  ) {
    widened.removeAll()
    for index in start..<start + count { widened.append(Int64(array.fixed(index, as: T.self))) }
    column.values = .int64(Self.pointer(UnsafeRawPointer(widened.base)))
  }

  private func widenFloat(_ array: ArrayView, _ start: Int, _ count: Int, _ value: (Int) -> Double) {
    widened.removeAll()
    for index in start..<start + count { widened.append(value(index)) }
    column.values = .double(Self.pointer(UnsafeRawPointer(widened.base)))
  }

  private func loadBytes(_ cell: FieldCursor, _ array: ArrayView, _ rows: Range<Int>) throws(DSVError) {
    let start = rows.lowerBound - cell.loaded.startRow
    guard let offsets = array.offsets else { return }
    if array.blobs == nil {
      column.values = .bytes(offsets: offsets + start, data: Self.pointer(array.values))
      return
    }
    texts.removeAll()
    widened.removeAll()
    widened.append(UInt32(0))
    for row in rows {
      let index = row - cell.loaded.startRow
      if array.isBlob(index) {
        try cell.blob(row).withUnsafeBytes { texts.append($0) }
      } else {
        texts.append(array.bytes(index))
      }
      guard texts.count <= Int(UInt32.max) else { throw DSVError(.full, "values of a batch exceed 4 GiB") }
      widened.append(UInt32(texts.count))
    }
    column.values = .bytes(
      offsets: Self.pointer(UnsafeRawPointer(widened.base)), data: Self.pointer(UnsafeRawPointer(texts.base)))
  }

  private func loadMissing(_ cell: FieldCursor, _ rows: Range<Int>) throws(DSVError) {
    if cell.field.absence == .null { return }
    missing.removeAll()
    missing.appendZeros((rows.count + 7) / 8)
    for row in rows where cell.isNull(row) {
      guard try cell.isMissing(row) else { continue }
      let bit = row - rows.lowerBound
      let old = missing.base.load(fromByteOffset: bit >> 3, as: UInt8.self)
      missing.base.storeBytes(of: old | 1 << UInt8(bit & 7), toByteOffset: bit >> 3, as: UInt8.self)
    }
    column.missing = Self.pointer(UnsafeRawPointer(missing.base))
  }

  /// Copies bits so that they begin at bit 0.
  private static func copyBits(
    _ source: UnsafePointer<UInt8>, _ start: Int, _ count: Int, to target: GrowingBytes
  ) -> UnsafePointer<UInt8> {
    target.removeAll()
    let shift = UInt8(start & 7)
    let first = start >> 3
    let last = (start + count - 1) >> 3
    for index in 0..<(count + 7) / 8 {
      var byte = source[first + index] >> shift
      if shift > 0, first + index + 1 <= last { byte |= source[first + index + 1] << (8 - shift) }
      target.append(byte)
    }
    if count & 7 != 0, count > 0 {
      let at = target.count - 1
      let byte = target.base.load(fromByteOffset: at, as: UInt8.self)
      target.base.storeBytes(of: byte & (1 << UInt8(count & 7) - 1), toByteOffset: at, as: UInt8.self)
    }
    return pointer(UnsafeRawPointer(target.base))
  }

  /// What a tree says of a chunk or node, as ``PruningPredicate`` reads it.
  func statistics(_ entry: TreeEntry) -> ChunkStatistics {
    var result = ChunkStatistics(rowCount: entry.rowCount, nullCount: entry.nullCount)
    guard need == .values, let bounds = entry.bounds, let order = BoundsOrder(type) else { return result }
    func bound(_ bytes: [UInt8]) -> ChunkStatistics.Bound {
      switch order {
      case .signed: .int64(BoundsOrder.integer(bytes))
      case .unsigned where type == .bool: .bool(bytes.first == 1)
      case .unsigned where type == .uint64: .uint64(BoundsOrder.unsigned(bytes))
      case .unsigned: .int64(Int64(clamping: BoundsOrder.unsigned(bytes)))
      case .float: .double(BoundsOrder.double(bytes))
      case .bytes: .bytes(bytes)
      }
    }
    (result.min, result.max) = (bound(bounds.min), bound(bounds.max))
    return result
  }
}
