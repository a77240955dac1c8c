import DSVColumns
import DSVFormat
import DSVStore
import DSVTesting
import Testing

/// A column that goes on where another one ended has the root of one that was written at once.
@Suite struct ResumeTests {
  private let store = MemoryObjectStore()

  private var sink: ColumnSink { ColumnSink(store, pool: WorkerPool(threadCount: 0)) }
  private var reader: ObjectReader {
    ObjectReader(store, cache: ObjectCache(byteCountMax: 1 << 26), pool: WorkerPool(threadCount: 0))
  }

  private func write(_ rows: Range<Int>, of source: ArrayView, to writer: ColumnWriter) throws -> ColumnRoot {
    for row in rows {
      writer.builder.append(from: source, row)
      try writer.endValue()
    }
    return try writer.finish()
  }

  /// Random values: of few kinds in the first half, so that chunks of the greatest length come up too.
  private func values(_ type: DataType, _ count: Int, seed: UInt64) throws -> Chunk {
    var random = SeededGenerator(state: seed)
    let builder = ArrayBuilder(type.layout)
    let few = ArrayBuilder(type.layout)
    for _ in 0..<3 { BaseTests.append(&random, nullShare: 0, to: few) }
    let fewPlain = GrowingBytes()
    few.writePlain(to: fewPlain)
    let fewChunk = try Chunk(taking: fewPlain, of: "test")
    for row in 0..<count {
      if row < count / 2 {
        builder.append(from: fewChunk.array, row % 3)
      } else {
        BaseTests.append(&random, nullShare: seed % 3 == 0 ? 0 : 60, to: builder)
      }
    }
    let plain = GrowingBytes()
    builder.writePlain(to: plain)
    withExtendedLifetime(fewChunk) {}
    return try Chunk(taking: plain, of: "test")
  }

  @Test(
    "wherever it goes on, the root is the same",
    arguments: [
      (DataType.null, 120_000), (.bool, 150_000), (.int8, 150_000), (.uint16, 100_000), (.float64, 60_000),
      (.utf8, 30_000), (.list(.utf8), 15_000), (.list(.list(.bool)), 20_000),
      (.fixedSizeList(.float32, count: 3), 20_000), (.fixedSizeList(.bool, count: 3), 100_000),
    ])
  func equalRoots(type: DataType, count: Int) throws {
    for seed in 1...2 as ClosedRange<UInt64> {
      let chunk = try values(type, count, seed: seed)
      let whole = try write(0..<count, of: chunk.array, to: ColumnWriter(type: type, sink: sink))
      var random = SeededGenerator(state: seed)
      var places = (0..<10).map { _ in Int.random(in: 0...count, using: &random) }
      // Where a chunk ends, and one value to either side.
      var walker = TreeWalker(whole, reader: reader)
      while let leaf = try walker.next() { places += [leaf.endRow - 1, leaf.endRow, leaf.endRow + 1] }
      places += [0, 1, 64, count]
      for place in places where place <= count {
        let start = try write(0..<place, of: chunk.array, to: ColumnWriter(type: type, sink: sink))
        // One value, then the rest.
        let middle = min(place + 1, count)
        let first = try ColumnWriter(type: type, sink: sink, after: start, reader: reader)
        let longer = try write(place..<middle, of: chunk.array, to: first)
        let second = try ColumnWriter(type: type, sink: sink, after: longer, reader: reader)
        #expect(try write(middle..<count, of: chunk.array, to: second) == whole, "\(type), \(place)")
      }
    }
  }

  @Test("a column to which nothing is added stays what it is")
  func nothingAdded() throws {
    for count in [0, 1, 100, 20_000] {
      let chunk = try values(.utf8, count, seed: 5)
      let root = try write(0..<count, of: chunk.array, to: ColumnWriter(type: .utf8, sink: sink))
      #expect(try ColumnWriter(type: .utf8, sink: sink, after: root, reader: reader).finish() == root)
    }
  }
}
