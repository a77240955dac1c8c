import DSVFormat
import DSVSystem

/// The objects that a session has put and not yet published: in memory at first, then in packs of its own.
///
/// In an encrypted repository what is in memory at first is sealed when it is known under which pack's key: that of the open pack,
/// or, once there is too much of it, that of a pack of the session's own. Nothing is written that is not sealed.
struct SessionBatch {
  /// A pack of the session's own. It stays open, and so locked, until it is published.
  struct OwnPack {
    let number: UInt32
    let file: File
    /// `nil` in a plain repository.
    let sealer: PackSealer?
    var isSynced = false
  }

  /// Where an object of the batch is.
  struct Entry {
    /// Index of its pack in `packs`; that of the pack to come while there is none.
    let slot: Int
    /// As if the pack began with its header, even while it is in memory only.
    let offset: Int
    let head: RecordHead
    /// Index in `unsealed`, while it is there.
    var unsealed: Int?
  }

  /// A session with more than this in memory goes to packs of its own.
  static let memoryByteCountMax = 1 << 20

  /// New packs have higher numbers: none is used twice, for readers keep packs open.
  let lastPack: UInt32
  /// Whether records are sealed.
  let isSealed: Bool
  private(set) var entries: [AnyID: Entry] = [:]
  /// What each object that is not whole by itself builds on.
  private(set) var bases: [AnyID: ObjectBase] = [:]
  /// Those that are to take the place of records of the same objects.
  private(set) var restored: Set<AnyID> = []
  private(set) var packs: [OwnPack] = []
  /// What is not yet written of slot `slot`; in an encrypted repository only once that is a pack of the session's own.
  private var buffer: [UInt8] = []
  /// What is to be sealed once it is known where it goes.
  private var unsealed: [(id: AnyID, object: StoredObject)] = []
  private var unsealedByteCount = 0
  /// Where in its pack `buffer` begins.
  private var bufferStart = PackLayout.Header.byteCount
  /// The slot that takes the next object.
  private var slot = 0
  /// Under whose key the next object is to be sealed; `nil` where none is, or while that is not known.
  private(set) var sealer: PackSealer?

  init(after lastPack: UInt32, isSealed: Bool) { (self.lastPack, self.isSealed) = (lastPack, isSealed) }

  var isEmpty: Bool { entries.isEmpty }

  /// How long the records in memory are as they will be written.
  var memoryByteCount: Int { buffer.count + unsealedByteCount }

  /// Takes an object in; may write to disk.
  ///
  /// - Parameters:
  ///   - record: the object's, made with `sealer`; `nil` if it is to be sealed when that is known.
  ///   - isRestored: whether it takes the place of what the index points at.
  /// - Returns: `false`, and nothing happens, if the record was sealed for another pack than the one whose turn it is: then
  ///   it has to be made again.
  mutating func append(
    _ id: AnyID, _ object: StoredObject, _ record: EncodedRecord?, isRestored: Bool = false,
    in folder: RepositoryFolder
  ) throws(DSVError) -> Bool {
    guard entries[id] == nil else { return true }
    let isLater = isSealed && sealer == nil
    guard isLater == (record == nil), record?.packID == sealer?.packID else { return false }
    bases[id] = object.base
    if isRestored { restored.insert(id) }
    let head = RecordHead(object, isSealed: isSealed)
    entries[id] = Entry(
      slot: slot, offset: bufferStart + memoryByteCount, head: head, unsealed: isLater ? unsealed.count : nil)
    if let record {
      buffer += record.head.bytes
      buffer += record.body
    } else {
      unsealed.append((id, object))
      unsealedByteCount += head.byteCount
    }
    if memoryByteCount > Self.memoryByteCountMax { try spill(in: folder) }
    return true
  }

  /// As ``append(_:_:_:isRestored:in:)``, by who is alone with the batch.
  mutating func append(_ id: AnyID, _ object: StoredObject, in folder: RepositoryFolder) throws(DSVError) {
    let isLater = isSealed && sealer == nil
    let isTaken = try append(id, object, isLater ? nil : EncodedRecord(id, object, sealer), in: folder)
    precondition(isTaken)
  }

