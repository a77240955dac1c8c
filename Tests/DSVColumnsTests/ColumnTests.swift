import DSVColumns
import DSVFormat
import DSVStore
import Synchronization
import Testing

/// Keeps objects in a dictionary.
final class MemoryObjects: ObjectSink {
  let objects = Mutex<[AnyID: StoredObject]>([:])
  let naming = ObjectNaming.plain
  func contains(_ id: AnyID) throws(DSVError) -> Bool { objects.withLock { $0[id] != nil } }
  func read(_ id: AnyID) throws(DSVError) -> StoredObject {
    guard let object = objects.withLock({ $0[id] }) else { throw DSVError(.notFound, "no object \(id)") }
    return object
  }
  func put(_ id: AnyID, _ object: StoredObject) throws(DSVError) {
    objects.withLock { $0[id] = object }
  }
}

/// The same numbers for the same seed, on every machine: SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}

@Suite struct ColumnTests {
  let objects = MemoryObjects()
  func sink(threads: Int) -> ColumnSink { ColumnSink(objects, pool: WorkerPool(threadCount: threads)) }
  var reader: ObjectReader {
    ObjectReader(objects, cache: ObjectCache(byteCountMax: 1 << 20), pool: WorkerPool(threadCount: 2))
  }

  static func texts(_ count: Int, seed: UInt64 = 1) -> [[UInt8]?] {
    var random = SeededGenerator(state: seed)
    return (0..<count).map { _ in
      if random.next() % 10 == 0 { return nil }
      let length = Int(random.next() % (random.next() % 20 == 0 ? 9000 : 200))
      return (0..<length).map { _ in UInt8(97 + random.next() % 6) }
    }
  }

  func write(_ values: [[UInt8]?], threads: Int, splitEvery: Int = .max) throws -> ColumnRoot {
    var root = ColumnRoot.empty
    var start = 0
    while start < values.count {
      let end = min(values.count, splitEvery == .max ? values.count : start + splitEvery)
      let writer = try ColumnWriter(type: .utf8, sink: sink(threads: threads), after: root, reader: reader)
      for value in values[start..<end] {
        if let value { try value.withUnsafeBytes { try writer.append($0) } } else { try writer.appendNull() }
      }
      root = try writer.finish()
      start = end
    }
    return root
  }

  func read(_ root: ColumnRoot) throws -> [[UInt8]?] {
    let cursor = ColumnCursor(root, layout: .bytes, reader: reader)
    return try (0..<root.rowCount).map { row in
      let slice = try cursor.slice(at: row)
      let index = row - slice.startRow
      return slice.array.isNull(index) ? nil : Array(slice.array.bytes(index))
    }
  }

