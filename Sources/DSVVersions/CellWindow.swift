import DSVColumns
import DSVFormat
import DSVTables
import Glibc

/// Which of at most 64 loaded cells, `rowA + i` and `rowB + i`, differ: bit `i`. As ``cellsAreEqual(_:_:_:_:)``, faster.
func differingCells(
  _ a: FieldCursor, _ rowA: Int, _ b: FieldCursor, _ rowB: Int, count: Int
) throws(DSVError) -> UInt64 {
  let (sliceA, sliceB) = (a.loaded, b.loaded)
  let (x, y) = (sliceA.array, sliceB.array)
  let (i, j) = (rowA - sliceA.startRow, rowB - sliceB.startRow)
  guard let values = differingValues(x, i, y, j, count: count) else {
    var differing: UInt64 = 0
    for offset in 0..<count
    where try !cellsAreEqual(a, rowA + offset, b, rowB + offset) { differing |= 1 << UInt64(offset) }
    return differing
  }
  if x.validity == nil, y.validity == nil { return values }
  let (nullA, nullB) = (nullBits(x, i, count: count), nullBits(y, j, count: count))
  var differing = values & ~(nullA | nullB) | nullA ^ nullB
  var both = nullA & nullB
  while both != 0 {
    let offset = both.trailingZeroBitCount
    both &= both - 1
    if try a.isMissing(rowA + offset) != b.isMissing(rowB + offset) { differing |= 1 << UInt64(offset) }
  }
  return differing
}

/// Whether so many loaded cells, `rowA + i` and `rowB + i`, are equal; `false` also where they have to be looked at one by one.
func cellsAreAllEqual(_ a: FieldCursor, _ rowA: Int, _ b: FieldCursor, _ rowB: Int, count: Int) -> Bool {
  let (sliceA, sliceB) = (a.loaded, b.loaded)
  let (x, y) = (sliceA.array, sliceB.array)
  guard x.validity == nil, y.validity == nil, x.blobs == nil, y.blobs == nil else { return false }
  let (i, j) = (rowA - sliceA.startRow, rowB - sliceB.startRow)
  switch x.layout {
  case .none: return true
  case .fixed(let width): return memcmp(x.values + i * width, y.values + j * width, count * width) == 0
  case .bytes:
    guard let offsetsX = x.offsets.map({ $0 + i }), let offsetsY = y.offsets.map({ $0 + j }) else {
      return false
    }
    let shift = offsetsY[0] &- offsetsX[0]
    var differing: UInt32 = 0
    for index in 1...count { differing |= offsetsY[index] &- offsetsX[index] ^ shift }
    return differing == 0
      && memcmp(
        x.values + Int(offsetsX[0]), y.values + Int(offsetsY[0]), Int(offsetsX[count] - offsetsX[0])) == 0
  case .bool, .list, .fixedSizeList, .struct: return false
  }
}

private func nullBits(_ array: ArrayView, _ start: Int, count: Int) -> UInt64 {
  guard let validity = array.validity else { return 0 }
  var bits: UInt64 = 0
  for offset in 0..<count {
    let index = start + offset
    bits |= UInt64(~validity[index >> 3] >> UInt8(index & 7) & 1) << UInt64(offset)
  }
  return bits
}

/// Which of at most 64 slots differ, whether they hold a value or not; `nil` for layouts that have to be gone into.
private func differingValues(_ a: ArrayView, _ i: Int, _ b: ArrayView, _ j: Int, count: Int) -> UInt64? {
  switch a.layout {
  case .none: return 0
  case .fixed(let width):
    let (x, y) = (a.values + i * width, b.values + j * width)
    if memcmp(x, y, count * width) == 0 { return 0 }
    switch width {
    case 1: return differing(x, y, count, UInt8.self)
    case 2: return differing(x, y, count, UInt16.self)
    case 4: return differing(x, y, count, UInt32.self)
    case 8: return differing(x, y, count, UInt64.self)
    default: return differing(x, y, count, UInt128.self)
    }
  case .bytes:
    guard a.blobs == nil, b.blobs == nil, let offsetsA = a.offsets, let offsetsB = b.offsets else {
      return nil
    }
    return differingBytes(a.values, offsetsA + i, b.values, offsetsB + j, count)
  case .bool, .list, .fixedSizeList, .struct: return nil
  }
}

@inline(__always)
private func differing<T: FixedWidthInteger & BitwiseCopyable>(
  _ x: UnsafeRawPointer, _ y: UnsafeRawPointer, _ count: Int, _: T.Type
) -> UInt64 {
  var bits: UInt64 = 0
  for index in 0..<count {
    let (own, other) = (
      x.loadUnaligned(fromByteOffset: index * MemoryLayout<T>.size, as: T.self),
      y.loadUnaligned(fromByteOffset: index * MemoryLayout<T>.size, as: T.self)
    )
    bits |= (own == other ? 0 : 1) << UInt64(index)
  }
  return bits
}

private func differingBytes(
  _ x: UnsafeRawPointer, _ offsetsX: UnsafePointer<UInt32>, _ y: UnsafeRawPointer,
  _ offsetsY: UnsafePointer<UInt32>, _ count: Int
) -> UInt64 {
  // Shorter or longer here; equal in length but not in content below.
  var bits: UInt64 = 0
  for index in 0..<count {
    let (own, other) = (offsetsX[index + 1] &- offsetsX[index], offsetsY[index + 1] &- offsetsY[index])
    bits |= (own == other ? 0 : 1) << UInt64(index)
  }
  let (start, other) = (x + Int(offsetsX[0]), y + Int(offsetsY[0]))
  if bits == 0, memcmp(start, other, Int(offsetsX[count] - offsetsX[0])) == 0 { return 0 }
  for index in 0..<count where bits >> UInt64(index) & 1 == 0 {
    let byteCount = Int(offsetsX[index + 1] - offsetsX[index])
    if memcmp(x + Int(offsetsX[index]), y + Int(offsetsY[index]), byteCount) != 0 {
      bits |= 1 << UInt64(index)
    }
  }
  return bits
}
