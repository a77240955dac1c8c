import DSVColumns
import DSVFormat
import DSVStore
import Synchronization
import Testing

/// Chunks and nodes that are stored as what they add to others.
@Suite struct BaseTests {
  static let layouts: [Layout] = [
    .none, .bool, .fixed(1), .fixed(2), .fixed(4), .fixed(8), .fixed(16), .bytes, .list(.bytes),
    .list(.list(.bool)), .fixedSizeList(.fixed(4), count: 3),
    .list(.struct([.bytes, .bool, .list(.fixed(8))])),
    .fixedSizeList(.list(.none), count: 2),
  ]

  /// Appends a value of any layout, `nullShare` of 256 of them null.
  static func append(_ random: inout SeededGenerator, nullShare: UInt64, to builder: ArrayBuilder) {
    if random.next() % 256 < nullShare { return builder.appendNull() }
    switch builder.layout {
    case .none: builder.appendValue()
    case .bool: builder.append(random.next() % 2 == 0)
    case .fixed(1): builder.append(fixed: UInt8(truncatingIfNeeded: random.next()))
    case .fixed(2): builder.append(fixed: UInt16(truncatingIfNeeded: random.next()))
    case .fixed(4): builder.append(fixed: UInt32(truncatingIfNeeded: random.next()))
    case .fixed(8): builder.append(fixed: random.next())
    case .fixed: builder.append(fixed: UInt128(random.next()))
    case .bytes:
      let bytes = (0..<Int(random.next() % 20)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      bytes.withUnsafeBytes { builder.append($0) }
    case .list:
      for _ in 0..<random.next() % 4 { append(&random, nullShare: nullShare, to: builder.children[0]) }
      builder.appendNested()
    case .fixedSizeList(_, let count):
      for _ in 0..<count { append(&random, nullShare: nullShare, to: builder.children[0]) }
      builder.appendNested()
    case .struct:
      for child in builder.children { append(&random, nullShare: nullShare, to: child) }
      builder.appendNested()
    }
  }

  /// Builders with the first `count` values, the rest, and all of a sequence of random ones.
  static func chunks(_ layout: Layout, _ count: Int, _ more: Int, seed: UInt64) throws -> (
    Chunk, Chunk, Chunk
  ) {
    func chunk(_ builder: ArrayBuilder) throws -> Chunk {
      let plain = GrowingBytes()
      builder.writePlain(to: plain)
      return try Chunk(taking: plain, of: "test")
    }
    var random = SeededGenerator(state: seed)
    let (first, second, all) = (ArrayBuilder(layout), ArrayBuilder(layout), ArrayBuilder(layout))
    // Nulls in neither, in one of them, or in both.
    let shares: [UInt64] = [seed & 1 == 0 ? 0 : 80, seed & 2 == 0 ? 0 : 80]
    for index in 0..<count + more { append(&random, nullShare: shares[index < count ? 0 : 1], to: all) }
    let whole = try chunk(all)
    for index in 0..<count + more { (index < count ? first : second).append(from: whole.array, index) }
    return (try chunk(first), try chunk(second), whole)
  }

  static func decode(_ stored: [UInt8], _ plainByteCount: Int, base: Chunk?) throws -> Chunk {
    try stored.withUnsafeBytes {
      try ChunkDecoder(zstd: Zstd()).chunk($0, plainByteCount: plainByteCount, base: base, of: "test")
    }
  }

  @Test("values that are appended to a base's make the chunk of them all", arguments: layouts)
  func appending(layout: Layout) throws {
    for seed: UInt64 in 0..<64 {
      let (count, more) = (Int(seed * 7 % 41), Int(seed * 5 % 19) + (seed % 3 == 0 ? 0 : 1))
      let (base, added, whole) = try Self.chunks(layout, count, more, seed: seed)
      let stored = ChunkEncoder(zstd: Zstd()).store(appended: added)
      let decoded = try Self.decode(stored, whole.plainBytes.count, base: base)
      #expect(decoded.id(.plain) == whole.id(.plain), "seed \(seed)")
      #expect(decoded.problem == nil)
      for other in [whole.plainBytes.count - 8, whole.plainBytes.count + 8, 0] {
        #expect(throws: DSVError.self) { try Self.decode(stored, other, base: base) }
      }
    }
  }

  @Test("a base that is missing, unused, or of another layout is corrupt; a cut or flipped body never traps")
  func refusals() throws {
    let (base, added, whole) = try Self.chunks(.bytes, 30, 5, seed: 3)
    let byteCount = whole.plainBytes.count
    let appended = ChunkEncoder(zstd: Zstd()).store(appended: added)
    let plain = ChunkEncoder(zstd: Zstd()).store(whole)
    let (other, _, _) = try Self.chunks(.fixed(8), 30, 5, seed: 3)
    for (stored, base) in [(appended, nil), (plain, base), (appended, other)] {
      let error = try #require(throws: DSVError.self) { try Self.decode(stored, byteCount, base: base) }
      #expect(error.code == .corrupt)
    }
    var unknown = appended
    unknown[1] = 2
    #expect(
      try #require(throws: DSVError.self) { try Self.decode(unknown, byteCount, base: base) }.code
        == .unsupportedFormat)
    for cut in appended.indices {
      #expect(throws: DSVError.self) { try Self.decode(Array(appended[..<cut]), byteCount, base: base) }
      for bit in 0..<8 {
        var flipped = appended
        flipped[cut] ^= 1 << UInt8(bit)
        do { _ = try Self.decode(flipped, byteCount, base: base) } catch is DSVError {}
      }
    }
  }

