import CXXHash

/// The fast, keyed, non-cryptographic hash (XXH3-64) behind cut points, checksums and hash tables.
///
/// Source: https://github.com/Cyan4973/xxHash, stable since 0.8.0.
package enum Hash64 {
  package static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
    dsv_xxh3(bytes.baseAddress, UInt(bytes.count), seed)
  }

  package static func of(_ bytes: [UInt8], seed: UInt64 = 0) -> UInt64 {
    bytes.withUnsafeBytes { of($0, seed: seed) }
  }

  /// A 64-bit value mixed so that every bit depends on every other: MurmurHash3's finalizer.
  package static func of(_ value: UInt64, seed: UInt64 = 0) -> UInt64 {
    var h = value ^ seed
    h = (h ^ h >> 33) &* 0xff51_afd7_ed55_8ccd
    h = (h ^ h >> 33) &* 0xc4ce_b9fe_1a85_ec53
    return h ^ h >> 33
  }
}
