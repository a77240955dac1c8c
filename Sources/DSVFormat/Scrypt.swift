/// Keys from passphrases: scrypt (RFC 7914), which takes memory and time on purpose.
package enum Scrypt {
  /// What one key costs: `128 · N · r` bytes of memory, and time as `N · r · p`.
  package struct Cost: Sendable, Equatable {
    /// N is 2 to this power.
    package let logN: UInt8
    package let r, p: UInt32

    /// 128 MiB, and less than a second on a machine of today.
    package static let standard = Cost(unchecked: 17, 8, 1)
    /// Most of `N · r`: 512 MiB.
    static let memoryMax = 1 << 22
    /// Most of `N · r · p`: eight times what the standard takes.
    static let workMax = 1 << 23

    private init(unchecked logN: UInt8, _ r: UInt32, _ p: UInt32) {
      (self.logN, self.r, self.p) = (logN, r, p)
    }

    /// `nil` for what would take more memory or time than a file may ask for, and for what is no cost at all.
    package init?(logN: UInt8, r: UInt32, p: UInt32) {
      guard (1...22).contains(logN), r > 0, p > 0, r <= 1 << 16, p <= 1 << 16 else { return nil }
      let memory = (1 << Int(logN)) * Int(r)
      guard memory <= Self.memoryMax, memory * Int(p) <= Self.workMax else { return nil }
      self.init(unchecked: logN, r, p)
    }

    package var memoryByteCount: Int { 128 * ((1 << Int(logN)) * Int(r) + Int(r) * Int(p)) }
  }

  /// - Throws: `.full` if there is not enough memory.
  package static func key(
    _ byteCount: Int = 32, passphrase: SecretBytes, salt: [UInt8], _ cost: Cost
  ) throws(DSVError) -> SecretBytes {
    try SecretBytes(count: byteCount) { (key) throws(DSVError) in
      let succeeded = passphrase.withBytes { passphrase in
        salt.withUnsafeBytes { fill(key, passphrase: passphrase, salt: $0, cost) }
      }
      guard succeeded else {
        throw DSVError(
          .full, "a passphrase's key takes \(cost.memoryByteCount >> 20) MiB of memory, which cannot be had")
      }
    }
  }
}
