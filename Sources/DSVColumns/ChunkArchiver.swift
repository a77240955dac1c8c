package import DSVFormat
package import DSVStore

/// Stores chunks again, in less room: at a higher level, and those of a long run of text over a sample of the run.
///
/// No ID changes. What it makes is read back and compared before it is given out.
package final class ChunkArchiver: Sendable {
  /// Neighbours in a column that one sample is made for, in plain bytes.
  package static let runByteCountMax = 32 << 20
  /// Chosen by the curve in `format-spec/chunk.md`.
  package static let level: Int32 = 16

  /// A chunk to be stored again.
  package struct Item: Sendable {
    package let id: ColumnID
    package let plainByteCount: Int
    /// Whether it may be given a base: not what something may be appended to, for that then builds on it.
    package let mayHaveBase: Bool

    package init(_ id: ColumnID, plainByteCount: Int, mayHaveBase: Bool) {
      (self.id, self.plainByteCount, self.mayHaveBase) = (id, plainByteCount, mayHaveBase)
    }
  }

  /// What a run's chunks are compressed over.
  package struct Base: Sendable {
    package let id: AnyID
    package let chunk: Chunk
    fileprivate let prefix: ZstdPrefix
    /// Its stored form.
    package let stored: StoredObject
  }

  private let reader: ObjectReader
  private let worker: ObjectReader
  private let encoders = IdlePool { ChunkEncoder(zstd: Zstd()) }
  private let decoders = IdlePool { ChunkDecoder(zstd: Zstd()) }

  package init(_ reader: ObjectReader) {
    self.reader = reader
    worker = reader.onCaller
  }

  /// The base for a run of chunks of one layout; `nil` where none would help.
  ///
  /// The same chunks give the same base.
  package func base(for items: [Item], _ layout: Layout) throws(DSVError) -> Base? {
    let items = items.filter(\.mayHaveBase)
    guard var sample = ArchiveSample(layout, items.map(\.plainByteCount)) else { return nil }
    let pieces = stride(from: 0, to: items.count, by: sample.step).map { index in
      reader.pool.submit { [worker] () throws(DSVError) in
        try Self.checked(items[index].id, try worker.store.read(AnyID(items[index].id)), worker)
      }
    }
    for piece in pieces { sample.append(try piece.value()) }
    let chunk = try sample.chunk()
    let stored = StoredObject(
      kind: .chunk, plainByteCount: chunk.plainBytes.count,
      bytes: encoders.with { $0.store(chunk, level: Self.level) })
    return Base(
      id: AnyID(chunk.id(reader.naming)), chunk: chunk,
      prefix: ZstdPrefix(chunk.plainBytes, level: Self.level),
      stored: stored)
  }

  /// A denser form of a chunk; `nil` if it has none.
  package func archived(_ item: Item, over base: Base?) throws(DSVError) -> StoredObject? {
    let old = try worker.store.read(AnyID(item.id))
    let chunk = try Self.checked(item.id, old, worker)
    let oldByteCount = old.bytes.count + (old.base == nil ? 0 : AnyID.byteCount)
    var new: StoredObject?
    if let base, item.mayHaveBase, chunk.array.layout == base.chunk.array.layout {
      // Of its own ID, the header, and for the reading of the base a little.
      let limit = oldByteCount - oldByteCount / 32 - AnyID.byteCount - ChunkEncoder.headerByteCount
      if let bytes = encoders.with({ $0.store(chunk, over: base.prefix, limit: limit) }) {
        new = StoredObject(
          kind: .chunk, plainByteCount: old.plainByteCount, base: ObjectBase(base.id, depth: 1), bytes: bytes)
      }
    } else {
      let bytes = encoders.with { $0.store(chunk, level: Self.level) }
      if bytes.count < oldByteCount - oldByteCount / 32 {
        new = StoredObject(kind: .chunk, plainByteCount: old.plainByteCount, bytes: bytes)
      }
    }
    guard let new else { return nil }
    let again = try decoded(new, over: new.base == nil ? nil : base?.chunk, item.id)
    guard again.plainBytes.elementsEqual(chunk.plainBytes) else {
      throw DSVError(.corrupt, "chunk \(item.id): what it was compressed to is not what it was")
    }
    return new
  }

  /// A chunk whose content is what its name says: nothing else is to be written anew.
  private static func checked(
    _ id: ColumnID, _ stored: StoredObject, _ reader: ObjectReader
  ) throws(DSVError) -> Chunk {
    let chunk = try reader.decodedChunk(id, stored)
    guard chunk.id(reader.naming) == id else {
      throw DSVError(.corrupt, "chunk \(id): its content is not what its ID names")
    }
    return chunk
  }

  private func decoded(_ stored: StoredObject, over base: Chunk?, _ id: ColumnID) throws(DSVError) -> Chunk {
    var result: Result<Chunk, DSVError> = .failure(DSVError(.corrupt, "chunk \(id): no bytes"))
    decoders.with { decoder in
      stored.bytes.withUnsafeBytes { bytes in
        do throws(DSVError) {
          result = .success(
            try decoder.chunk(
              bytes, plainByteCount: stored.plainByteCount, base: base, of: "chunk \(id), stored again"))
        } catch { result = .failure(error) }
      }
    }
    return try result.get()
  }
}
