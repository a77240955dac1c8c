import DSVColumns
import DSVFormat
import DSVStore
import DSVTesting
import Testing

/// A column that was patched has the root of the one that was written anew.
@Suite struct PatchTests {
  private let store = MemoryObjectStore()

  private var sink: ColumnSink { ColumnSink(store, pool: WorkerPool(threadCount: 0)) }
  private var reader: ObjectReader {
    ObjectReader(store, cache: ObjectCache(byteCountMax: 1 << 26), pool: WorkerPool(threadCount: 0))
  }

  private func write(_ values: [UInt16]) throws -> ColumnRoot {
    let writer = ColumnWriter(type: .uint16, sink: sink)
    for value in values {
      writer.builder.append(fixed: value)
      try writer.endValue()
    }
    return try writer.finish()
  }

  @Test(
    "patching gives the root that writing anew gives",
    arguments: [1, 5, 200, 7_710, 150_000, 400_000, 700_001])
  func equalRoots(rowCount: Int) throws {
    var random = SeededGenerator(state: UInt64(rowCount))
    for changedCount in [1, 2, 30, 3000] where changedCount <= rowCount {
      var values = [UInt16](repeating: 0, count: rowCount)
      var root: ColumnRoot?
      for round in 1...4 {
        // Some close together, some far apart.
        let start = Int.random(in: 0..<rowCount, using: &random)
        let span = round % 2 == 0 ? rowCount : min(rowCount, 10 * changedCount)
        let rows = Set(
          (0..<changedCount).map { _ in (start + Int.random(in: 0..<span, using: &random)) % rowCount }
        ).sorted()
        for row in rows { values[row] = UInt16(round) }
        let patched = try ColumnPatch.setting(
          rows, to: UInt16(round), in: root, rowCount: rowCount, sink: sink, reader: reader)
        #expect(try patched == write(values), "\(changedCount) rows, round \(round)")
        root = patched
      }
      let mixed = try write(values.indices.map { UInt16(truncatingIfNeeded: $0 &* $0 >> 7) })
      let all = try ColumnPatch.setting(
        Array(0..<rowCount), to: 9, in: mixed, rowCount: rowCount, sink: sink, reader: reader)
      #expect(try all == write([UInt16](repeating: 9, count: rowCount)))
    }
  }

  @Test("a cursor that knows its visits finds the same values")
  func visits() throws {
    let root = try write((0..<300_000).map { UInt16(truncatingIfNeeded: $0) })
    var random = SeededGenerator(state: 4)
    for count in [1, 3, 100, 5000] {
      let rows = Set((0..<count).map { _ in Int.random(in: 0..<300_000, using: &random) }).sorted()
      let cursor = ColumnCursor(root, layout: .fixed(2), reader: reader, visits: rows)
      for row in rows {
        let slice = try cursor.slice(at: row)
        #expect(slice.array.fixed(row - slice.startRow, as: UInt16.self) == UInt16(truncatingIfNeeded: row))
      }
    }
  }
}
