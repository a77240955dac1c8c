import DSVFormat

/// What encryption costs by itself, on one thread: tokens of 64 KiB of text, and names.
///
/// `bench/cipher.py` holds them against `openssl speed` and Python's Fernet.
enum CipherBenchmarks {
  static let all = [seal, open, sealSmall, openSmall, keyedName]

  static let seal = Benchmark("fernet-seal-64k") { setting in
    try sealing(try blocks(setting))
  }

  static let open = Benchmark("fernet-open-64k") { setting in
    try opening(try blocks(setting))
  }

  /// Of a kilobyte each: what a token costs beyond its bytes.
  static let sealSmall = Benchmark("fernet-seal-1k") { setting in try sealing(try pieces(setting)) }
  static let openSmall = Benchmark("fernet-open-1k") { setting in try opening(try pieces(setting)) }

  static let keyedName = Benchmark("keyed-name-64k") { setting in
    let blocks = try blocks(setting)
    let naming = ObjectNaming(idKey: secret, cutSeed: 0)
    return {
      try FormatBenchmarks.total(blocks) { block in
        let id: AnyID = block.withUnsafeBytes { naming.id(kind: .chunk, $0) }
        return id.w0
      }
    }
  }

  // MARK: What they work with

  private static let secret = SecretBytes(count: 32) { $0.copyBytes(from: 0..<32) }

  /// So few that many runs fit the time: what else the machine does is in some of them only.
  private static func blocks(_ setting: Setting) throws -> [[UInt8]] {
    try FormatBenchmarks.blocks(setting, full: 4_000_000)
  }

  private static func pieces(_ setting: Setting) throws -> [[UInt8]] {
    let bytes = Array(try blocks(setting).joined())
    return stride(from: 0, to: bytes.count - 1024, by: 1024).map { Array(bytes[$0..<$0 + 1024]) }
  }

  /// Each block under a key that is derived for it, as an object's is.
  private static func sealing(_ blocks: [[UInt8]]) throws -> () throws -> Benchmark.Outcome {
    let keys = HKDF(secret)
    var token = [UInt8](repeating: 0, count: Fernet.tokenByteCount(1 << 16))
    return {
      var number: UInt8 = 0
      return try FormatBenchmarks.total(blocks) { block in
        number &+= 1
        let count = Fernet.tokenByteCount(block.count)
        let key = FernetKey(keys.key("benchmark", [number]))
        token.withUnsafeMutableBytes { token in
          let token = UnsafeMutableRawBufferPointer(rebasing: token[..<count])
          block.withUnsafeBytes { Fernet.seal($0, with: key, into: token) }
        }
        // The rest of it follows from a random number.
        return UInt64(token[0]) + UInt64(count)
      }
    }
  }

  private static func opening(_ blocks: [[UInt8]]) throws -> () throws -> Benchmark.Outcome {
    let keys = HKDF(secret)
    let tokens = blocks.map { block in
      block.withUnsafeBytes {
        Fernet.seal($0, with: FernetKey(keys.key("benchmark", [UInt8(block.count & 255)])))
      }
    }
    var plain = [UInt8](repeating: 0, count: 1 << 16 + 16)
    return {
      var (byteCount, checksum) = (0, UInt64(0))
      for (block, token) in zip(blocks, tokens) {
        let key = FernetKey(keys.key("benchmark", [UInt8(block.count & 255)]))
        let count = try token.withUnsafeBytes { token in
          try plain.withUnsafeMutableBytes { try Fernet.open(token, with: key, into: $0, of: "a token") }
        }
        byteCount += count
        checksum = checksum &* 31 &+ UInt64(plain[count / 2])
      }
      return Benchmark.Outcome(byteCount: byteCount, checksum: checksum)
    }
  }
}
