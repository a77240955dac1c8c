package import DSVFormat
package import DSVStore
import DSVSystem
import Synchronization

/// A pack of a remote, as its catalogue knows it.
package struct RemotePack: Sendable, Hashable {
  /// What places in the catalogue call it. Never given twice.
  package let slot: UInt32
  package let id: PackID
  package let byteCount: Int
  /// When it was given up, in seconds since 1970; `nil` for one that holds what is live.
  package var condemnedTime: Int?
  /// The slots of the packs that it builds on, if it was read back whole and each ID was computed; else `nil`.
  package var verifiedOver: [UInt32]?
  /// Whether its index was gone or damaged when it was asked for, so that nothing is known of what it holds.
  package var isLacking: Bool
  /// See ``RemoteKeys/wrap(_:of:)``.
  let wrappedKey: [UInt8]

  package var key: String { RemoteLayout.pack(id) }
}

/// Where a remote keeps an object.
package struct RemotePlace: Sendable, Hashable {
  package let pack: RemotePack
  /// Where the record's header begins.
  package let offset: Int
  /// Header and body.
  package let byteCount: Int
  package let plainByteCount: Int
  package let kind: ObjectKind
  package let baseDepth: Int

  package init(_ pack: RemotePack, _ place: Place) {
    (self.pack, offset, byteCount) = (pack, place.offset, place.byteCount)
    (plainByteCount, kind, baseDepth) = (place.plainByteCount, place.kind, place.baseDepth)
  }

  package var range: Range<Int> { offset..<offset + byteCount }
}

