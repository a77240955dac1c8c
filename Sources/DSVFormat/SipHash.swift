/// SipHash-2-4 with 128 bits of output: a keyed hash that says nothing of its input to whoever has not the key.
///
/// Two inputs meet with probability 2^-128, and nobody without the key can look for two that do.
/// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, and its reference code.
package struct SipHash: Sendable {
  @frozen package struct Digest: Hashable, Comparable, Sendable {
    /// The first eight bytes of the output as the number that they are, little-endian; and the last eight.
    package let first, second: UInt64

    package init(_ first: UInt64, _ second: UInt64) { (self.first, self.second) = (first, second) }

    // Keys are compared by the million, in other modules.
    @inlinable
    package static func == (a: Digest, b: Digest) -> Bool { a.first == b.first && a.second == b.second }

    @inlinable
    package static func < (a: Digest, b: Digest) -> Bool {
      a.first != b.first ? a.first < b.first : a.second < b.second
    }
  }

  private let k0, k1: UInt64

  package init(key k0: UInt64, _ k1: UInt64) { (self.k0, self.k1) = (k0, k1) }

  package func digest(_ bytes: UnsafeRawBufferPointer) -> Digest {
    var state = State(
      k0 ^ 0x736f_6d65_7073_6575, k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee, k0 ^ 0x6c79_6765_6e65_7261,
      k1 ^ 0x7465_6462_7974_6573)
    let end = bytes.count & ~7
    var offset = 0
    while offset < end {
      state.take(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
      offset += 8
    }
    var last = UInt64(truncatingIfNeeded: bytes.count) << 56
    for index in end..<bytes.count { last |= UInt64(bytes[index]) << UInt64(8 * (index - end)) }
    state.take(last)
    state.v2 ^= 0xee
    let first = state.finish()
    state.v1 ^= 0xdd
    return Digest(first, state.finish())
  }

  private struct State {
    var v0, v1, v2, v3: UInt64

    @inline(__always)
    init(_ v0: UInt64, _ v1: UInt64, _ v2: UInt64, _ v3: UInt64) {
      (self.v0, self.v1, self.v2, self.v3) = (v0, v1, v2, v3)
    }

    @inline(__always)
    mutating func take(_ word: UInt64) {
      v3 ^= word
      round()
      round()
      v0 ^= word
    }

    @inline(__always)
    mutating func finish() -> UInt64 {
      round()
      round()
      round()
      round()
      return v0 ^ v1 ^ v2 ^ v3
    }

    @inline(__always)
    private mutating func round() {
      v0 = v0 &+ v1
      v1 = (v1 << 13 | v1 >> 51) ^ v0
      v0 = v0 << 32 | v0 >> 32
      v2 = v2 &+ v3
      v3 = (v3 << 16 | v3 >> 48) ^ v2
      v0 = v0 &+ v3
      v3 = (v3 << 21 | v3 >> 43) ^ v0
      v2 = v2 &+ v1
      v1 = (v1 << 17 | v1 >> 47) ^ v2
      v2 = v2 << 32 | v2 >> 32
    }
  }
}
