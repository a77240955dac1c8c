import DSVColumns
package import DSVFormat
package import DSVTables
import Glibc

/// A 128-bit hash of cells, which stands for them: two XXH3 sums under different seeds.
///
/// Among 2^40 rows the chance that any two different ones meet is below 2^-48.
package struct CellHash: Hashable, Comparable {
  package private(set) var low: UInt64 = 1
  private var high: UInt64 = 2

  package init() {}

  package static func < (a: Self, b: Self) -> Bool { (a.low, a.high) < (b.low, b.high) }

  mutating func add(_ value: UInt64) {
    low = Hash64.of(low &+ value, seed: 0x5bd1_e995)
    high = Hash64.of(high &+ value, seed: 0x1b87_3593)
  }

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    low = Hash64.of(low &+ Hash64.of(bytes, seed: 11))
    high = Hash64.of(high &+ Hash64.of(bytes, seed: 13))
  }

  /// Adds the loaded cell of a row.
  package mutating func add(_ cell: FieldCursor, _ row: Int) throws(DSVError) {
    let slice = cell.loaded
    if slice.array.isNull(row - slice.startRow) {
      add(try cell.isMissing(row) ? 3 : 5)
    } else {
      add(7)
      add(slice.array, row - slice.startRow)
    }
  }

  private mutating func add(_ array: ArrayView, _ index: Int) {
    if array.isNull(index) { return add(5) }
    switch array.layout {
    case .none: add(1)
    case .bool: add(array.bool(index) ? 1 : 0)
    case .fixed(let width): add(UnsafeRawBufferPointer(start: array.values + index * width, count: width))
    case .bytes:
      if array.isBlob(index) { add(9) }
      add(array.bytes(index))
    case .list, .fixedSizeList:
      let (start, end) = array.range(index)
      add(UInt64(end - start))
      for element in start..<end { add(array.children[0], element) }
    case .struct: for child in array.children { add(child, index) }
    }
  }
}

/// Whether two loaded cells are equal: bit for bit, and null only to null, missing only to missing.
package func cellsAreEqual(_ a: FieldCursor, _ rowA: Int, _ b: FieldCursor, _ rowB: Int) throws(DSVError)
  -> Bool
{
  let (sliceA, sliceB) = (a.loaded, b.loaded)
  let (indexA, indexB) = (rowA - sliceA.startRow, rowB - sliceB.startRow)
  let isNull = sliceA.array.isNull(indexA)
  guard isNull == sliceB.array.isNull(indexB) else { return false }
  if isNull { return try a.isMissing(rowA) == b.isMissing(rowB) }
  return valuesAreEqual(sliceA.array, indexA, sliceB.array, indexB)
}

private func valuesAreEqual(_ a: ArrayView, _ i: Int, _ b: ArrayView, _ j: Int) -> Bool {
  let isNull = a.isNull(i)
  guard isNull == b.isNull(j) else { return false }
  if isNull { return true }
  switch a.layout {
  case .none: return true
  case .bool: return a.bool(i) == b.bool(j)
  case .fixed(let width):
    return memcmp(a.values + i * width, b.values + j * width, width) == 0
  case .bytes:
    let (x, y) = (a.bytes(i), b.bytes(j))
    return a.isBlob(i) == b.isBlob(j) && areEqual(x, y)
  case .list, .fixedSizeList:
    let ((startA, endA), (startB, endB)) = (a.range(i), b.range(j))
    guard endA - startA == endB - startB else { return false }
    for offset in 0..<endA - startA
    where !valuesAreEqual(a.children[0], startA + offset, b.children[0], startB + offset) { return false }
    return true
  case .struct:
    for (x, y) in zip(a.children, b.children) where !valuesAreEqual(x, i, y, j) { return false }
    return true
  }
}

private func areEqual(_ x: UnsafeRawBufferPointer, _ y: UnsafeRawBufferPointer) -> Bool {
  guard x.count == y.count, let start = x.baseAddress, let other = y.baseAddress else {
    return x.isEmpty && y.isEmpty
  }
  return memcmp(start, other, x.count) == 0
}
