package import DSVFormat

/// What somebody opens an encrypted repository with.
package enum UserKey: Sendable {
  /// A key as Python's `Fernet.generate_key()` makes it.
  case key(FernetKey)
  /// A passphrase, its bytes as they were typed.
  case passphrase(SecretBytes)
}

/// Asked for a key where one is needed; `nil` if there is none to be had.
package typealias KeyProvider = @Sendable () throws(DSVError) -> UserKey?

/// Names a user key in a keyring: follows from the key, and says nothing of it.
package struct KeyID: Hashable, Sendable, CustomStringConvertible {
  package static let byteCount = 8
  package let number: UInt64

  package init(number: UInt64) { self.number = number }

  /// Reads 16 lower-case hexadecimal digits; `nil` for anything else.
  package init?(hex: some StringProtocol) {
    guard hex.utf8.count == 16, hex.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }),
      let number = UInt64(hex, radix: 16)
    else { return nil }
    self.number = number
  }

  var bytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) } }

  package var description: String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// How a user key becomes the 32 bytes that its slot's keys follow from.
package enum KeyDerivation: Sendable, Equatable {
  /// They are the key.
  case raw
  case scrypt(salt: [UInt8], Scrypt.Cost)
}

/// A user key's place in a keyring.
package struct KeySlot: Sendable, Equatable {
  package let id: KeyID
  package let derivation: KeyDerivation
  /// The ring key, as this user key wraps it.
  let token: [UInt8]
}