/// What is known here of a remote: its refs, its version numbers, and where each of its objects lies.
///
/// An object may lie in several packs, as two have pushed it at once. The place in the pack that was added first counts; the others
/// are its *spares*, one of which counts when that pack is given up. Every catalogue comes to the same, however it was read.
///
/// Where an object lay that the remote has given up is remembered until that pack is deleted: who has left it there may fetch it back.
/// Nothing else relies on such a *former* place, and a catalogue that is read anew does not know it.
///
/// Follows from the remote's log and pack indexes alone, and may be deleted. Only `seen`, which stands beside it, says more:
/// how far the log was ever read, so that a remote that was rolled back is noticed. Threads and processes may share one.
package final class Catalogue: Sendable {
  private struct Packs {
    var changeNumber: UInt64 = .max
    var bySlot: [UInt32: RemotePack] = [:]
    var byID: [PackID: UInt32] = [:]
  }

  enum Key {
    /// The number is the revision of what is kept here: a catalogue of another one is read anew.
    static let position = Array("log 2".utf8)
    static let lastSlot = Array("last".utf8)
    static let packPrefix = Array("pack".utf8)
    static func pack(_ slot: UInt32) -> [UInt8] {
      packPrefix + withUnsafeBytes(of: slot.bigEndian) { Array($0) }
    }
  }

  /// The remote's own folder: `.dsv/remotes/NAME`.
  package let folder: String
  package let sealer: RemoteKeys?
  let index: CatalogueIndex
  private let packs = Mutex(Packs())
  private let codecs = Mutex<[PackID: PackCodec]>([:])

  /// - Parameter folder: is there.
  package init(
    _ folder: String, _ sealer: RemoteKeys? = nil,
    note: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(DSVError) {
    (self.folder, self.sealer) = (folder, sealer)
    index = try CatalogueIndex("\(folder)/catalogue", sealer, note: note)
  }
}

// MARK: - Looking up

extension Catalogue {
  /// Whether the remote holds the object, and so all that it leads to.
  package func contains(_ id: AnyID) throws(DSVError) -> Bool { try index.place(of: id) != nil }

  package func place(of id: AnyID) throws(DSVError) -> RemotePlace? {
    guard let place = try index.place(of: id) else { return nil }
    guard let pack = try pack(of: place) else {
      // It was condemned between the two.
      guard let place = try index.place(of: id), let pack = try pack(of: place) else { return nil }
      return RemotePlace(pack, place)
    }
    return RemotePlace(pack, place)
  }

  package func baseDepth(of id: AnyID) throws(DSVError) -> Int? { try index.place(of: id)?.baseDepth }

  package var objectCount: Int { get throws(DSVError) { try index.objectCount } }

  /// Runs `body` for each object, in order of IDs; no transaction is open meanwhile.
  package func forEachObject(_ body: (AnyID, RemotePlace) throws(DSVError) -> Void) throws(DSVError) {
    try forEachPlace { (id, place) throws(DSVError) in
      if let pack = try pack(of: place) { try body(id, RemotePlace(pack, place)) }
    }
  }

  /// Where else the remote holds an object: the places that count once those before them do not.
  package func spares(of id: AnyID) throws(DSVError) -> [RemotePlace] {
    var spares: [RemotePlace] = []
    for place in try index.spares(of: id) {
      if let pack = try pack(of: place) { spares.append(RemotePlace(pack, place)) }
    }
    return spares
  }

  /// Runs `body` for each further place of an object; no transaction is open meanwhile.
  package func forEachSpare(_ body: (AnyID, RemotePlace) throws(DSVError) -> Void) throws(DSVError) {
    try forEachSparePlace { (id, place) throws(DSVError) in
      if let pack = try pack(of: place) { try body(id, RemotePlace(pack, place)) }
    }
  }

  /// Where an object lay that the remote has given up, and may still lie: in a pack that is condemned and not deleted.
  package func formerPlace(of id: AnyID) throws(DSVError) -> RemotePlace? {
    guard let place = try index.formerPlace(of: id), var pack = try pack(slot: place.pack) else { return nil }
    // Whoever relies on a place asks for that, which is written down after this.
    pack.condemnedTime = pack.condemnedTime ?? 0
    return RemotePlace(pack, place)
  }

  /// Whether the remote has given up an object for which `isWanted` says so; no transaction is open meanwhile.
  package func hasGivenUp(where isWanted: (AnyID) throws(DSVError) -> Bool) throws(DSVError) -> Bool {
    var last: AnyID?
    while true {
      let places = try index.formerPlaces(after: last, limit: 1024)
      for (id, _) in places where try !contains(id) { if try isWanted(id) { return true } }
      guard let next = places.last?.0 else { return false }
      last = next
    }
  }

  func forEachPlace(_ body: (AnyID, Place) throws(DSVError) -> Void) throws(DSVError) {
    var last: AnyID?
    while true {
      let objects = try index.objects(after: last, limit: 1024)
      for (id, place) in objects { try body(id, place) }
      guard let next = objects.last?.0 else { return }
      last = next
    }
  }

  func forEachSparePlace(_ body: (AnyID, Place) throws(DSVError) -> Void) throws(DSVError) {
    var last: (AnyID, Place)?
    while true {
      let spares = try index.spares(after: last, limit: 1024)
      for (id, place) in spares { try body(id, place) }
      guard let next = spares.last else { return }
      last = next
    }
  }

  /// The commit that a branch (`heads/main`) or tag (`tags/paper`) of the remote is at.
  package func ref(_ name: String) throws(DSVError) -> CommitID? {
    if case .commit(let id)? = try index.ref(name) { id } else { nil }
  }

  package func refs(prefix: String = "") throws(DSVError) -> [(name: String, commit: CommitID)] {
    try index.refs(prefix: prefix).compactMap { name, target in
      if case .commit(let id) = target { (name, id) } else { nil }
    }
  }

  /// The commit that is version `number` on the remote.
  package func commit(number: Int) throws(DSVError) -> CommitID? { try index.commit(number: number) }
  package func number(of commit: CommitID) throws(DSVError) -> Int? { try index.number(of: commit) }
  /// The highest version number that the remote has given.
  package var lastVersion: Int { get throws(DSVError) { try index.lastVersion } }

  /// How far the log is taken in.
  package var position: LogPosition {
    get throws(DSVError) {
      guard let value = try index.value(Key.position) else { return .start }
      return try Self.decode(value, "the catalogue's position") { (reader) throws(DSVError) in
        LogPosition(
          number: Int(truncatingIfNeeded: try reader.read(UInt64.self)), digest: try reader.readID())
      }
    }
  }

  /// The remote's packs, those too that are condemned and not yet deleted.
  package var allPacks: [RemotePack] {
    get throws(DSVError) { try loadPacks().bySlot.values.sorted { $0.slot < $1.slot } }
  }

  package func pack(_ id: PackID) throws(DSVError) -> RemotePack? {
    let packs = try loadPacks()
    return packs.byID[id].flatMap { packs.bySlot[$0] }
  }

  /// The pack of that slot, as it is now.
  package func pack(slot: UInt32) throws(DSVError) -> RemotePack? { try loadPacks().bySlot[slot] }

  /// The pack that a place names. It may have been condemned since it was looked up, or been read back: what else is said of it stays.
  func pack(of place: Place) throws(DSVError) -> RemotePack? {
    if let known = packs.withLock({ $0.bySlot[place.pack] }), known.condemnedTime == nil { return known }
    return try pack(slot: place.pack)
  }

  /// The key of a pack's records; `nil` in a plain remote.
  package func packKey(_ pack: RemotePack) throws(DSVError) -> SecretBytes? {
    try sealer?.unwrap(pack.wrappedKey, of: pack.id)
  }

  /// What reads a pack's records.
  package func codec(of pack: RemotePack) throws(DSVError) -> PackCodec {
    guard let sealer else { return PackCodec(packID: pack.id, sealer: nil) }
    if let known = codecs.withLock({ $0[pack.id] }) { return known }
    let codec = try sealer.codec(pack.id, packKey: try sealer.unwrap(pack.wrappedKey, of: pack.id))
    codecs.withLock { $0[pack.id] = codec }
    return codec
  }

  /// What was read of packs is read again: another catalogue may have come into this one's place.
  func forgetPacks() { packs.withLock { $0 = Packs() } }

  private func loadPacks() throws(DSVError) -> Packs {
    let number = try index.changeNumber
    if let known = packs.withLock({ $0.changeNumber == number ? $0 : nil }) { return known }
    var loaded = Packs(changeNumber: number)
    for (key, value) in try index.values(prefix: Key.packPrefix) {
      let slot = key.dropFirst(Key.packPrefix.count).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      let pack = try Self.decode(value, "pack \(slot)") { (reader) throws(DSVError) in
        let id = try reader.readPackID()
        let byteCount = try reader.readVarint()
        let time = Int(try reader.read(Int64.self))
        let flags = try reader.read(UInt8.self)
        let bases = flags & 8 == 0 ? nil : try Self.readSlots(&reader)
        return RemotePack(
          slot: slot, id: id, byteCount: byteCount, condemnedTime: flags & 1 == 0 ? nil : time,
          verifiedOver: bases, isLacking: flags & 4 != 0,
          wrappedKey: [UInt8](try reader.readBytes(reader.remaining)))
      }
      loaded.bySlot[slot] = pack
      loaded.byID[pack.id] = slot
    }
    packs.withLock { $0 = loaded }
    return loaded
  }

  static func encode(_ pack: RemotePack) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(bytes: pack.id.bytes)
    writer.writeVarint(pack.byteCount)
    writer.write(Int64(pack.condemnedTime ?? 0))
    // 2 once said that a pack was read back, of which no ID had been computed.
    writer.write(
      UInt8(
        (pack.condemnedTime == nil ? 0 : 1) | (pack.isLacking ? 4 : 0) | (pack.verifiedOver == nil ? 0 : 8)))
    if let bases = pack.verifiedOver {
      writer.writeVarint(bases.count)
      for slot in bases { writer.write(slot) }
    }
    writer.write(bytes: pack.wrappedKey)
    return writer.bytes
  }

  private static func readSlots(_ reader: inout ByteReader) throws(DSVError) -> [UInt32] {
    let count = try reader.readVarint()
    guard count <= reader.remaining / 4 else { throw reader.corrupt("a count is out of bounds") }
    var slots: [UInt32] = []
    for _ in 0..<count { slots.append(try reader.read(UInt32.self)) }
    return slots
  }

  static func decode<Value>(
    _ bytes: [UInt8], _ subject: String, _ body: (inout ByteReader) throws(DSVError) -> Value
  ) throws(DSVError) -> Value {
    try bytes.withBytes { (bytes) throws(DSVError) in
      var reader = ByteReader(bytes, of: subject)
      let value = try body(&reader)
      try reader.finish()
      return value
    }
  }

  /// Remembers that a pack was read back whole, and is what it should be over what other packs hold.
  ///
  /// - Parameter address: where it was read.
  /// - Returns: `false` if the remote is said to be somewhere else meanwhile, or the pack was given up: then nothing is remembered.
  package func markVerified(
    _ id: PackID, over slots: [UInt32], at address: RemoteAddress
  ) throws(DSVError) -> Bool {
    let writer = try index.writer()
    // Who says where a remote is now holds the same lock.
    guard try RemoteConfig(folder: folder).address == address else { return false }
    guard var pack = try pack(id), pack.condemnedTime == nil else { return false }
    pack.verifiedOver = slots
    var change = CatalogueIndex.Change()
    change.values = [(Key.pack(pack.slot), Self.encode(pack))]
    try writer.apply(change)
    return true
  }

  /// Forgets that a pack was read back: a read found it damaged.
  package func forgetVerified(_ id: PackID) throws(DSVError) {
    guard try pack(id)?.verifiedOver != nil else { return }
    let writer = try index.writer()
    guard var pack = try pack(id) else { return }
    pack.verifiedOver = nil
    var change = CatalogueIndex.Change()
    change.values = [(Key.pack(pack.slot), Self.encode(pack))]
    try writer.apply(change)
  }

  /// Forgets which packs were read back: where the remote is from now on none was.
  ///
  /// - Parameter move: says where that is. Nobody remembers anything meanwhile that was read where it was.
  package func forgetVerified(_ move: () throws(DSVError) -> Void) throws(DSVError) {
    let writer = try index.writer()
    var change = CatalogueIndex.Change()
    for var pack in try allPacks where pack.verifiedOver != nil {
      pack.verifiedOver = nil
      change.values.append((Key.pack(pack.slot), Self.encode(pack)))
    }
    if !change.values.isEmpty { try writer.apply(change) }
    try move()
  }
}
