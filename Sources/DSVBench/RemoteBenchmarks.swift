import DSVFormat
import DSVRemote
import DSVTesting

/// What a remote gives at most: the yardstick for reading tables from one.
///
/// The server is `loose_s3.py` on loopback, each answer of which comes 20 ms late.
enum RemoteBenchmarks {
  static let all = [ranges, smallRanges]

  static let latency = 20

  /// Whole packs in pieces of 1 MiB.
  static let ranges = Benchmark("remote-ranges") { setting in
    let packs = Packs(
      count: setting.pick(smoke: 1, full: 8), byteCount: setting.pick(smoke: 1 << 20, full: 32 << 20))
    let reader = RangeReader(try packs.put(), inFlight: 16)
    let pieces = packs.keys.flatMap { key in
      stride(from: 0, to: packs.byteCount, by: 1 << 20).map {
        RangeReader.Piece(key: key, range: $0..<$0 + 1 << 20)
      }
    }
    return { try reader.read(pieces) }
  }

  /// One chunk's bytes here and there: 1,000 rows that are nowhere near each other.
  static let smallRanges = Benchmark("remote-ranges-16k") { setting in
    let packs = Packs(count: 2, byteCount: setting.pick(smoke: 1 << 20, full: 32 << 20))
    let reader = RangeReader(try packs.put(), inFlight: 64)
    var generator = SeededGenerator(seed: 5)
    let pieces = (0..<setting.pick(smoke: 20, full: 1000)).map { number in
      let start = generator.below(packs.byteCount - 1 << 14)
      return RangeReader.Piece(key: packs.keys[number % 2], range: start..<start + 1 << 14)
    }
    return { try reader.read(pieces) }
  }

  /// Values that are as long as packs and compress as little.
  struct Packs {
    let keys: [String]
    let byteCount: Int

    init(count: Int, byteCount: Int) {
      keys = (0..<count).map { "packs/\($0).pack" }
      self.byteCount = byteCount
    }

    /// A new server's bucket that has them.
    func put() throws -> any Bucket {
      let bucket = try LooseS3Server(hasRanges: true, latency: RemoteBenchmarks.latency).open()
      for (number, key) in keys.enumerated() {
        var generator = SeededGenerator(seed: UInt64(number))
        let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { bytes, count in
          let words = UnsafeMutableRawBufferPointer(bytes).bindMemory(to: UInt64.self)
          for index in words.indices { words[index] = generator.next() }
          count = words.count * 8
        }
        try bucket.put(key, bytes)
      }
      return bucket
    }
  }
}

/// Reads pieces of values, with many requests under way, and does nothing else with them.
struct RangeReader {
  struct Piece: Sendable {
    let key: String
    let range: Range<Int>
  }

  private let bucket: any Bucket
  private let inFlight: Int

  init(_ bucket: any Bucket, inFlight: Int) { (self.bucket, self.inFlight) = (bucket, inFlight) }

  func read(_ pieces: [Piece]) throws -> Benchmark.Outcome {
    let checksums = try Parallel.map(pieces.count, width: inFlight) { [bucket] (index) throws(DSVError) in
      let piece = pieces[index]
      return Hash64.of(try bucket.get(piece.key, range: piece.range), seed: UInt64(index))
    }
    return Benchmark.Outcome(
      byteCount: pieces.reduce(0) { $0 + $1.range.count }, checksum: checksums.reduce(0, &+))
  }
}
