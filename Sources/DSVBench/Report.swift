import DSVSystem

/// How figures are written.
enum Report {
  static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  static func rounded(_ number: Double) -> String { "\((number * 1000).rounded() / 1000)" }

  static func hex(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  static func note(_ text: String) { do { try write(text) } catch { print(text) } }

  private static func write(_ text: String) throws {
    try (text + "\n").utf8.withContiguousStorageIfAvailable { bytes in
      try File.standardError.writeNext(UnsafeRawBufferPointer(bytes))
    }
  }
}
