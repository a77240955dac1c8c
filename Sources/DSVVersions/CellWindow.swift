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
  // An empty slot may be null or missing, which its array does not tell.
  guard x.validity == nil, y.validity == nil else { return false }
  return slotsAreEqual(x, rowA - sliceA.startRow, y, rowB - sliceB.startRow, count: count)
}

/// Whether slots are equal, and what lies within them; `false` also for blobs.
private func slotsAreEqual(_ x: ArrayView, _ i: Int, _ y: ArrayView, _ j: Int, count: Int) -> Bool {
  guard count > 0 else { return true }
  guard x.blobs == nil, y.blobs == nil, bitsAreEqual(x.validity, i, y.validity, j, count: count) else {
    return false
  }
  switch x.layout {
  case .none: return true
  case .bool: return bitsAreEqual(x.bits, i, y.bits, j, count: count)
  case .fixed(let width): return memcmp(x.values + i * width, y.values + j * width, count * width) == 0
  case .bytes:
    guard let (own, other) = rangesOfEqualSteps(x, i, y, j, count: count) else { return false }
    return memcmp(x.values + own.lowerBound, y.values + other.lowerBound, own.count) == 0
  case .list:
    guard let (own, other) = rangesOfEqualSteps(x, i, y, j, count: count) else { return false }
    return slotsAreEqual(
      x.children[0], own.lowerBound, y.children[0], other.lowerBound, count: own.count)
  case .fixedSizeList(_, let size):
    return slotsAreEqual(x.children[0], i * size, y.children[0], j * size, count: count * size)
  case .struct:
    for (own, other) in zip(x.children, y.children)
    where !slotsAreEqual(own, i, other, j, count: count) { return false }
    return true
  }
}

/// What slots have in the values below them, if each has as much in both.
private func rangesOfEqualSteps(
  _ x: ArrayView, _ i: Int, _ y: ArrayView, _ j: Int, count: Int
) -> (Range<Int>, Range<Int>)? {
  guard let offsetsX = x.offsets.map({ $0 + i }), let offsetsY = y.offsets.map({ $0 + j }) else { return nil }
  let shift = offsetsY[0] &- offsetsX[0]
  var differing: UInt32 = 0
  for index in 1...count { differing |= offsetsY[index] &- offsetsX[index] ^ shift }
  guard differing == 0 else { return nil }
  return (
    Int(offsetsX[0])..<Int(offsetsX[count]), Int(offsetsY[0])..<Int(offsetsY[count])
  )
}

/// Whether so many bits from bit `i` and bit `j` are equal; of a bitmap that is not there each is 1.
private func bitsAreEqual(
  _ x: UnsafePointer<UInt8>?, _ i: Int, _ y: UnsafePointer<UInt8>?, _ j: Int, count: Int
) -> Bool {
  if x == nil, y == nil { return true }
  var done = 0
  while done < count {
    let step = min(64, count - done)
    let own = x.map { bits(of: $0, i + done, count: step) } ?? ones(step)
    let other = y.map { bits(of: $0, j + done, count: step) } ?? ones(step)
    if own != other { return false }
    done += step
  }
  return true
}

private func ones(_ count: Int) -> UInt64 { count == 64 ? .max : 1 << UInt64(count) - 1 }

/// At most 64 bits of a bitmap, from bit `start`.
private func bits(of bitmap: UnsafePointer<UInt8>, _ start: Int, count: Int) -> UInt64 {
  let (first, shift, end) = (start >> 3, UInt64(start & 7), (start + count + 7) >> 3)
  var low: UInt64 = 0
  for index in first..<min(first + 8, end) { low |= UInt64(bitmap[index]) << UInt64((index - first) * 8) }
  var found = low >> shift
  if end > first + 8 { found |= UInt64(bitmap[first + 8]) << (64 - shift) }
  return found & ones(count)
}

extension ArrayView {
  /// The values of layout `.bool`.
  fileprivate var bits: UnsafePointer<UInt8> { values.assumingMemoryBound(to: UInt8.self) }
}

private func nullBits(_ array: ArrayView, _ start: Int, count: Int) -> UInt64 {
  guard let validity = array.validity else { return 0 }
  return ~bits(of: validity, start, count: count) & ones(count)
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
  case .bool: return bits(of: a.bits, i, count: count) ^ bits(of: b.bits, j, count: count)
  case .list, .fixedSizeList, .struct: return slotsAreEqual(a, i, b, j, count: count) ? 0 : nil
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
