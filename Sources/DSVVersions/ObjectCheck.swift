package import DSVColumns
package import DSVFormat
package import DSVStore

/// Recomputes the ID of a stored object from what it decodes to.
package struct ObjectCheck: Sendable {
  private let reader: ObjectReader

  package init(_ reader: ObjectReader) { self.reader = reader }

  /// What is wrong with the object; `nil` if nothing is. What is damaged, not of this format, or builds on what is nowhere, is wrong.
  ///
  /// - Throws: what kept its base from being read now.
  package func verdict(_ id: AnyID, _ stored: StoredObject) throws(DSVError) -> String? {
    do throws(DSVError) { return try computedID(id, stored) == id ? nil : Self.other.message } catch {
      // Only who builds on something else may be right although it cannot be read.
      guard stored.base == nil || [.corrupt, .notFound, .unsupportedFormat].contains(error.code) else {
        throw error
      }
      return error.message
    }
  }

  /// As ``verdict(_:_:)``, for who must tell what is wrong with the object from what kept its base from being read. A chunk
  /// is kept in the reader's cache: it had to be decoded, and who asked for it wants it.
  ///
  /// - Throws: `corrupt` if the object is not what its ID names.
  package func verify(_ id: AnyID, _ stored: StoredObject) throws(DSVError) {
    guard stored.kind == .chunk else {
      guard try computedID(id, stored) == id else { throw Self.other }
      return
    }
    let chunk = try reader.decodedChunk(ColumnID(id), stored)
    if let problem = chunk.problem { throw DSVError(.corrupt, problem) }
    guard AnyID(chunk.id(reader.naming)) == id else { throw Self.other }
    reader.cache.insert(ColumnID(id), .chunk(chunk), byteCount: chunk.plainBytes.count + 256)
  }

  private static var other: DSVError { DSVError(.corrupt, "its content is not what its ID names") }

  private func computedID(_ id: AnyID, _ stored: StoredObject) throws(DSVError) -> AnyID {
    if stored.kind == .chunk {
      let chunk = try reader.decodedChunk(ColumnID(id), stored)
      if let problem = chunk.problem { throw DSVError(.corrupt, "chunk \(id): \(problem)") }
      return AnyID(chunk.id(reader.naming))
    }
    let plain = try reader.plain(id, stored)
    return plain.withUnsafeBytes { reader.naming.id(kind: stored.kind, $0) }
  }
}
