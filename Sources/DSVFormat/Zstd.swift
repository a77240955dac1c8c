import CZstd

/// Compresses and decompresses whole zstd frames (RFC 8878).
///
/// One value a thread: its contexts are reused from call to call and are not to be shared.
package final class Zstd {
  /// The level that dsv writes with; any level reads back.
  package static let level: Int32 = 3

  /// Made when it is first needed: most readers never compress.
  private var compressor: OpaquePointer?
  private let decompressor: OpaquePointer
  private var scratch: [UInt8] = []

  package init() {
    guard let decompressor = ZSTD_createDCtx() else { preconditionFailure("no memory for a zstd context") }
    self.decompressor = decompressor
  }

  deinit {
    ZSTD_freeCCtx(compressor)
    ZSTD_freeDCtx(decompressor)
  }

  /// `plain` compressed, or `nil` where that would save less than a sixteenth.
  package func compressed(_ plain: UnsafeRawBufferPointer, level: Int32 = Zstd.level) -> [UInt8]? {
    let limit = plain.count - plain.count / 16
    guard limit >= 16 else { return nil }
    if compressor == nil { compressor = ZSTD_createCCtx() }
    guard let compressor else { preconditionFailure("no memory for a zstd context") }
    let bound = ZSTD_compressBound(plain.count)
    if scratch.count < bound { scratch = [UInt8](repeating: 0, count: bound) }
    let count = scratch.withUnsafeMutableBytes { scratch in
      ZSTD_compressCCtx(
        compressor, scratch.baseAddress, scratch.count, plain.baseAddress, plain.count, level)
    }
    guard ZSTD_isError(count) == 0, count < limit else { return nil }
    return Array(scratch[..<count])
  }

  /// Fills `plain` with what `frame` holds, which must be exactly as many bytes.
  ///
  /// Never writes past `plain`, whatever the frame says of its own size.
  package func decompress(
    _ frame: UnsafeRawBufferPointer, into plain: UnsafeMutableRawBufferPointer, of subject: String
  ) throws(DSVError) {
    let count = ZSTD_decompressDCtx(
      decompressor, plain.baseAddress, plain.count, frame.baseAddress, frame.count)
    guard ZSTD_isError(count) == 0, count == plain.count else {
      throw DSVError(.corrupt, "\(subject): its compressed bytes do not decode")
    }
  }
}
