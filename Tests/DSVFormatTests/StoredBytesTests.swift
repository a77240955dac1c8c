import DSVFormat
import Testing

/// Compressing over a prefix.
@Suite struct StoredBytesTests {
  @Test("a new context's first frame may be one over a prefix")
  func firstOverPrefix() throws {
    let old = (0..<4000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
    let plain = old + [1, 2, 3]
    let zstd = Zstd()
    let frame = plain.withUnsafeBytes { plain in
      old.withUnsafeBytes { zstd.compressed(plain, after: $0, limit: plain.count) }
    }
    var read = [UInt8](repeating: 0, count: plain.count)
    try read.withUnsafeMutableBytes { read in
      try old.withUnsafeBytes { old in
        try #require(frame).withUnsafeBytes {
          try Zstd().decompress($0, after: old, into: read, of: "test")
        }
      }
    }
    #expect(read == plain)
  }
}
