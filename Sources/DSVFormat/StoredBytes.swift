/// The stored form of everything but chunks: one byte that says how (0 as it is, 1 zstd), then the bytes.
package enum StoredBytes {
  package static func store(_ plain: [UInt8]) -> [UInt8] {
    let frame = plain.count < 128 ? nil : plain.withUnsafeBytes { Zstd().compressed($0) }
    return frame.map { [1] + $0 } ?? [0] + plain
  }

  /// - Parameter plainByteCount: as the pack's record says; checked by the caller against a limit.
  package static func plain(
    _ stored: [UInt8], plainByteCount: Int, of subject: String
  ) throws(DSVError) -> [UInt8] {
    switch stored.first {
    case 0:
      guard stored.count == plainByteCount + 1 else {
        throw DSVError(.corrupt, "\(subject): \(stored.count - 1) bytes, \(plainByteCount) wanted")
      }
      return Array(stored.dropFirst())
    case 1:
      var plain = [UInt8](repeating: 0, count: plainByteCount)
      var failure: DSVError?
      plain.withUnsafeMutableBytes { plain in
        stored.withUnsafeBytes { stored in
          do throws(DSVError) {
            try Zstd().decompress(UnsafeRawBufferPointer(rebasing: stored[1...]), into: plain, of: subject)
          } catch { failure = error }
        }
      }
      if let failure { throw failure }
      return plain
    case let other:
      throw DSVError(.unsupportedFormat, "\(subject): stored as \(other.map(String.init) ?? "nothing")")
    }
  }
}
