import DSVFormat
import DSVSystem
import Synchronization

/// Reads records from packs; keeps the pack files that were used last open.
final class PackFiles: Sendable {
  private struct Cache {
    /// Each open pack, and when it was used last.
    var files: [UInt32: (pack: OpenPack, use: UInt64)] = [:]
    var useCount: UInt64 = 0
  }

  /// A pack that is open.
  struct OpenPack: Sendable {
    let file: File
    /// What opens its records; `nil` in a plain repository.
    let sealer: PackSealer?
  }

  static let openCountMax = 128

  private let folder: RepositoryFolder
  private let keys: StoreKeys?
  private let cache = Mutex(Cache())

  /// - Parameter keys: `nil` for a plain repository.
  init(_ folder: RepositoryFolder, _ keys: StoreKeys?) { (self.folder, self.keys) = (folder, keys) }

  /// The object whose record lies at `place`.
  ///
  /// - Throws: `.notFound` if the pack is gone, `.corrupt` if the bytes there are not that object's record.
  func read(_ id: AnyID, at place: Place) throws(DSVError) -> StoredObject {
    let pack: OpenPack
    do throws(DSVError) { pack = try open(place.pack) } catch {
      guard error.code == .corrupt, keys != nil else { throw error }
      guard let record = try record(at: place), record.head.id == id else {
        throw Self.damaged(id, try File(folder.pack(place.pack), .read), place.offset)
      }
      return try record.object(try sealer(of: place.pack, for: record))
    }
    return try Self.read(
      id, from: pack.file, at: place.offset, storedByteCount: place.storedByteCount, pack.sealer)
  }

  /// What opens a record of a pack; `nil` in a plain repository.
  ///
  /// Where the pack's header is damaged, and so does not say which key is the pack's, the record is tried with all.
  /// - Throws: `.corrupt` if none does.
  func sealer(of number: UInt32, for record: ScannedRecord) throws(DSVError) -> PackSealer? {
    guard let keys else { return nil }
    do throws(DSVError) { return try open(number).sealer } catch {
      guard error.code == .corrupt else { throw error }
      guard let sealer = keys.sealer(thatOpens: record) else { throw error }
      keep(number, OpenPack(file: try File(folder.pack(number), .read), sealer: sealer))
      return sealer
    }
  }

  /// The record at a place, if its checksum is right.
  func record(at place: Place) throws(DSVError) -> ScannedRecord? {
    let file = try File(folder.pack(place.pack), .read)
    let header = try file.read(upTo: PackLayout.Record.byteCount, at: place.offset)
    guard let head = header.withBytes({ PackRecord($0) }), head.storedByteCount == place.storedByteCount
    else {
      return nil
    }
    let body = try file.read(upTo: head.storedByteCount, at: place.offset + PackLayout.Record.byteCount)
    return body.withBytes { head.matches($0) } ? ScannedRecord(head: head, body: body) : nil
  }

  private static func damaged(_ id: AnyID, _ file: File, _ offset: Int) -> DSVError {
    DSVError(.corrupt, "object \(id): its record at byte \(offset) of \(file.path) is damaged")
  }

  /// The object `id` from a record whose place is known.
  static func read(
    _ id: AnyID, from file: File, at offset: Int, storedByteCount: Int, _ sealer: PackSealer?
  ) throws(DSVError) -> StoredObject {
    // Two reads, so that the body is not copied out of the record.
    let header = try file.read(upTo: PackLayout.Record.byteCount, at: offset)
    let body = try file.read(upTo: storedByteCount, at: offset + PackLayout.Record.byteCount)
    guard let record = header.withBytes({ PackRecord($0) }), record.id == id, body.count == storedByteCount,
      record.storedByteCount == storedByteCount
    else { throw damaged(id, file, offset) }
    // A token's signature says all that the checksum says, and more.
    guard let sealer, record.isSealed else {
      guard body.withBytes({ record.matches($0) }) else { throw damaged(id, file, offset) }
      return try record.object(body, sealer)
    }
    do throws(DSVError) { return try record.object(body, sealer) } catch {
      throw body.withBytes({ record.matches($0) })
        ? DSVError(
          .corrupt,
          "object \(id): its record at byte \(offset) of \(file.path) was not sealed there under its pack's key",
          cause: error) : damaged(id, file, offset)
    }
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
    guard let base else { throw Self.damaged(id, file, place.offset) }
    return base
  }

  /// The pack's file, whether or not its header says what opens it.
  private func file(_ number: UInt32) throws(DSVError) -> File {
    do throws(DSVError) { return try open(number).file } catch {
      guard error.code == .corrupt else { throw error }
      return try File(folder.pack(number), .read)
    }
  }

  private func open(_ number: UInt32) throws(DSVError) -> OpenPack {
    let known = cache.withLock { cache -> OpenPack? in
      cache.useCount += 1
      cache.files[number]?.use = cache.useCount
      return cache.files[number]?.pack
    }
    if let known { return known }
    let file = try File(folder.pack(number), .read)
    let pack = OpenPack(file: file, sealer: try keys?.sealer(of: file))
    keep(number, pack)
    return pack
  }

  private func keep(_ number: UInt32, _ pack: OpenPack) {
    cache.withLock { cache in
      cache.files[number] = (pack, cache.useCount)
      if cache.files.count > Self.openCountMax,
        let oldest = cache.files.min(by: { $0.value.use < $1.value.use })?.key
      {
        cache.files[oldest] = nil
      }
    }
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
  ///
  /// - Parameter packID: `nil` for one that is made here.
  static func create(
    in folder: RepositoryFolder, after last: UInt32, packID: PackID?
  ) throws(DSVError) -> (UInt32, File) {
    let header = packID.map { PackHeader(packID: $0.bytes) } ?? PackHeader()
    var number = max(try folder.packNumbers().last ?? 0, last)
    while true {
      guard number < .max else { throw DSVError(.full, "\(folder.packs): all numbers are taken") }
      number += 1
      if let file = try begin(folder.pack(number), header) { return (number, file) }
    }
  }

  /// Makes and locks a pack; `nil` if there is one of that name. Leaves nothing if it fails.
  private static func begin(_ path: String, _ header: PackHeader) throws(DSVError) -> File? {
    let file: File
    do throws(DSVError) { file = try File(path, .create) } catch {
      if error.code == .conflict { return nil }
      throw error
    }
    do throws(DSVError) {
      try file.lock(.exclusive, waitingUpTo: 10, for: "looking at a new pack")
      try file.write(header.bytes, at: 0)
      return file
    } catch {
      try FileSystem.remove(path)
      throw error
    }
  }
}
