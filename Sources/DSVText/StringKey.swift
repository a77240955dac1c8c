/// Stands for a string of bytes in a hash table.
///
/// Up to 16 bytes it *is* the string, so that equal keys mean equal strings. Beyond, it is a 128-bit hash seeded anew in
/// every process: two strings of a document then share a key with probability below 2^-80, whoever chose them.
struct StringKey: BitwiseCopyable, Equatable {
  var low: UInt64
  var high: UInt64
  var byteCount: UInt32

  /// The empty string.
  init() {
    low = 0
    high = 0
    byteCount = 0
  }

  @inline(__always)
  init(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ seed: HashSeed) {
    let raw = UnsafeRawPointer(bytes)
    byteCount = UInt32(truncatingIfNeeded: count)
    if count > 16 {
      (low, high) = Self.hash(raw, count, seed)
    } else if count >= 8 {
      low = raw.loadUnaligned(as: UInt64.self)
      high = raw.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
    } else if count >= 4 {
      low = UInt64(raw.loadUnaligned(as: UInt32.self))
      high = UInt64(raw.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
    } else if count > 0 {
      low = UInt64(bytes[0]) | UInt64(bytes[count >> 1]) << 8 | UInt64(bytes[count - 1]) << 16
      high = 0
    } else {
      low = 0
      high = 0
    }
  }

  /// Where to look in a hash table.
  @inline(__always)
  func slotHash(_ seed: HashSeed) -> UInt64 {
    fold(low ^ seed.first, (high &+ UInt64(byteCount)) ^ seed.second)
  }

  private static func hash(_ raw: UnsafeRawPointer, _ count: Int, _ seed: HashSeed) -> (UInt64, UInt64) {
    var a = seed.first
    var b = seed.second
    var offset = 0
    while offset + 16 < count {
      let x = raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      let y = raw.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
      a = fold(x ^ a, y ^ seed.third)
      b = fold(x ^ seed.fourth, y ^ b)
      offset += 16
    }
    let x = raw.loadUnaligned(fromByteOffset: count - 16, as: UInt64.self)
    let y = raw.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
    return (fold(x ^ a, y ^ seed.third), fold(x ^ seed.fourth, y ^ b))
  }
}

/// The two halves of the full product, exclusive-ored.
@inline(__always)
func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
  let product = a.multipliedFullWidth(by: b)
  return product.high ^ product.low
}

/// Random numbers drawn once a process, so that nobody can write a document whose strings collide.
///
/// No result depends on them, except through a collision.
struct HashSeed: BitwiseCopyable {
  let first = UInt64.random(in: .min ... .max)
  let second = UInt64.random(in: .min ... .max)
  let third = UInt64.random(in: .min ... .max)
  let fourth = UInt64.random(in: .min ... .max)
  /// The point at which `WordHash` evaluates a string's polynomial.
  let point = UInt64.random(in: 1 << 32..<WordHash.modulus)

  static let shared = HashSeed()
}
