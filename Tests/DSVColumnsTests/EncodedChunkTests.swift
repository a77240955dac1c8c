import DSVColumns
import DSVFormat
import Testing

/// Values that are read out of a chunk's encoded form, against the same values of its plain form.
@Suite struct EncodedChunkTests {
  private let reader = ObjectReader(
    MemoryObjects(), cache: ObjectCache(byteCountMax: 1 << 20), pool: WorkerPool(threadCount: 0))

  private static let layouts: [Layout] = [
    .none, .bool, .fixed(1), .fixed(2), .fixed(4), .fixed(8), .fixed(16), .bytes, .list(.fixed(4)),
    .list(.bytes), .list(.list(.bytes)), .fixedSizeList(.fixed(4), count: 3),
    .list(.struct([.bytes, .bool])),
  ]

  /// How values are drawn, so that each encoding comes up.
  private enum Pattern: CaseIterable {
    case equal, few, near, any
    func value(_ random: inout SeededGenerator) -> UInt64 {
      switch self {
      case .equal: 7
      case .few: random.next() % 3
      case .near: 1 << 40 + random.next() % 50_000
      case .any: random.next()
      }
    }
  }

  /// How often a value is null, in eighths.
  private static let nulls: [UInt64] = [0, 1, 7, 8]

  private func fill(
    _ builder: ArrayBuilder, _ pattern: Pattern, _ nulls: UInt64, _ random: inout SeededGenerator
  ) {
    if random.next() % 8 < nulls { return builder.appendNull() }
    let value = pattern.value(&random)
    switch builder.layout {
    case .none: builder.appendValue()
    case .bool: builder.append(value & 1 == 1)
    case .fixed(1): builder.append(fixed: UInt8(truncatingIfNeeded: value))
    case .fixed(2): builder.append(fixed: UInt16(truncatingIfNeeded: value))
    case .fixed(4): builder.append(fixed: UInt32(truncatingIfNeeded: value))
    case .fixed(8): builder.append(fixed: value)
    case .fixed: builder.append(fixed: UInt128(value) << 64)
    case .bytes: Array(String(value).utf8).withUnsafeBytes { builder.append($0) }
    case .list, .fixedSizeList, .struct:
      var count = value % 4
      if case .fixedSizeList(_, let n) = builder.layout { count = UInt64(n) }
      if case .struct = builder.layout { count = 1 }
      for _ in 0..<count {
        for child in builder.children { fill(child, pattern, nulls, &random) }
      }
      builder.appendNested()
    }
  }

  private func plain(_ builder: ArrayBuilder) -> [UInt8] {
    let bytes = GrowingBytes()
    builder.writePlain(to: bytes)
    return Array(bytes.bytes)
  }

  /// The plain form of the values at `runs`, gathered from the encoded form.
  private func gathered(_ values: EncodedArray, _ runs: [Range<Int>]) throws -> [UInt8] {
    let gatherer = ArrayGatherer(values.layout, reader: reader)
    for run in runs { try gatherer.append(values, run) }
    let result = gatherer.finish()
    #expect(result.array.count == runs.reduce(0) { $0 + $1.count })
    return plain(copy(result.array, [0..<result.array.count]))
  }

  private func copy(_ array: ArrayView, _ runs: [Range<Int>]) -> ArrayBuilder {
    let builder = ArrayBuilder(array.layout)
    for index in runs.joined() { builder.append(from: array, index) }
    return builder
  }

  private func decoded(
    _ stored: [UInt8], _ plainByteCount: Int, base: Chunk? = nil, into chunk: EncodedChunk = EncodedChunk()
  ) throws -> EncodedChunk {
    try stored.withUnsafeBytes { bytes in
      try ChunkDecoder(zstd: Zstd()).decode(
        bytes, plainByteCount: plainByteCount, base: base, into: chunk, of: "test")
    }
    return chunk
  }

  private func plainChunk(_ stored: [UInt8], _ plainByteCount: Int) throws -> Chunk {
    try stored.withUnsafeBytes {
      try ChunkDecoder(zstd: Zstd()).chunk($0, plainByteCount: plainByteCount, of: "test")
    }
  }

  /// As stored without compression.
  private func uncompressed(_ stored: [UInt8]) throws -> [UInt8] {
    if stored[0] == 0 { return stored }
    var encoded = [UInt8](repeating: 0, count: stored[4..<8].reversed().reduce(0) { $0 << 8 | Int($1) })
    try stored[8...].withUnsafeBytes { frame in
      try encoded.withUnsafeMutableBytes { try Zstd().decompress(frame, into: $0, of: "test") }
    }
    return [0] + stored[1..<8] + encoded
  }

  /// The code of the outermost array's encoding.
  private func encoding(_ stored: [UInt8]) throws -> UInt8 { try uncompressed(stored)[10] }

