import DSVFormat
import Testing

/// Frames over a prefix, by contexts that have done nothing before.
@Suite struct ZstdTests {
  let prefix = (0..<9000).map { UInt8(truncatingIfNeeded: Hash64.of(UInt64($0 / 3))) }
  var plain: [UInt8] { Array(prefix[2000..<7000]) + [1, 2, 3] }

  @Test("a context whose first work is a frame over a prefix makes one", arguments: [false, true])
  func firstWork(isPrepared: Bool) throws {
    let frame = plain.withUnsafeBytes { plain in
      prefix.withUnsafeBytes { prefix in
        isPrepared
          ? Zstd().compressed(plain, after: ZstdPrefix(prefix, level: 16), limit: 500)
          : Zstd().compressed(plain, after: prefix, limit: 500)
      }
    }
    let bytes = try #require(frame)
    var back = [UInt8](repeating: 0, count: plain.count)
    try back.withUnsafeMutableBytes { back in
      try bytes.withUnsafeBytes { frame in
        try prefix.withUnsafeBytes { try Zstd().decompress(frame, after: $0, into: back, of: "a test") }
      }
    }
    #expect(back == plain)
  }
}
