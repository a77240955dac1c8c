import DSVFormat
import Foundation
import Testing

/// The bytes that hexadecimal digits stand for; blanks between them do not count.
func bytes(hex: String) -> [UInt8] {
  let digits = Array(hex.filter { !$0.isWhitespace })
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16) ?? 0 }
}

extension SecretBytes {
  convenience init(_ bytes: [UInt8]) {
    self.init(count: bytes.count) { $0.copyBytes(from: bytes) }
  }

  /// A copy that is not secret any more.
  var exposed: [UInt8] { withBytes { Array($0) } }
}

extension FernetKey {
  init(_ text: String) throws {
    self = try #require(Array(text.utf8).withUnsafeBytes { FernetKey(text: $0) })
  }
}

enum Fixture {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../fixtures")
}
