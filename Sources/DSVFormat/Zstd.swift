import CZstd

/// Compresses and decompresses whole zstd frames (RFC 8878).
///
/// One value a thread: its contexts are reused from call to call and are not to be shared.
package final class Zstd {
  /// The level that dsv writes with; any level reads back.
  package static let level: Int32 = 3

  /// How much memory it keeps from call to call, but for zstd's own, which has a bound.
  package var heldByteCount: Int { scratch.count }

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

  private func compressingContext() -> OpaquePointer {
    if let compressor { return compressor }
    guard let made = ZSTD_createCCtx() else { preconditionFailure("no memory for a zstd context") }
    compressor = made
    return made
  }

  /// `plain` compressed, or `nil` where that would save less than a sixteenth.
  package func compressed(_ plain: UnsafeRawBufferPointer, level: Int32 = Zstd.level) -> [UInt8]? {
    let limit = plain.count - plain.count / 16
    guard limit >= 16 else { return nil }
    let compressor = compressingContext()
    let bound = ZSTD_compressBound(plain.count)
    if scratch.count < bound { scratch = [UInt8](repeating: 0, count: bound) }
    let count = scratch.withUnsafeMutableBytes { scratch in
      ZSTD_compressCCtx(
        compressor, scratch.baseAddress, scratch.count, plain.baseAddress, plain.count, level)
    }
    guard ZSTD_isError(count) == 0, count < limit else { return nil }
    return Array(scratch[..<count])
  }

  /// `plain` compressed as what follows `prefix`, so that what both have in common takes nearly nothing.
  ///
  /// - Returns: `nil` where the frame would be no shorter than `limit`.
  package func compressed(
    _ plain: UnsafeRawBufferPointer, after prefix: UnsafeRawBufferPointer, limit: Int
  ) -> [UInt8]? {
    let compressor = compressingContext()
    let bound = ZSTD_compressBound(plain.count)
    if scratch.count < bound { scratch = [UInt8](repeating: 0, count: bound) }
    // The prefix counts for one frame only; the level stays set, and the other method names its own.
    guard ZSTD_isError(ZSTD_CCtx_setParameter(compressor, ZSTD_c_compressionLevel, Zstd.level)) == 0,
      ZSTD_isError(ZSTD_CCtx_refPrefix(compressor, prefix.baseAddress, prefix.count)) == 0
    else { return nil }
    let count = scratch.withUnsafeMutableBytes { scratch in
      ZSTD_compress2(compressor, scratch.baseAddress, scratch.count, plain.baseAddress, plain.count)
    }
    guard ZSTD_isError(count) == 0, count < limit else { return nil }
    return Array(scratch[..<count])
  }

  /// `plain` compressed as what follows a prefix that was prepared; `nil` where the frame would be no shorter than `limit`.
  package func compressed(
    _ plain: UnsafeRawBufferPointer, after prefix: ZstdPrefix, limit: Int
  ) -> [UInt8]? {
    if compressor == nil { compressor = ZSTD_createCCtx() }
    guard let compressor else { preconditionFailure("no memory for a zstd context") }
    let bound = ZSTD_compressBound(plain.count)
    if scratch.count < bound { scratch = [UInt8](repeating: 0, count: bound) }
    // What is set here must not be found by the other methods.
    func reset() { _ = ZSTD_CCtx_reset(compressor, ZSTD_reset_session_and_parameters) }
    reset()
    defer { reset() }
    // The prefix's tables are used where they are: copying them would take longer than a chunk does.
    guard ZSTD_isError(ZSTD_CCtx_refCDict(compressor, prefix.tables)) == 0,
      ZSTD_isError(ZSTD_CCtx_setParameter(compressor, ZSTD_c_experimentalParam4, 1)) == 0
    else { return nil }
    let count = scratch.withUnsafeMutableBytes { scratch in
      ZSTD_compress2(compressor, scratch.baseAddress, scratch.count, plain.baseAddress, plain.count)
    }
    guard ZSTD_isError(count) == 0, count < limit else { return nil }
    return Array(scratch[..<count])
  }

  /// Fills `plain` with what `frame` holds, which must be exactly as many bytes.
  ///
  /// Never writes past `plain`, whatever the frame says of its own size.
  /// - Parameter prefix: what the frame was compressed after, if it was.
  package func decompress(
    _ frame: UnsafeRawBufferPointer, after prefix: UnsafeRawBufferPointer? = nil,
    into plain: UnsafeMutableRawBufferPointer, of subject: String
  ) throws(DSVError) {
    if let prefix {
      let code = ZSTD_DCtx_refPrefix(decompressor, prefix.baseAddress, prefix.count)
      precondition(ZSTD_isError(code) == 0, "a context that is not in use takes any prefix")
    }
    let count = ZSTD_decompressDCtx(
      decompressor, plain.baseAddress, plain.count, frame.baseAddress, frame.count)
    guard ZSTD_isError(count) == 0, count == plain.count else {
      throw DSVError(.corrupt, "\(subject): its compressed bytes do not decode")
    }
  }
}

/// A prefix, prepared so that many frames can be compressed after it, by any number of threads at once.
package final class ZstdPrefix: @unchecked Sendable {
  // Unchecked because of the pointer: nothing writes to the tables once they are made.
  fileprivate let tables: OpaquePointer

  /// - Parameter bytes: are copied. They must not begin as a zstd dictionary does.
  package init(_ bytes: UnsafeRawBufferPointer, level: Int32) {
    let magic: [UInt8] = [0x37, 0xa4, 0x30, 0xec]
    precondition(!bytes.starts(with: magic), "it would be read as a dictionary with tables")
    guard let tables = ZSTD_createCDict(bytes.baseAddress, bytes.count, level) else {
      preconditionFailure("no memory for a zstd dictionary")
    }
    self.tables = tables
  }

  deinit { ZSTD_freeCDict(tables) }
}
