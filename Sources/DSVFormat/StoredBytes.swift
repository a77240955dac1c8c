/// The stored form of everything but chunks: one byte that says how, then the bytes.
///
/// Normative text: `format-spec/object.md`.
package enum StoredBytes {
  private static let contexts = IdlePool(byteCount: \.heldByteCount) { Zstd() }

  package static func store(_ plain: [UInt8]) -> [UInt8] {
    let frame =
      plain.count < 128 ? nil : contexts.with { zstd in plain.withUnsafeBytes { zstd.compressed($0) } }
    return frame.map { [1] + $0 } ?? [0] + plain
  }

  /// The stored form over a base, whose plain form is `base`; `nil` where that saves less than a quarter.
  package static func store(_ plain: [UInt8], over base: [UInt8]) -> [UInt8]? {
    // What a base's name takes counts.
    let limit = plain.count - plain.count / 4 - AnyID.byteCount
    guard limit > 0 else { return nil }
    let frame = contexts.with { zstd in
      plain.withUnsafeBytes { plain in
        base.withUnsafeBytes { zstd.compressed(plain, after: $0, limit: limit) }
      }
    }
    return frame.map { [2] + $0 }
  }

  /// - Parameters:
  ///   - plainByteCount: as the pack's record says; checked by the caller against a limit.
  ///   - base: the plain form of the object's base, if it has one.
  package static func plain(
    _ stored: [UInt8], plainByteCount: Int, base: [UInt8]? = nil, of subject: String
  ) throws(DSVError) -> [UInt8] {
    guard let form = stored.first, form <= 2 else {
      throw DSVError(
        .unsupportedFormat, "\(subject): stored as \(stored.first.map(String.init) ?? "nothing")")
    }
    guard (form == 2) == (base != nil) else {
      throw DSVError(.corrupt, "\(subject): stored as \(form) \(base == nil ? "without" : "with") a base")
    }
    if form == 0 {
      guard stored.count == plainByteCount + 1 else {
        throw DSVError(.corrupt, "\(subject): \(stored.count - 1) bytes, \(plainByteCount) wanted")
      }
      return Array(stored.dropFirst())
    }
    var plain = [UInt8](repeating: 0, count: plainByteCount)
    var failure: DSVError?
    func decompress(after prefix: UnsafeRawBufferPointer?) {
      plain.withUnsafeMutableBytes { plain in
        stored.withUnsafeBytes { stored in
          let frame = UnsafeRawBufferPointer(rebasing: stored[1...])
          do throws(DSVError) {
            try contexts.with { (zstd) throws(DSVError) in
              try zstd.decompress(frame, after: prefix, into: plain, of: subject)
            }
          } catch { failure = error }
        }
      }
    }
    if let base { base.withUnsafeBytes { decompress(after: $0) } } else { decompress(after: nil) }
    if let failure { throw failure }
    return plain
  }
}
