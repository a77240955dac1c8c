import DSV
import DSVColumns
import DSVFormat
import DSVStore
import DSVTables
import DSVTesting
import Synchronization
import Testing

/// Objects in memory, and how much of them has been read.
private final class CountingStore: ObjectSink {
  struct Count: Equatable {
    var objects = 0
    var storedBytes = 0
    var plainBytes = 0
  }
  let naming = ObjectNaming.plain
  private let base = MemoryObjectStore()
  private let counted = Mutex(Count())

  var count: Count { counted.withLock { $0 } }
  func reset() { counted.withLock { $0 = Count() } }
  func contains(_ id: AnyID) throws(DSVError) -> Bool { try base.contains(id) }
  func put(_ id: AnyID, _ object: StoredObject) throws(DSVError) { try base.put(id, object) }

  func read(_ id: AnyID) throws(DSVError) -> StoredObject {
    let object = try base.read(id)
    counted.withLock {
      $0.objects += 1
      $0.storedBytes += object.bytes.count
      $0.plainBytes += object.plainByteCount
    }
    return object
  }

  /// A reader that begins with an empty cache.
  func reader(cacheByteCount: Int = 0, threadCount: Int = 2) -> ObjectReader {
    ObjectReader(
      self, cache: ObjectCache(byteCountMax: cacheByteCount), pool: WorkerPool(threadCount: threadCount))
  }
}

/// What reading costs, in bytes and objects and not in time.
@Suite struct ScanCostTests {
  private let store = CountingStore()

  private func column(_ name: String, _ count: Int, _ value: (Int) -> Int64) throws -> TableField {
    let writer = try ColumnWriter(
      type: .int64, sink: ColumnSink(store, pool: WorkerPool(threadCount: 0)), after: .empty,
      reader: store.reader())
    for row in 0..<count { try writer.append(fixed: value(row)) }
    return TableField(name: name, type: .int64, values: try writer.finish())
  }

  /// Ten columns: one sorted, the others as random as numbers are.
  private func table(_ count: Int) throws -> Table {
    var generator = SeededGenerator(seed: 1)
    var fields = [try column("sorted", count) { Int64($0) }]
    for index in 1..<10 {
      fields.append(try column("c\(index)", count) { _ in Int64(bitPattern: generator.next()) })
    }
    return Table(name: "data", fields: fields, rowCount: count)
  }

  private func read(
    _ table: Table, _ fields: [TableField], where condition: String? = nil
  ) throws -> (rows: [Int64], cost: CountingStore.Count) {
    // A cache for the tree's nodes, which several columns' walks come by.
    let reader = store.reader(cacheByteCount: 4 << 20)
    store.reset()
    let filter = try condition.map {
      try RowFilter(table, where: try table.condition($0), reader: reader)
    }
    let scan = TableScan(fields, of: table, filter: filter, options: TableScanOptions(), reader: reader)
    var rows: [Int64] = []
    while let batch = try scan.next() {
      let array = batch.fields[0].values.array
      for index in 0..<batch.rowCount { rows.append(array.fixed(index, as: Int64.self)) }
    }
    return (rows, store.count)
  }

  @Test("a scan reads each chunk once, a scan of one column out of ten a tenth, one of 1 % some chunks")
  func bytesInProportion() throws {
    let table = try table(200_000)
    let all = try read(table, table.fields)
    #expect(all.rows == (0..<200_000).map { Int64($0) })
    let wanted = table.fields.reduce(0) { $0 + $1.values.plainByteCount }
    #expect(all.cost.plainBytes >= wanted && all.cost.plainBytes < wanted + 200_000)
    let one = try read(table, [table.fields[1]])
    #expect(one.cost.plainBytes * 9 < all.cost.plainBytes)
    #expect(one.cost.storedBytes * 7 < all.cost.storedBytes)
    let few = try read(table, table.fields, where: "sorted >= 120000 and sorted < 122000")
    #expect(few.rows == (120_000..<122_000).map { Int64($0) })
    #expect(few.cost.storedBytes * 10 < all.cost.storedBytes)
    #expect(try read(table, table.fields, where: "sorted < 0").rows == [])
  }

  @Test("taking rows reads each chunk that holds some once")
  func take() throws {
    let table = try table(100_000)
    let reader = store.reader(cacheByteCount: 8 << 20)
    let take = TableTake(table.fields, of: table, reader: reader)
    _ = try take.rows([0])
    store.reset()
    _ = try take.rows([50_000])
    #expect((10...20).contains(store.count.objects))
    // A few rows' chunks are kept, so that the rows beside them cost nothing.
    store.reset()
    _ = try take.rows([50_001, 50_000])
    #expect(store.count == CountingStore.Count())
    // Many rows of few chunks, in any order: no more than all chunks.
    let fresh = TableTake(table.fields, of: table, reader: store.reader(cacheByteCount: 8 << 20))
    store.reset()
    var generator = SeededGenerator(seed: 2)
    let rows = (0..<2000).map { _ in generator.below(100_000) }
    let batch = try fresh.rows(rows)
    let array = batch.fields[0].values.array
    #expect((0..<2000).allSatisfy { array.fixed($0, as: Int64.self) == Int64(rows[$0]) })
    let wanted = table.fields.reduce(0) { $0 + $1.values.plainByteCount }
    #expect(store.count.plainBytes < wanted + 200_000)
  }

  /// 1,000 columns; they share their chunks, which no cache keeps.
  private func wide() throws -> Table {
    var generator = SeededGenerator(seed: 3)
    let one = try column("c", 50_000) { _ in Int64(bitPattern: generator.next()) }
    let fields = (0..<1000).map { index in
      var field = one
      field.name = "c\(index)"
      return field
    }
    return Table(name: "data", fields: fields, rowCount: 50_000)
  }

  @Test("what 1,000 columns' cursors decode ahead is bounded over all of them")
  func aheadOfWideTable() throws {
    let table = try wide()
    let reader = store.reader()
    let cursor = TableCursor(table, fields: table.fields, reader: reader)
    store.reset()
    _ = try cursor.load(at: 0)
    // The chunk of each column that row 0 is in, at most 256 KiB, their nodes, and the budget.
    var walker = TreeWalker(table.fields[0].values, reader: reader)
    let first = try #require(try walker.next()).entry.plainByteCount
    #expect(store.count.plainBytes < 1000 * (first + 4096) + ObjectReader.aheadByteCountMax)
    #expect(store.count.plainBytes < table.fields[0].values.plainByteCount * 1000 / 2)
    // What was refused for want of room is read when it is wanted.
    var row = 0
    while row < table.rowCount { row = try cursor.load(at: row) }
    #expect(reader.aheadBudget.take(ObjectReader.aheadByteCountMax), "what was taken is given back")
  }

  @Test("batches of 1,000 columns have few rows, and all of them")
  func wideBatches() throws {
    let table = try wide()
    let scan = TableScan(
      table.fields, of: table, filter: nil, options: TableScanOptions(), reader: store.reader(threadCount: 2))
    var (rowCount, batchCount) = (0, 0)
    while rowCount < 4000, let batch = try scan.next() {
      #expect(batch.fields.count == 1000 && batch.rowCount * 8000 < 9 << 20)
      let (first, last) = (batch.fields[0].values.array, batch.fields[999].values.array)
      for index in 0..<batch.rowCount {
        #expect(first.fixed(index, as: Int64.self) == last.fixed(index, as: Int64.self))
      }
      rowCount += batch.rowCount
      batchCount += 1
    }
    #expect(rowCount >= 4000 && batchCount > 3)
  }
}