  @Test("what is written is read, and the root is the same for any threads and any number of appends")
  func equalContentEqualRoot() throws {
    let values = Self.texts(20_000)
    let once = try write(values, threads: 0)
    #expect(try read(once) == values)
    #expect(once.nullCount == values.count { $0 == nil })
    #expect(try write(values, threads: 2) == once)
    #expect(try write(values, threads: 2, splitEvery: 777) == once)
    guard case .object(_, let level) = once.place else { return #expect(Bool(false)) }
    #expect(level == 1)
  }

  @Test("a chunk's plain size is near its target")
  func chunkSize() throws {
    let root = try write(Self.texts(50_000), threads: 2)
    var walker = TreeWalker(root, reader: reader)
    var sizes: [Int] = []
    while let leaf = try walker.next() { sizes.append(leaf.entry.plainByteCount) }
    let mean = sizes.reduce(0, +) / sizes.count
    #expect((48 << 10...84 << 10).contains(mean), "\(mean)")
    #expect(sizes.dropLast().allSatisfy { $0 >= 14 << 10 && $0 <= 300 << 10 })
  }

  @Test("every layout survives the encoder", arguments: 0..<40)
  func layouts(seed: UInt64) throws {
    var random = SeededGenerator(state: seed)
    let layouts: [Layout] = [
      .none, .bool, .fixed(1), .fixed(2), .fixed(4), .fixed(8), .fixed(16), .bytes, .list(.fixed(8)),
      .list(.list(.bytes)), .fixedSizeList(.fixed(4), count: 3), .list(.struct([.bytes, .bool])),
    ]
    for layout in layouts {
      let builder = ArrayBuilder(layout)
      let spread = random.next() % 64
      for _ in 0..<Int(random.next() % 300) { appendRandom(to: builder, spread, &random) }
      let plain = GrowingBytes()
      builder.writePlain(to: plain)
      let chunk = try Chunk(taking: plain, of: "test")
      let stored = ChunkEncoder(zstd: Zstd()).store(chunk)
      let back = try stored.withUnsafeBytes {
        try ChunkDecoder(zstd: Zstd()).chunk($0, plainByteCount: chunk.plainBytes.count, of: "test")
      }
      #expect(Array(back.plainBytes) == Array(chunk.plainBytes), "\(layout), seed \(seed)")
      // Copied value by value, it is the same chunk.
      let copy = ArrayBuilder(layout)
      for index in 0..<chunk.count { copy.append(from: chunk.array, index) }
      let copied = GrowingBytes()
      copy.writePlain(to: copied)
      #expect(Array(copied.bytes) == Array(chunk.plainBytes), "\(layout), seed \(seed)")
      try damage(stored, chunk.plainBytes.count, &random)
    }
  }

  /// Any damage is an error or a chunk, never a crash.
  func damage(_ stored: [UInt8], _ plainByteCount: Int, _ random: inout SeededGenerator) throws {
    for _ in 0..<50 {
      var bytes = stored
      bytes[Int(random.next() % UInt64(bytes.count))] ^= UInt8(1 << (random.next() % 8))
      if random.next() % 4 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
      _ = try? bytes.withUnsafeBytes {
        try ChunkDecoder(zstd: Zstd()).chunk($0, plainByteCount: plainByteCount, of: "test")
      }
    }
  }

  func appendRandom(to builder: ArrayBuilder, _ spread: UInt64, _ random: inout SeededGenerator) {
    if random.next() % 7 == 0 { return builder.appendNull() }
    let value = spread == 0 ? 5 : random.next() >> spread
    switch builder.layout {
    case .none: builder.appendValue()
    case .bool: builder.append(value & 1 == 1)
    case .fixed(1): builder.append(fixed: UInt8(truncatingIfNeeded: value))
    case .fixed(2): builder.append(fixed: UInt16(truncatingIfNeeded: value))
    case .fixed(4): builder.append(fixed: UInt32(truncatingIfNeeded: value))
    case .fixed(8): builder.append(fixed: value &- 1000)
    case .fixed: builder.append(fixed: UInt128(value))
    case .bytes:
      let text = Array(String(value % 100).utf8)
      text.withUnsafeBytes { builder.append($0) }
    case .list:
      for _ in 0..<value % 4 { appendRandom(to: builder.children[0], spread, &random) }
      builder.appendNested()
    case .fixedSizeList(_, let count):
      for _ in 0..<count { appendRandom(to: builder.children[0], spread, &random) }
      builder.appendNested()
    case .struct:
      for child in builder.children { appendRandom(to: child, spread, &random) }
      builder.appendNested()
    }
  }

  @Test("a value beyond 256 KiB is a blob and comes back whole")
  func blob() throws {
    var random = SeededGenerator(state: 3)
    let value = (0..<3_000_000).map { _ in UInt8(truncatingIfNeeded: random.next() >> 7) }
    let root = try write([value, nil, [1]], threads: 2)
    let slice = try ColumnCursor(root, layout: .bytes, reader: reader).slice(at: 0)
    #expect(slice.array.isBlob(0) && !slice.array.isBlob(2))
    #expect(try reader.blob(BlobReference(slice.array.bytes(0))) == value)
  }

  @Test("a column whose chunks are of another layout than its type is corrupt, whoever reads it")
  func wrongLayout() throws {
    for values in [[[1], nil, [2]], Self.texts(2000)] {
      let root = try write(values, threads: 0)
      for layout in [Layout.fixed(8), .bool, .list(.bytes)] {
        #expect(throws: DSVError.self) {
          try ColumnCursor(root, layout: layout, reader: reader).slice(at: 0)
        }
      }
      #expect(throws: DSVError.self) {
        try ColumnWriter(type: .int64, sink: sink(threads: 0), after: root, reader: reader)
      }
    }
  }

  @Test("a root that miscounts rows or nulls is corrupt, and no index of a missing row follows from it")
  func wrongCounts() throws {
    for values in [[[1], nil, [2]], Self.texts(2000)] {
      let root = try write(values, threads: 0)
      for (rows, nulls) in [(0, 1), (0, -1), (1, 0), (-1, 0)] {
        let wrong = ColumnRoot(
          place: root.place, rowCount: root.rowCount + rows, nullCount: root.nullCount + nulls,
          plainByteCount: root.plainByteCount)
        #expect(throws: DSVError.self) {
          try ColumnCursor(wrong, layout: .bytes, reader: reader).slice(at: 0)
        }
      }
    }
  }
}
