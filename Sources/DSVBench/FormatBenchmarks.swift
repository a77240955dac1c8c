import DSVColumns
import DSVFormat
import DSVRecords
import DSVText

/// What is measured in memory: parsing, hashing, compression, chunks, quality.
enum FormatBenchmarks {
  static let all = [
    jsonParse, sha256, zstdCompress, zstdDecompress, chunkEncode, chunkDecode, numberEncode, quality,
  ]

  static let jsonParse = Benchmark("json-parse") { setting in
    let lines = try setting.documentLines(upTo: setting.pick(smoke: 100_000, full: 64_000_000))
    let parser = JSONParser()
    return {
      var (byteCount, checksum) = (0, UInt64(0))
      for line in lines {
        let events = try line.withUnsafeBytes { try parser.parse(copying: $0) }
        byteCount += line.count
        checksum = checksum &* 31 &+ UInt64(EventCursor(events).peek.endIndex)
      }
      return Benchmark.Outcome(byteCount: byteCount, checksum: checksum)
    }
  }

  static let sha256 = Benchmark("sha256-64k") { setting in
    let blocks = try blocks(setting)
    return {
      try total(blocks) { block in
        let id: ColumnID = block.withUnsafeBytes { SHA256.id(kind: .chunk, $0) }
        return id.w0
      }
    }
  }

  static let zstdCompress = Benchmark("zstd-compress-64k") { setting in
    let blocks = try blocks(setting)
    let zstd = Zstd()
    return {
      try total(blocks) { block in
        UInt64(block.withUnsafeBytes { zstd.compressed($0)?.count ?? $0.count })
      }
    }
  }

  static let zstdDecompress = Benchmark("zstd-decompress-64k") { setting in
    let zstd = Zstd()
    let frames = try blocks(setting).compactMap { block in
      block.withUnsafeBytes { zstd.compressed($0) }.map { (frame: $0, byteCount: block.count) }
    }
    var plain = [UInt8](repeating: 0, count: 1 << 16)
    return {
      var (byteCount, checksum) = (0, UInt64(0))
      for (frame, count) in frames {
        try frame.withUnsafeBytes { frame in
          try plain.withUnsafeMutableBytes { plain in
            let target = UnsafeMutableRawBufferPointer(rebasing: plain[..<count])
            try zstd.decompress(frame, into: target, of: "a benchmark's block")
          }
        }
        byteCount += count
        checksum = checksum &* 31 &+ UInt64(plain[count / 2])
      }
      return Benchmark.Outcome(byteCount: byteCount, checksum: checksum)
    }
  }

  static let chunkEncode = Benchmark("chunk-encode-text") { setting in
    let chunks = try textChunks(setting)
    let encoder = ChunkEncoder(zstd: Zstd())
    return { try outcome(chunks) { UInt64(encoder.store($0).count) } }
  }

  static let chunkDecode = Benchmark("chunk-decode-text") { setting in
    let encoder = ChunkEncoder(zstd: Zstd())
    let decoder = ChunkDecoder(zstd: Zstd())
    let stored = try textChunks(setting).map { (encoder.store($0), $0.plainBytes.count) }
    return {
      var (byteCount, checksum) = (0, UInt64(0))
      for (bytes, plainByteCount) in stored {
        let chunk = try bytes.withUnsafeBytes {
          try decoder.chunk($0, plainByteCount: plainByteCount, of: "a benchmark's chunk")
        }
        byteCount += plainByteCount
        checksum = checksum &* 31 &+ UInt64(chunk.count)
      }
      return Benchmark.Outcome(byteCount: byteCount, checksum: checksum)
    }
  }

  static let numberEncode = Benchmark("chunk-encode-int64") { setting in
    var random = Documents.Generator(state: 5)
    let chunks = try (0..<setting.pick(smoke: 2, full: 200)).map { _ in
      let builder = ArrayBuilder(.fixed(8))
      for _ in 0..<8192 { builder.append(fixed: Int64(random.next() % 5000)) }
      return try chunk(builder)
    }
    let encoder = ChunkEncoder(zstd: Zstd())
    return { try outcome(chunks) { UInt64(encoder.store($0).count) } }
  }

  static let quality = Benchmark("quality-fineweb") { setting in
    let texts = try setting.documentTexts(upTo: setting.pick(smoke: 60_000, full: 16_000_000))
    return {
      var scorer = QualityScorer(profile: .fineweb)
      var (byteCount, checksum) = (0, UInt64(0))
      for text in texts {
        let result = text.withUnsafeBytes { scorer.score($0) }
        byteCount += text.count
        checksum = checksum &* 31 &+ UInt64(result.failedRule ?? 99)
      }
      return Benchmark.Outcome(byteCount: byteCount, checksum: checksum)
    }
  }

  // MARK: What they work on

  /// Real or generated text in pieces of 64 KiB.
  static func blocks(_ setting: Setting, full byteCount: Int = 32_000_000) throws -> [[UInt8]] {
    let bytes = try setting.documentLines(upTo: setting.pick(smoke: 150_000, full: byteCount)).joined()
    let all = Array(bytes)
    return stride(from: 0, to: all.count, by: 1 << 16).map { Array(all[$0..<min(all.count, $0 + 1 << 16)]) }
  }

  /// Chunks of texts, each of about 64 KiB.
  private static func textChunks(_ setting: Setting) throws -> [Chunk] {
    var chunks: [Chunk] = []
    var (builder, byteCount) = (ArrayBuilder(.bytes), 0)
    for text in try setting.documentTexts(upTo: setting.pick(smoke: 150_000, full: 32_000_000)) {
      text.withUnsafeBytes { builder.append($0) }
      byteCount += text.count
      guard byteCount >= 1 << 16 else { continue }
      chunks.append(try chunk(builder))
      (builder, byteCount) = (ArrayBuilder(.bytes), 0)
    }
    return chunks
  }

  private static func chunk(_ builder: ArrayBuilder) throws -> Chunk {
    let plain = GrowingBytes()
    builder.writePlain(to: plain)
    return try Chunk(taking: plain, of: "a benchmark's chunk")
  }

  private static func outcome(_ chunks: [Chunk], _ body: (Chunk) throws -> UInt64) throws -> Benchmark.Outcome
  {
    var (byteCount, checksum) = (0, UInt64(0))
    for chunk in chunks {
      checksum = checksum &* 31 &+ (try body(chunk))
      byteCount += chunk.plainBytes.count
    }
    return Benchmark.Outcome(byteCount: byteCount, checksum: checksum)
  }

  static func total(
    _ blocks: [[UInt8]], _ body: ([UInt8]) throws -> UInt64
  ) throws -> Benchmark.Outcome {
    var (byteCount, checksum) = (0, UInt64(0))
    for block in blocks {
      checksum = checksum &* 31 &+ (try body(block))
      byteCount += block.count
    }
    return Benchmark.Outcome(byteCount: byteCount, checksum: checksum)
  }
}
