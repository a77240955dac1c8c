import DSVFormat
import DSVSystem
import Synchronization

/// Reads records from packs; keeps the pack files that were used last open.
final class PackFiles: Sendable {
  private struct Cache {
    /// Each open pack, and when it was used last.
    var files: [UInt32: (file: File, use: UInt64)] = [:]
    var useCount: UInt64 = 0
  }

  static let openCountMax = 128

  private let folder: RepositoryFolder
  private let cache = Mutex(Cache())

  init(_ folder: RepositoryFolder) { self.folder = folder }

  /// The object whose record lies at `place`.
  ///
  /// - Throws: `.notFound` if the pack is gone, `.corrupt` if the bytes there are not that object's record.
  func read(_ id: AnyID, at place: Place) throws(DSVError) -> StoredObject {
    try Self.read(id, from: try file(place.pack), at: place.offset, storedByteCount: place.storedByteCount)
  }

  /// The object `id` from a record whose place is known.
  static func read(
    _ id: AnyID, from file: File, at offset: Int, storedByteCount: Int
  ) throws(DSVError) -> StoredObject {
    // Two reads, so that the body is not copied out of the record.
    let header = try file.read(upTo: PackLayout.Record.byteCount, at: offset)
    let body = try file.read(upTo: storedByteCount, at: offset + PackLayout.Record.byteCount)
    let object = header.withBytes { header -> StoredObject? in
      guard let record = PackRecord(header), record.id == id, body.withBytes({ record.matches($0) }) else {
        return nil
      }
      return record.object(body)
    }
    guard let object else {
      throw DSVError(.corrupt, "object \(id): its record at byte \(offset) of \(file.path) is damaged")
    }
    return object
  }

  /// What the object whose record lies at `place` builds on: read without its bytes, so their checksum is not looked at.
  ///
  /// - Throws: `.notFound` if the pack is gone, `.corrupt` if the bytes there are not that object's record.
  func baseID(of id: AnyID, at place: Place) throws(DSVError) -> AnyID? {
    guard place.baseDepth > 0 else { return nil }
    let file = try file(place.pack)
    let bytes = try file.read(upTo: PackLayout.Record.byteCount + AnyID.byteCount, at: place.offset)
    let base = bytes.withBytes { bytes -> AnyID? in
      guard let record = PackRecord(bytes), record.id == id, record.baseDepth == place.baseDepth,
        bytes.count == PackLayout.Record.byteCount + AnyID.byteCount
      else { return nil }
      return PackRecord.baseID(in: UnsafeRawBufferPointer(rebasing: bytes[PackLayout.Record.byteCount...]))
    }
    guard let base else {
      throw DSVError(.corrupt, "object \(id): its record at byte \(place.offset) of \(file.path) is damaged")
    }
    return base
  }

  private func file(_ number: UInt32) throws(DSVError) -> File {
    let known = cache.withLock { cache -> File? in
      cache.useCount += 1
      cache.files[number]?.use = cache.useCount
      return cache.files[number]?.file
    }
    if let known { return known }
    let file = try File(folder.pack(number), .read)
    cache.withLock { cache in
      cache.files[number] = (file, cache.useCount)
      if cache.files.count > Self.openCountMax,
        let oldest = cache.files.min(by: { $0.value.use < $1.value.use })?.key
      {
        cache.files[oldest] = nil
      }
    }
    return file
  }

  /// Closes packs that are no longer needed, or all of them.
  func close(_ numbers: [UInt32]? = nil) {
    cache.withLock { cache in
      guard let numbers else {
        cache.files = [:]
        return
      }
      for number in numbers { cache.files[number] = nil }
    }
  }

  // MARK: - New packs

  /// Makes a pack with the next number that is free, and locks it: nobody takes it for an orphan while it is open.
  ///
  /// Its header is written; neither it nor the folder is synced.
  static func create(in folder: RepositoryFolder, after last: UInt32) throws(DSVError) -> (UInt32, File) {
    var number = max(try folder.packNumbers().last ?? 0, last)
    while true {
      guard number < .max else { throw DSVError(.full, "\(folder.packs): all numbers are taken") }
      number += 1
      if let file = try begin(folder.pack(number)) { return (number, file) }
    }
  }

  /// Makes and locks a pack; `nil` if there is one of that name. Leaves nothing if it fails.
  private static func begin(_ path: String) throws(DSVError) -> File? {
    let file: File
    do throws(DSVError) { file = try File(path, .create) } catch {
      if error.code == .conflict { return nil }
      throw error
    }
    do throws(DSVError) {
      try file.lock(.exclusive, waitingUpTo: 10, for: "looking at a new pack")
      try file.write(PackHeader().bytes, at: 0)
      return file
    } catch {
      try FileSystem.remove(path)
      throw error
    }
  }
}
