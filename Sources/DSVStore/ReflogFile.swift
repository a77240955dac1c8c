import DSVFormat
import DSVSystem

/// The file `reflog`: every publication in order, append-only. The index can be rebuilt from it and the packs.
struct ReflogFile {
  /// What reading a reflog found.
  struct Content {
    var records: [ReflogRecord] { located.map(\.record) }
    /// Each with where it lies.
    var located: [(record: ReflogRecord, range: Range<Int>)] = []
    /// Where the last good record ends.
    var endOfLastRecord = ReflogLayout.Header.byteCount
    /// Stretches that hold no good record.
    var damaged: [Range<Int>] = []
  }

  let path: String
  /// What records are sealed with; `nil` in a plain repository.
  var keys: StoreKeys?

  func create() throws(DSVError) {
    let file = try File(path, .create)
    try file.write(ReflogRecord.fileHeader, at: 0)
    try file.sync()
  }

  /// Appends `record` durably where the file ends, to be called by the holder of the writer's lock, who has cut off what
  /// was never acknowledged.
  ///
  /// - Returns: the file's new length.
  func append(_ record: ReflogRecord) throws(DSVError) -> Int {
    let isNew = try !FileSystem.exists(path)
    let file = try File(path, .updateOrCreate)
    var end = try file.byteCount()
    if end < ReflogLayout.Header.byteCount {
      try file.write(ReflogRecord.fileHeader, at: 0)
      end = ReflogLayout.Header.byteCount
    }
    let bytes = bytes(of: record, at: end)
    try file.write(bytes, at: end)
    try file.sync()
    if isNew { try FileSystem.syncFolder(FileSystem.parent(of: path)) }
    return end + bytes.count
  }

  /// A record as it stands at `offset`.
  func bytes(of record: ReflogRecord, at offset: Int) -> [UInt8] {
    keys.map { ReflogRecord.bytes(body: $0.sealLog(record.body, at: offset)) } ?? record.bytes
  }

  /// Takes back what lies behind `committed`, durably.
  func cut(to committed: Int) throws(DSVError) {
    guard let status = try FileSystem.status(path), status.byteCount > committed else { return }
    let file = try File(path, .update)
    try file.truncate(to: committed)
    try file.sync()
  }

  /// All good records in the first `limit` bytes; goes on behind damage.
  func read(limit: Int = .max) throws(DSVError) -> Content {
    guard let status = try FileSystem.status(path) else {
      return Content(damaged: [0..<ReflogLayout.Header.byteCount])
    }
    let bytes = try File(path, .read).read(upTo: min(limit, status.byteCount), at: 0)
    var content = Content()
    try bytes.withBytes { (bytes) throws(DSVError) in
      if !bytes.prefix(ReflogLayout.Header.byteCount).elementsEqual(ReflogRecord.fileHeader) {
        content.damaged.append(0..<min(bytes.count, ReflogLayout.Header.byteCount))
      }
      var offset = ReflogLayout.Header.byteCount
      var damageBegan: Int?
      while offset < bytes.count {
        guard let (record, end) = try record(in: bytes, at: offset) else {
          damageBegan = damageBegan ?? offset
          offset += 1
          continue
        }
        if let start = damageBegan { content.damaged.append(start..<offset) }
        damageBegan = nil
        content.located.append((record, offset..<end))
        content.endOfLastRecord = end
        offset = end
      }
      if let start = damageBegan { content.damaged.append(start..<bytes.count) }
    }
    return content
  }

  /// The good record that begins at `offset`, and where it ends.
  private func record(
    in bytes: UnsafeRawBufferPointer, at offset: Int
  ) throws(DSVError) -> (ReflogRecord, end: Int)? {
    typealias Layout = ReflogLayout.Record
    guard bytes.count - offset >= Layout.byteCount else { return nil }
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ field: Int, _: T.Type) -> T {
      T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + field, as: T.self))
    }
    guard load(Layout.magic, UInt32.self) == Layout.magicValue else { return nil }
    let start = offset + Layout.byteCount
    let byteCount = Int(load(Layout.bodyByteCount, UInt32.self))
    guard byteCount <= Layout.bodyByteCountMax, byteCount <= bytes.count - start else { return nil }
    let body = UnsafeRawBufferPointer(rebasing: bytes[start..<start + byteCount])
    let seed = Hash64.of(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + Layout.checksum]))
    guard Hash64.of(body, seed: seed) == load(Layout.checksum, UInt64.self) else { return nil }
    do throws(DSVError) {
      guard let keys else { return (try ReflogRecord(body: body, of: path), start + byteCount) }
      let plain = try keys.openLog(body, at: offset, of: path)
      return (
        try plain.withBytes { (plain) throws(DSVError) in try ReflogRecord(body: plain, of: path) },
        start + byteCount
      )
    } catch {
      guard error.code == .corrupt || error.code == .unsupportedFormat else { throw error }
      return nil
    }
  }
}