  /// Writes what is in memory to the current pack of its own, which is made if need be, and seals a full one.
  private mutating func spill(in folder: RepositoryFolder) throws(DSVError) {
    if isSealed, sealer == nil { sealer = PackSealer() }
    if let sealer, !unsealed.isEmpty {
      buffer = tail(sealer)
      for (id, _) in unsealed { entries[id]?.unsealed = nil }
      (unsealed, unsealedByteCount) = ([], 0)
    }
    if slot == packs.count {
      let (number, file) = try PackFiles.create(in: folder, after: lastPack, packID: sealer?.packID)
      packs.append(OwnPack(number: number, file: file, sealer: sealer))
    }
    try packs[slot].file.write(buffer, at: bufferStart)
    packs[slot].isSynced = false
    bufferStart += buffer.count
    buffer = []
    if bufferStart >= PackLayout.sealedByteCount {
      try sync(slot)
      slot += 1
      bufferStart = PackLayout.Header.byteCount
      if isSealed { sealer = PackSealer() }
    }
  }

  /// The records in memory as they are to be written to the open pack.
  ///
  /// - Parameter sealer: of the open pack; `nil` in a plain repository.
  func tail(_ sealer: PackSealer?) -> [UInt8] {
    guard let sealer else { return buffer }
    precondition(buffer.isEmpty, "what is sealed for one pack goes to no other")
    var bytes: [UInt8] = []
    bytes.reserveCapacity(unsealedByteCount)
    for (id, object) in unsealed {
      let record = EncodedRecord(id, object, sealer)
      bytes += record.head.bytes
      bytes += record.body
    }
    return bytes
  }

  /// Makes all that lies in packs durable. What is left in memory belongs in the open pack.
  ///
  /// - Parameter spillingAll: leave nothing in memory.
  mutating func finish(in folder: RepositoryFolder, spillingAll: Bool = false) throws(DSVError) {
    if spillingAll || slot < packs.count || sealer != nil, memoryByteCount > 0 { try spill(in: folder) }
    for slot in packs.indices where !packs[slot].isSynced { try sync(slot) }
    if !packs.isEmpty { try FileSystem.syncFolder(folder.packs) }
  }

  private mutating func sync(_ slot: Int) throws(DSVError) {
    try packs[slot].file.sync()
    packs[slot].isSynced = true
  }

  /// Each object's place, when what is in memory lies at byte `bufferOffset` of pack `bufferPack`.
  func places(bufferPack: UInt32, bufferOffset: Int) -> [(AnyID, Place)] {
    entries.map { id, entry in
      if entry.slot < packs.count { return (id, Place(packs[entry.slot].number, entry.offset, entry.head)) }
      return (id, Place(bufferPack, bufferOffset + entry.offset - PackLayout.Header.byteCount, entry.head))
    }
  }

  /// Where an object's bytes can be had.
  enum Source {
    case memory(StoredObject)
    /// In a record that was sealed, and is not written yet.
    case sealed(PackRecord, body: [UInt8], PackSealer)
    case file(File, offset: Int, storedByteCount: Int, PackSealer?)
  }

  func source(of id: AnyID) -> Source? {
    guard let entry = entries[id] else { return nil }
    if let index = entry.unsealed { return .memory(unsealed[index].object) }
    guard entry.slot == slot, entry.offset >= bufferStart else {
      let pack = packs[entry.slot]
      return .file(
        pack.file, offset: entry.offset, storedByteCount: entry.head.storedByteCount, pack.sealer)
    }
    let start = entry.offset - bufferStart
    let body = start + PackLayout.Record.byteCount
    let record = buffer.withBytes { PackRecord(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    guard let record else { preconditionFailure("a record in memory is what was written there") }
    let bytes = Array(buffer[body..<body + record.storedByteCount])
    if let sealer { return .sealed(record, body: bytes, sealer) }
    return .memory(record.plainObject(bytes))
  }

  /// Removes the packs, which nobody has published.
  func discard(_ folder: RepositoryFolder) throws(DSVError) {
    for pack in packs { try FileSystem.remove(pack.file.path) }
  }
}

/// What is known of a record before it is made: all but its checksum.
struct RecordHead {
  let kind: ObjectKind
  let storedByteCount: Int
  let plainByteCount: Int
  let baseDepth: Int

  /// Header and body.
  var byteCount: Int { PackLayout.Record.byteCount + storedByteCount }

  init(_ object: StoredObject, isSealed: Bool) {
    (kind, plainByteCount) = (object.kind, object.plainByteCount)
    baseDepth = object.base?.depth ?? 0
    storedByteCount = PackLayout.bodyByteCount(object, isSealed: isSealed)
  }

  init(_ record: PackRecord) {
    (kind, plainByteCount) = (record.kind, record.plainByteCount)
    (storedByteCount, baseDepth) = (record.storedByteCount, record.baseDepth)
  }
}
