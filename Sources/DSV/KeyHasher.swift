import DSVColumns
import DSVFormat
import DSVTables

/// Hashes cells, so that equal hashes stand for equal cells: bit for bit, and null only to null, missing only to missing.
///
/// 128 bits under a secret: that two different keys among 2^33 meet has a chance of 2^-63, and nobody can choose two
/// that do. For one thread at a time.
final class KeyHasher {
  private let sip: SipHash
  private let scratch = GrowingBytes(capacity: 256)

  init(_ sip: SipHash) { self.sip = sip }

  /// The hash of some loaded cells of a row.
  func hash(_ cells: [FieldCursor], _ row: Int) throws(DSVError) -> SipHash.Digest {
    scratch.removeAll()
    for cell in cells { try add(cell, row) }
    return sip.digest(scratch.bytes)
  }

  /// The hash that a row has whose cells are the first values of these.
  func hash(_ values: [ArrayView]) -> SipHash.Digest {
    scratch.removeAll()
    for value in values { add(value, 0) }
    return sip.digest(scratch.bytes)
  }

  private func add(_ cell: FieldCursor, _ row: Int) throws(DSVError) {
    let slice = cell.loaded
    let index = row - slice.startRow
    if slice.array.isNull(index), try cell.isMissing(row) {
      scratch.append(UInt8(3))
    } else {
      add(slice.array, index)
    }
    for child in cell.children { try add(child, row) }
  }

  private func add(_ array: ArrayView, _ index: Int) {
    if array.isNull(index) { return scratch.append(UInt8(0)) }
    scratch.append(UInt8(array.isBlob(index) ? 2 : 1))
    switch array.layout {
    case .none: break
    case .bool: scratch.append(UInt8(array.bool(index) ? 1 : 0))
    case .fixed(let width):
      scratch.append(UnsafeRawBufferPointer(start: array.values + index * width, count: width))
    case .bytes:
      let bytes = array.bytes(index)
      scratch.append(UInt32(bytes.count))
      scratch.append(bytes)
    case .list, .fixedSizeList:
      let (start, end) = array.range(index)
      scratch.append(UInt32(end - start))
      for element in start..<end { add(array.children[0], element) }
    case .struct: for child in array.children { add(child, index) }
    }
  }
}