  @Test("plain bytes over a base come back, and not without it")
  func prefixed() throws {
    var random = SeededGenerator(state: 4)
    let base = (0..<3000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    let plain = base[..<1000] + [1, 2, 3] + base[1010...]
    let stored = try #require(StoredBytes.store(Array(plain), over: base))
    #expect(stored.count < 60)
    let read = try StoredBytes.plain(stored, plainByteCount: plain.count, base: base, of: "test")
    #expect(read == Array(plain))
    #expect(StoredBytes.store((0..<100).map { UInt8($0) }, over: base) == nil)
    for (bytes, base) in [(stored, nil), ([0] + plain, base)] as [([UInt8], [UInt8]?)] {
      let error = try #require(throws: DSVError.self) {
        try StoredBytes.plain(bytes, plainByteCount: plain.count, base: base, of: "test")
      }
      #expect(error.code == .corrupt)
    }
  }

  @Test("a column that grows value by value has the root of one that is written at once, and is read back")
  func growing() throws {
    let objects = MemoryObjects()
    let sink = ColumnSink(objects, pool: WorkerPool(threadCount: 0))
    func reader() -> ObjectReader {
      ObjectReader(objects, cache: ObjectCache(byteCountMax: 1 << 20), pool: WorkerPool(threadCount: 0))
    }
    var random = SeededGenerator(state: 5)
    var root = ColumnRoot.empty
    let whole = ColumnWriter(type: .utf8, sink: ColumnSink(MemoryObjects(), pool: WorkerPool(threadCount: 0)))
    // Some 25 chunks, so that there is a node over them and it is written instead of itself.
    for _ in 0..<500 {
      let text = (0..<500 + random.next() % 5000).map { _ in UInt8(97 + random.next() % 20) }
      try text.withUnsafeBytes { try whole.append($0) }
      let writer = try ColumnWriter(type: .utf8, sink: sink, after: root, reader: reader())
      try text.withUnsafeBytes { try writer.append($0) }
      root = try writer.finish()
    }
    let wanted = try whole.finish()
    #expect(root == wanted)
    let depths = objects.objects.withLock { objects in
      objects.values.reduce(into: [:] as [ObjectKind: [Int: Int]]) {
        $0[$1.kind, default: [:]][$1.base?.depth ?? 0, default: 0] += 1
      }
    }
    #expect(Set(depths[.chunk]?.keys ?? [:].keys) == Set(0...8) && depths[.node]?[1] ?? 0 > 10, "\(depths)")
    let cursor = ColumnCursor(root, layout: .bytes, reader: reader())
    for row in 0..<500 { _ = try cursor.slice(at: row).array.bytes(0) }
  }
}