  @Test("any rows out of the encoded form are those of the plain form", arguments: 0..<6)
  func runs(seed: UInt64) throws {
    var random = SeededGenerator(state: seed)
    var seen: Set<[UInt8]> = []
    // One for all, so that what an earlier chunk left in its memory would be noticed.
    let reused = EncodedChunk()
    for layout in Self.layouts {
      for pattern in Pattern.allCases {
        for nulls in Self.nulls {
          let builder = ArrayBuilder(layout)
          for _ in 0..<1 + Int(random.next() % 400) { fill(builder, pattern, nulls, &random) }
          let chunk = try plain(builder).withUnsafeBytes { try Chunk(copying: $0, of: "test") }
          let stored = ChunkEncoder(zstd: Zstd()).store(chunk)
          seen.insert([layout.code, try encoding(stored)])
          let encoded = try decoded(stored, chunk.plainBytes.count, into: reused).array
          var runs = [0..<chunk.count]
          #expect(try gathered(encoded, runs) == Array(chunk.plainBytes), "\(layout), \(pattern), \(nulls)")
          runs = (0..<5).map { _ in
            let start = Int(random.next() % UInt64(chunk.count))
            return start..<min(chunk.count, start + Int(random.next() % 20))
          }
          let wanted = plain(copy(chunk.array, runs))
          #expect(try gathered(encoded, runs) == wanted, "\(layout), \(pattern), \(nulls)")
          try appended(chunk, layout, pattern, nulls, &random)
        }
      }
    }
    // Every encoding of §2.3 but those of layouts that have one only.
    let all: [[UInt8]] = (2...5).flatMap { [[$0, 0], [$0, 1], [$0, 3]] } + [[7, 0], [7, 1], [7, 2]]
    #expect(seen.isSuperset(of: all), "\(all.filter { !seen.contains($0) }) were not met")
  }

  /// The same of a chunk that is another's values and some more.
  private func appended(
    _ base: Chunk, _ layout: Layout, _ pattern: Pattern, _ nulls: UInt64, _ random: inout SeededGenerator
  ) throws {
    let (more, all) = (ArrayBuilder(layout), copy(base.array, [0..<base.count]))
    for _ in 0..<1 + Int(random.next() % 20) { fill(more, pattern, nulls, &random) }
    let chunk = try plain(more).withUnsafeBytes { try Chunk(copying: $0, of: "test") }
    for index in 0..<chunk.count { all.append(from: chunk.array, index) }
    let wanted = plain(all)
    let stored = ChunkEncoder(zstd: Zstd()).store(appended: chunk)
    let encoded = try decoded(stored, wanted.count, base: base)
    #expect(
      try gathered(encoded.array, [0..<encoded.array.count]) == wanted, "\(layout), \(pattern), \(nulls)")
  }

  @Test(
    "damaged bytes are refused in encoded form where they are in plain form, and else give the same values")
  func damage() throws {
    var random = SeededGenerator(state: 11)
    var (refused, accepted) = (0, 0)
    for layout in Self.layouts {
      for pattern in Pattern.allCases {
        let builder = ArrayBuilder(layout)
        for _ in 0..<40 { fill(builder, pattern, 1, &random) }
        let chunk = try plain(builder).withUnsafeBytes { try Chunk(copying: $0, of: "test") }
        let (whole, count) = (ChunkEncoder(zstd: Zstd()).store(chunk), chunk.plainBytes.count)
        for bit in 0..<min(whole.count * 8, 600) {
          var stored = whole
          stored[bit / 8] ^= UInt8(1 << (bit % 8))
          let wanted = try? plainChunk(stored, count)
          let found = try? decoded(stored, count)
          #expect((wanted == nil) == (found == nil), "\(layout), \(pattern), bit \(bit)")
          guard let wanted, let found else {
            refused += 1
            continue
          }
          accepted += 1
          // What null slots hold is not compared.
          let expected = plain(copy(wanted.array, [0..<wanted.count]))
          #expect(try gathered(found.array, [0..<wanted.count]) == expected, "\(layout), bit \(bit)")
        }
      }
    }
    #expect(refused > 100 && accepted > 100, "\(refused), \(accepted)")
  }

  @Test(
    "dictionaries of each size decode, and a number that names no entry is refused wherever it is",
    arguments: [1, 2, 3, 5, 9, 17, 33, 65, 129, 200, 300])
  func dictionaries(size: Int) throws {
    for count in [4 * size, 4 * size + 5, 4 * size + 64] {
      let builder = ArrayBuilder(.bytes)
      for index in 0..<count {
        Array(repeating: UInt8(index % size & 0xff), count: 1 + index % size % 7).withUnsafeBytes {
          builder.append($0)
        }
      }
      let chunk = try plain(builder).withUnsafeBytes { try Chunk(copying: $0, of: "test") }
      let stored = try uncompressed(ChunkEncoder(zstd: Zstd()).store(chunk))
      let decoded = try plainChunk(stored, chunk.plainBytes.count)
      withExtendedLifetime((decoded, chunk)) {
        #expect(decoded.plainBytes.elementsEqual(chunk.plainBytes), "\(count)")
      }
      // All numbers of the width name an entry.
      let width = Int.bitWidth - (size - 1).leadingZeroBitCount
      if size == 1 << width { continue }
      #expect(stored[10] == 2, "no dictionary")
      let start = stored.count - (count * width + 7) / 8
      for number in [0, 7, 8, count / 2, count - 1] {
        var damaged = stored
        for bit in number * width..<(number + 1) * width { damaged[start + bit / 8] |= UInt8(1 << (bit % 8)) }
        let error = #expect(throws: DSVError.self) { try plainChunk(damaged, chunk.plainBytes.count) }
        #expect(error?.message.contains("a dictionary index is out of range") == true, "number \(number)")
      }
    }
  }
}
