import DSVFormat

/// A value of the index with its checksum: XXH3-64 over the value, seeded with the hash of the key, which is
/// seeded with the table's number. A value that stands under another key, or in another table, does not match.
enum SealedValue {
  static let checksumByteCount = 8

  static func seal(_ table: Index.Table, _ key: [UInt8], _ value: [UInt8]) -> [UInt8] {
    let checksum = checksum(table, key, value[...])
    return value + withUnsafeBytes(of: checksum.littleEndian) { Array($0) }
  }

  /// The value without its checksum, which was found right.
  static func open(_ table: Index.Table, _ key: [UInt8], _ sealed: [UInt8]) throws(DSVError) -> [UInt8] {
    let value = sealed.dropLast(checksumByteCount)
    guard sealed.count >= checksumByteCount,
      sealed[value.endIndex...].reversed().reduce(0, { $0 << 8 | UInt64($1) }) == checksum(table, key, value)
    else { throw DSVError(.corrupt, "index: a value in table \(table) does not match its checksum") }
    return Array(value)
  }

  private static func checksum(_ table: Index.Table, _ key: [UInt8], _ value: ArraySlice<UInt8>) -> UInt64 {
    let seed = Hash64.of(key, seed: UInt64(table.rawValue))
    return value.withUnsafeBytes { Hash64.of($0, seed: seed) }
  }
}

extension Transaction {
  /// The value of `key`, its checksum verified.
  func sealed(_ table: Index.Table, _ key: [UInt8]) throws(DSVError) -> [UInt8]? {
    guard let value = try value(table.rawValue, key) else { return nil }
    return try SealedValue.open(table, key, value)
  }

  /// - Parameter isKept: whether a value that is there already stays.
  func putSealed(
    _ table: Index.Table, _ key: [UInt8], _ value: [UInt8], isKept: Bool = false
  ) throws(DSVError) {
    try put(table.rawValue, key, SealedValue.seal(table, key, value), isKept: isKept)
  }

  /// As ``entries(_:from:limit:)``, each value's checksum verified.
  func sealedEntries(
    _ table: Index.Table, from first: [UInt8], limit: Int
  ) throws(DSVError) -> [(key: [UInt8], value: [UInt8])] {
    var opened: [(key: [UInt8], value: [UInt8])] = []
    for (key, value) in try entries(table.rawValue, from: first, limit: limit) {
      opened.append((key, try SealedValue.open(table, key, value)))
    }
    return opened
  }
}
