package import DSVFormat

/// Turns the bytes that a pack holds back into a chunk.
///
/// For one thread at a time. Whatever the bytes are, the result is a chunk or an error: every count is checked
/// against a limit before memory is taken for it.
package final class ChunkDecoder {
  private let zstd: Zstd
  private let scratch = EncodedChunk()

  /// No chunk is larger in plain form: a line of input is at most 256 MiB, and a chunk goes beyond its limit only
  /// for one value.
  package static let plainByteCountMax = 1 << 30

  package init(zstd: Zstd) { self.zstd = zstd }

  /// How much memory it keeps for the next chunk.
  var heldByteCount: Int { scratch.heldByteCount }

  /// Whether a stored chunk has all its values in a frame over its base.
  static func isWholeOverBase(_ stored: [UInt8]) -> Bool {
    stored.count > 1 && stored[0] == 2 && stored[1] == 0
  }

  /// The chunk whose stored form is `stored`.
  ///
  /// - Parameters:
  ///   - plainByteCount: the size of its plain form, as the pack's record says.
  ///   - base: what the chunk builds on, if it has a base.
  package func chunk(
    _ stored: UnsafeRawBufferPointer, plainByteCount: Int, base: Chunk? = nil, of subject: String
  ) throws(DSVError) -> Chunk {
    defer { scratch.removeAll() }
    try decode(stored, plainByteCount: plainByteCount, base: base, into: scratch, of: subject)
    return try scratch.plainChunk(of: subject)
  }

  /// Decodes a stored chunk, but leaves its values as they are encoded.
  ///
  /// - Parameter chunk: gets the values; undefined if this throws.
  package func decode(
    _ stored: UnsafeRawBufferPointer, plainByteCount: Int, base: Chunk? = nil, into chunk: EncodedChunk,
    of subject: String
  ) throws(DSVError) {
    var reader = ByteReader(stored, of: subject)
    let compression = try reader.read(UInt8.self)
    let form = try reader.read(UInt8.self)
    guard form <= 1, try reader.read(UInt16.self) == 0 else {
      throw reader.unsupported("a flag that is not known")
    }
    guard compression <= 2 else {
      throw DSVError(.unsupportedFormat, "\(subject): compression \(compression) is not known to this dsv")
    }
    guard (form == 1 || compression == 2) == (base != nil) else {
      throw reader.corrupt(base == nil ? "a base is not named" : "a base is named and not used")
    }
    let encodedByteCount = Int(try reader.read(UInt32.self))
    guard plainByteCount <= Self.plainByteCountMax, encodedByteCount <= plainByteCount + 4096 else {
      throw reader.corrupt("\(encodedByteCount) bytes are too many")
    }
    let body = try reader.readBytes(reader.remaining)
    let encoded = chunk.room(for: encodedByteCount)
    switch compression {
    case 0:
      guard body.count == encodedByteCount else { throw reader.corrupt("the length is not the one given") }
      encoded.copyMemory(from: body)
    default:
      try zstd.decompress(body, after: compression == 2 ? base?.plainBytes : nil, into: encoded, of: subject)
    }
    let found = try chunk.parse(plainByteCountMax: plainByteCount, of: subject)
    guard form == 1, let base else {
      guard found == plainByteCount else { throw reader.corrupt("\(found) plain bytes") }
      return
    }
    let more = try chunk.plainChunk(of: subject)
    guard let plain = ArrayView.plain(base.array, more.array, plainByteCount: plainByteCount) else {
      throw DSVError(
        .corrupt, "\(subject): its base's \(base.count) values and \(more.count) more do not make it up")
    }
    chunk.hold(try Chunk(taking: plain, of: subject))
  }
}
