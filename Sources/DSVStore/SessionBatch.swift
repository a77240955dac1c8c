import DSVFormat
import DSVSystem

/// The objects that a session has put and not yet published: in memory at first, then in packs of its own.
struct SessionBatch {
  /// A pack of the session's own. It stays open, and so locked, until it is published.
  struct OwnPack {
    let number: UInt32
    let file: File
    var isSynced = false
  }

  /// Where an object of the batch is.
  struct Entry {
    /// Index of its pack in `packs`; that of the pack to come while there is none.
    let slot: Int
    /// As if the pack began with its header, even while it is in memory only.
    let offset: Int
    let record: PackRecord
  }

  /// A session with more than this in memory goes to packs of its own.
  static let memoryByteCountMax = 1 << 20

  /// New packs have higher numbers: none is used twice, for readers keep packs open.
  let lastPack: UInt32
  private(set) var entries: [AnyID: Entry] = [:]
  /// What each object that is not whole by itself builds on.
  private(set) var bases: [AnyID: ObjectBase] = [:]
  /// Those that are to take the place of records of the same objects.
  private(set) var restored: Set<AnyID> = []
  private(set) var packs: [OwnPack] = []
  /// What is not yet written of slot `slot`.
  private(set) var buffer: [UInt8] = []
  /// Where in its pack `buffer` begins.
  private var bufferStart = PackLayout.Header.byteCount
  /// The slot that takes the next object.
  private var slot = 0

  init(after lastPack: UInt32) { self.lastPack = lastPack }

  var isEmpty: Bool { entries.isEmpty }

  /// Takes an object in; may write to disk.
  ///
  /// - Parameter isRestored: whether it takes the place of what the index points at.
  mutating func append(
    _ id: AnyID, _ record: PackRecord, _ body: [UInt8], base: ObjectBase? = nil, isRestored: Bool = false,
    in folder: RepositoryFolder
  ) throws(DSVError) {
    guard entries[id] == nil else { return }
    bases[id] = base
    if isRestored { restored.insert(id) }
    entries[id] = Entry(slot: slot, offset: bufferStart + buffer.count, record: record)
    buffer += record.bytes
    buffer += body
    if buffer.count > Self.memoryByteCountMax { try spill(in: folder) }
  }

  /// Writes the buffer to the current pack of its own, which is made if need be, and seals a full one.
  mutating func spill(in folder: RepositoryFolder) throws(DSVError) {
    if slot == packs.count {
      let (number, file) = try PackFiles.create(in: folder, after: lastPack)
      packs.append(OwnPack(number: number, file: file))
    }
    try packs[slot].file.write(buffer, at: bufferStart)
    packs[slot].isSynced = false
    bufferStart += buffer.count
    buffer = []
    if bufferStart >= PackLayout.sealedByteCount {
      try sync(slot)
      slot += 1
      bufferStart = PackLayout.Header.byteCount
    }
  }

  /// Makes all that lies in packs durable. What is left in `buffer` belongs in the open pack.
  ///
  /// - Parameter spillingAll: leave nothing in `buffer`.
  mutating func finish(in folder: RepositoryFolder, spillingAll: Bool = false) throws(DSVError) {
    if spillingAll || slot < packs.count, !buffer.isEmpty { try spill(in: folder) }
    for slot in packs.indices where !packs[slot].isSynced { try sync(slot) }
    if !packs.isEmpty { try FileSystem.syncFolder(folder.packs) }
  }

  private mutating func sync(_ slot: Int) throws(DSVError) {
    try packs[slot].file.sync()
    packs[slot].isSynced = true
  }

  /// Each object's place, when `buffer` lies at byte `bufferOffset` of pack `bufferPack`.
  func places(bufferPack: UInt32, bufferOffset: Int) -> [(AnyID, Place)] {
    entries.map { id, entry in
      if entry.slot < packs.count { return (id, Place(packs[entry.slot].number, entry.offset, entry.record)) }
      return (id, Place(bufferPack, bufferOffset + entry.offset - PackLayout.Header.byteCount, entry.record))
    }
  }

  /// Where an object's bytes can be had.
  enum Source {
    case memory(StoredObject)
    case file(File, offset: Int, storedByteCount: Int)
  }

  func source(of id: AnyID) -> Source? {
    guard let entry = entries[id] else { return nil }
    let record = entry.record
    guard entry.slot == slot, entry.offset >= bufferStart else {
      return .file(packs[entry.slot].file, offset: entry.offset, storedByteCount: record.storedByteCount)
    }
    let start = entry.offset - bufferStart + PackLayout.Record.byteCount
    return .memory(
      buffer.withBytes { bytes in
        record.object(UnsafeRawBufferPointer(rebasing: bytes[start..<start + record.storedByteCount]))
      })
  }

  /// Removes the packs, which nobody has published.
  func discard(_ folder: RepositoryFolder) throws(DSVError) {
    for pack in packs { try FileSystem.remove(pack.file.path) }
  }
}
