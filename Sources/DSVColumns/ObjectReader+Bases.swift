package import DSVFormat
package import DSVStore

extension ObjectReader {
  /// The plain form of a stored object that is no chunk. Reads at most ``ObjectBase/depthMax`` others.
  package func plain(_ id: AnyID, _ stored: StoredObject) throws(DSVError) -> [UInt8] {
    guard stored.plainByteCount <= Self.plainByteCountMax(stored.kind) else {
      throw DSVError(.corrupt, "\(stored.kind) \(id): \(stored.plainByteCount) bytes are too many")
    }
    guard let base = stored.base else {
      return try StoredBytes.plain(
        stored.bytes, plainByteCount: stored.plainByteCount, of: "\(stored.kind) \(id)")
    }
    return try StoredBytes.plain(
      stored.bytes, plainByteCount: stored.plainByteCount,
      base: try plain(base.id, try object(base, of: id, stored.kind)),
      of: "\(stored.kind) \(id), whose base is \(base.id)")
  }

  private static let encoders = IdlePool { ChunkEncoder(zstd: Zstd()) }

  /// A stored object in a form that needs no base.
  package func whole(_ id: AnyID, _ stored: StoredObject) throws(DSVError) -> StoredObject {
    guard stored.base != nil else { return stored }
    if stored.kind == .chunk {
      let chunk = try decodedChunk(ColumnID(id), stored)
      return StoredObject(
        kind: .chunk, plainByteCount: stored.plainByteCount, bytes: Self.encoders.with { $0.store(chunk) })
    }
    let plain = try plain(id, stored)
    return StoredObject(kind: stored.kind, plainByteCount: plain.count, bytes: StoredBytes.store(plain))
  }

  /// What bounds the memory that damaged bytes can make a reader take.
  private static func plainByteCountMax(_ kind: ObjectKind) -> Int {
    switch kind {
    case .chunk: ChunkDecoder.plainByteCountMax
    case .node: 1 << 20
    case .snapshot, .commit: 1 << 28
    }
  }

  /// The chunk that a stored one builds on; `nil` where it is whole by itself.
  func baseChunk(of id: ColumnID, _ stored: StoredObject) throws(DSVError) -> Chunk? {
    guard let base = stored.base else { return nil }
    if case .chunk(let chunk)? = cache.content(ColumnID(base.id)) { return chunk }
    let chunk = try decodedChunk(ColumnID(base.id), try object(base, of: AnyID(id), .chunk))
    // What many chunks are compressed over is soon wanted again; what was a chunk's last state only on the way to the
    // next one is not worth a place in the cache.
    if ChunkDecoder.isWholeOverBase(stored.bytes) {
      cache.insert(ColumnID(base.id), .chunk(chunk), byteCount: chunk.plainBytes.count + 256)
    }
    return chunk
  }

  /// Reads a base. It has fewer bases below it than what builds on it, so this comes to an end.
  private func object(_ base: ObjectBase, of id: AnyID, _ kind: ObjectKind) throws(DSVError) -> StoredObject {
    let object: StoredObject
    do throws(DSVError) { object = try store.read(base.id) } catch {
      guard error.code == .notFound || error.code == .corrupt else { throw error }
      throw DSVError(
        .corrupt, "\(kind) \(id): its base \(base.id) cannot be read: \(error.message)", cause: error)
    }
    guard object.kind == kind, object.base?.depth ?? 0 < base.depth else {
      throw DSVError(
        .corrupt, "\(kind) \(id): its base \(base.id) is a \(object.kind) with too many bases of its own")
    }
    return object
  }
}
