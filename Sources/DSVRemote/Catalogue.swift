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
/// Follows from the remote's log and pack indexes alone, and may be deleted. Only `seen`, which stands beside it, says more:
/// how far the log was ever read, so that a remote that was rolled back is noticed. Threads and processes may share one.
package final class Catalogue: Sendable {
  private struct Packs {
    var changeNumber: UInt64 = .max
    var bySlot: [UInt32: RemotePack] = [:]
    var byID: [PackID: UInt32] = [:]
  }

  private enum Key {
    static let position = Array("log".utf8)
    static let lastSlot = Array("last".utf8)
    static let packPrefix = Array("pack".utf8)
    static func pack(_ slot: UInt32) -> [UInt8] {
      packPrefix + withUnsafeBytes(of: slot.bigEndian) { Array($0) }
    }
  }

  /// How many packs' indexes are asked for at once, and how many packs are taken in with one transaction.
  private static let width = 8
  private static let groupCount = 64

  /// The remote's own folder: `.dsv/remotes/NAME`.
  package let folder: String
  package let sealer: RemoteKeys?
  private let index: CatalogueIndex
  private let packs = Mutex(Packs())
  private let codecs = Mutex<[PackID: PackCodec]>([:])
  private var seenPath: String { "\(folder)/seen" }

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
    guard let pack = try pack(place.pack) else {
      // It was condemned between the two.
      guard let place = try index.place(of: id), let pack = try pack(place.pack) else { return nil }
      return RemotePlace(pack, place)
    }
    return RemotePlace(pack, place)
  }

  package func baseDepth(of id: AnyID) throws(DSVError) -> Int? { try index.place(of: id)?.baseDepth }

  package var objectCount: Int { get throws(DSVError) { try index.objectCount } }

  /// Runs `body` for each object, in order of IDs; no transaction is open meanwhile.
  package func forEachObject(_ body: (AnyID, RemotePlace) throws(DSVError) -> Void) throws(DSVError) {
    try forEachPlace { (id, place) throws(DSVError) in
      if let pack = try pack(place.pack) { try body(id, RemotePlace(pack, place)) }
    }
  }

  private func forEachPlace(_ body: (AnyID, Place) throws(DSVError) -> Void) throws(DSVError) {
    var last: AnyID?
    while true {
      let objects = try index.objects(after: last, limit: 1024)
      for (id, place) in objects { try body(id, place) }
      guard let next = objects.last?.0 else { return }
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

  private func pack(_ slot: UInt32) throws(DSVError) -> RemotePack? {
    // A slot is given once, so what is known of it does not go wrong.
    if let known = packs.withLock({ $0.bySlot[slot] }), known.condemnedTime == nil { return known }
    return try loadPacks().bySlot[slot]
  }

  /// The key of a pack's records; empty in a plain remote.
  package func packKey(_ pack: RemotePack) throws(DSVError) -> [UInt8] {
    guard let sealer else { return [] }
    return try sealer.unwrap(pack.wrappedKey, of: pack.id)
  }

  /// What reads a pack's records.
  package func codec(of pack: RemotePack) throws(DSVError) -> PackCodec {
    guard let sealer else { return PackCodec(packID: pack.id, sealer: nil) }
    if let known = codecs.withLock({ $0[pack.id] }) { return known }
    let codec = try sealer.codec(pack.id, packKey: try packKey(pack))
    codecs.withLock { $0[pack.id] = codec }
    return codec
  }

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
        let bases = flags & 4 == 0 ? nil : try Self.readSlots(&reader)
        return RemotePack(
          slot: slot, id: id, byteCount: byteCount, condemnedTime: flags & 1 == 0 ? nil : time,
          verifiedOver: bases, wrappedKey: [UInt8](try reader.readBytes(reader.remaining)))
      }
      loaded.bySlot[slot] = pack
      loaded.byID[pack.id] = slot
    }
    packs.withLock { $0 = loaded }
    return loaded
  }

  private static func encode(_ pack: RemotePack) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(bytes: pack.id.bytes)
    writer.writeVarint(pack.byteCount)
    writer.write(Int64(pack.condemnedTime ?? 0))
    // 2 once said that a pack was read back, of which no ID had been computed.
    writer.write(UInt8((pack.condemnedTime == nil ? 0 : 1) | (pack.verifiedOver == nil ? 0 : 4)))
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

  private static func decode<Value>(
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
  package func markVerified(_ id: PackID, over slots: [UInt32]) throws(DSVError) {
    let writer = try index.writer()
    guard var pack = try pack(id) else { return }
    pack.verifiedOver = slots
    var change = CatalogueIndex.Change()
    change.values = [(Key.pack(pack.slot), Self.encode(pack))]
    try writer.apply(change)
  }

  /// The pack of that slot, as it is now.
  package func pack(slot: UInt32) throws(DSVError) -> RemotePack? { try loadPacks().bySlot[slot] }
}

// MARK: - Reading on

extension Catalogue {
  /// Takes in what was added to the remote's log since it was last read.
  ///
  /// - Parameter known: indexes that need not be asked for, as they were just put.
  /// - Returns: the new entries, where there were few enough to be read one by one.
  /// - Throws: `.corrupt` if the remote was rolled back or rewritten.
  @discardableResult
  package func readOn(
    _ log: RemoteLog, known: [PackID: PackIndex] = [:]
  ) throws(DSVError) -> [RemoteEntry] {
    let writer = try index.writer()
    let position = try position
    let seen = try seen
    let update = try log.read(after: position, seen: seen.number > position.number ? seen : position)
    if update.position == position { return [] }
    if position == .start { try writer.removeAll() }
    var intake = Intake(bucket: log.bucket, known: known)
    // What was given up since may be gone, though the checkpoint names it.
    let givenUp = Set(update.entries.flatMap { $0.condemned + $0.deleted })
    if let checkpoint = update.checkpoint { try take(checkpoint, &intake, writer, givenUp: givenUp) }
    try take(
      update.entries, from: update.checkpoint?.position ?? position, to: update.position, &intake, writer)
    if update.position.number > seen.number { try remember(update.position) }
    return update.entries
  }

  /// How far the log was ever read here; survives the catalogue.
  private var seen: LogPosition {
    get throws(DSVError) {
      let bytes: [UInt8]
      do throws(DSVError) { bytes = try FileSystem.read(seenPath, limit: 256) } catch {
        if error.code == .notFound { return .start }
        throw error
      }
      let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
      guard words.count == 2, let number = Int(words[0]), number > 0, let digest = LogDigest(hex: words[1])
      else {
        throw DSVError(
          .corrupt, "\(seenPath): it is not a number and a digest; if you trust the remote, delete it")
      }
      return LogPosition(number: number, digest: digest)
    }
  }

  private func remember(_ position: LogPosition) throws(DSVError) {
    try FileSystem.replace(seenPath, with: Array("\(position.number) \(position.digest)\n".utf8))
  }

  /// What is needed while packs are taken in.
  private struct Intake {
    let bucket: any Bucket
    let known: [PackID: PackIndex]
    /// Given in the transaction that is being put together.
    var slots: [PackID: RemotePack] = [:]
    var lastSlot: UInt32 = 0
    var placed: [AnyID: Place] = [:]

    /// The indexes of packs, in their order.
    func indexes(_ packs: [LoggedPack]) throws(DSVError) -> [PackIndex] {
      let (bucket, known) = (bucket, known)
      return try Parallel.map(packs.count, width: Catalogue.width) { (number) throws(DSVError) in
        let pack = packs[number]
        if let known = known[pack.id] { return known }
        let key = RemoteLayout.index(pack.id)
        guard let bytes = try bucket.get(key, limit: RemoteLayout.indexByteCountMax) else {
          throw DSVError(.corrupt, "\(bucket.name)/\(key): it is gone, and its pack is still named")
        }
        let index = try PackIndex(bytes, of: "\(bucket.name)/\(key)")
        guard index.packID == pack.id, index.packByteCount == pack.byteCount else {
          throw DSVError(.corrupt, "\(bucket.name)/\(key): it is another pack's")
        }
        return index
      }
    }
  }

  private func take(
    _ checkpoint: Checkpoint, _ intake: inout Intake, _ writer: borrowing CatalogueIndex.Writer,
    givenUp: Set<PackID>
  ) throws(DSVError) {
    for start in stride(from: 0, to: checkpoint.packs.count, by: Self.groupCount) {
      var change = CatalogueIndex.Change()
      try add(Array(checkpoint.packs[start...].prefix(Self.groupCount)), &intake, &change, givenUp: givenUp)
      try writer.apply(change)
    }
    var change = CatalogueIndex.Change()
    change.refs = checkpoint.refs.map { ref in (ref.name, ref.new.map { .commit($0) }) }
    change.numbered = try Self.following(checkpoint.numbered, on: 0)
    for one in checkpoint.condemned { try condemn(one.pack, time: one.time, &intake, &change) }
    // The position comes last: without it all this is begun anew.
    change.values.append((Key.position, Self.encode(checkpoint.position)))
    try writer.apply(change)
  }

  private func take(
    _ entries: [RemoteEntry], from base: LogPosition, to end: LogPosition, _ intake: inout Intake,
    _ writer: borrowing CatalogueIndex.Writer
  ) throws(DSVError) {
    guard !entries.isEmpty else { return }
    // Of packs that are given up by the end the indexes may be gone.
    let givenUp = Set(entries.flatMap { $0.condemned + $0.deleted })
    var change = CatalogueIndex.Change()
    var freed: Set<UInt32> = []
    var count = 0
    var lastVersion = try lastVersion
    for entry in entries {
      try add(entry.added, &intake, &change, givenUp: givenUp)
      for move in entry.moves { change.refs.append((move.name, move.new.map { .commit($0) })) }
      change.numbered += try Self.following(entry.numbered, on: lastVersion)
      lastVersion += entry.numbered.count
      for pack in entry.condemned {
        if let slot = try condemn(pack, time: entry.time, &intake, &change) { freed.insert(slot) }
      }
      for id in entry.deleted {
        if let pack = try pack(id, intake) { change.values.append((Key.pack(pack.slot), nil)) }
      }
      count += entry.added.count
      guard count >= Self.groupCount, freed.isEmpty, givenUp.isEmpty, entry.number < end.number else {
        continue
      }
      // Nothing may be read between the entries of a group, so its end is one that is known: the next one's `previous`.
      guard let next = entries.first(where: { $0.number == entry.number + 1 }) else { continue }
      change.values.append(
        (Key.position, Self.encode(LogPosition(number: entry.number, digest: next.previous))))
      try writer.apply(change)
      (change, count, intake.placed, intake.slots) = (CatalogueIndex.Change(), 0, [:], [:])
    }
    if !freed.isEmpty {
      let placed = intake.placed
      try forEachPlace { (id, place) throws(DSVError) in
        if freed.contains(place.pack), placed[id] == nil { change.deleted.append(id) }
      }
    }
    change.values.append((Key.position, Self.encode(end)))
    try writer.apply(change)
  }

  /// Version numbers are given one after the other, without gaps.
  private static func following(
    _ numbered: [RemoteEntry.Numbered], on last: Int
  ) throws(DSVError) -> [(number: Int, commit: CommitID)] {
    for (offset, one) in numbered.enumerated() where one.number != last + 1 + offset {
      throw DSVError(.corrupt, "a remote's log gives version number \(one.number) after \(last + offset)")
    }
    return numbered.map { ($0.number, $0.commit) }
  }

  /// A pack as it is now, or as it will be when what is taken in is written down.
  private func pack(_ id: PackID, _ intake: Intake) throws(DSVError) -> RemotePack? {
    if let pack = intake.slots[id] { return pack }
    return try pack(id)
  }

  /// Takes in packs and what they hold. What has a place that stays keeps it.
  private func add(
    _ packs: [LoggedPack], _ intake: inout Intake, _ change: inout CatalogueIndex.Change, givenUp: Set<PackID>
  ) throws(DSVError) {
    let live = packs.filter { !givenUp.contains($0.id) }
    let indexes = try intake.indexes(live)
    for pack in packs where try self.pack(pack.id, intake) == nil {
      try give(pack.id, byteCount: pack.byteCount, key: pack.key, condemned: nil, &intake, &change)
    }
    for contents in indexes {
      guard let slot = try pack(contents.packID, intake)?.slot else { continue }
      for entry in contents.entries where intake.placed[entry.id] == nil {
        if let old = try index.place(of: entry.id), let pack = try pack(old.pack), !givenUp.contains(pack.id)
        {
          continue
        }
        let place = entry.place(in: slot)
        intake.placed[entry.id] = place
        change.placed.append((entry.id, place))
      }
    }
  }

  /// - Returns: the slot of the pack, if it was a live one.
  @discardableResult
  private func condemn(
    _ id: PackID, time: Int, _ intake: inout Intake, _ change: inout CatalogueIndex.Change
  ) throws(DSVError) -> UInt32? {
    guard var pack = try pack(id, intake) else {
      try give(id, byteCount: 0, key: [], condemned: time, &intake, &change)
      return nil
    }
    guard pack.condemnedTime == nil else { return nil }
    pack.condemnedTime = time
    intake.slots[id] = pack
    change.values.append((Key.pack(pack.slot), Self.encode(pack)))
    return pack.slot
  }

  /// Gives a pack a slot.
  private func give(
    _ id: PackID, byteCount: Int, key: [UInt8], condemned: Int?, _ intake: inout Intake,
    _ change: inout CatalogueIndex.Change
  ) throws(DSVError) {
    if intake.lastSlot == 0, let value = try index.value(Key.lastSlot) {
      intake.lastSlot = try Self.decode(value, "the last slot") { (reader) throws(DSVError) in
        try reader.read(UInt32.self)
      }
    }
    guard intake.lastSlot < .max else { throw DSVError(.full, "\(folder): all pack numbers are given") }
    intake.lastSlot += 1
    var wrapped: [UInt8] = []
    if let sealer, !key.isEmpty { wrapped = sealer.wrap(key, of: id) }
    let pack = RemotePack(
      slot: intake.lastSlot, id: id, byteCount: byteCount, condemnedTime: condemned, verifiedOver: nil,
      wrappedKey: wrapped)
    intake.slots[id] = pack
    var last = ByteWriter()
    last.write(intake.lastSlot)
    change.values += [(Key.pack(pack.slot), Self.encode(pack)), (Key.lastSlot, last.bytes)]
  }

  private static func encode(_ position: LogPosition) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(UInt64(position.number))
    writer.write(position.digest)
    return writer.bytes
  }

  /// The state that was taken in, for others to begin with.
  package func checkpoint() throws(DSVError) -> Checkpoint {
    // Nobody reads on meanwhile: all of it is of one position.
    let writer = try index.writer()
    defer { withExtendedLifetime(writer) {} }
    var checkpoint = Checkpoint(try position)
    checkpoint.refs = try refs().map { RemoteEntry.Move($0.name, old: nil, new: $0.commit) }
    for number in stride(from: 1, through: try lastVersion, by: 1) {
      if let commit = try commit(number: number) {
        checkpoint.numbered.append(RemoteEntry.Numbered(number, commit))
      }
    }
    for pack in try allPacks {
      if let time = pack.condemnedTime {
        checkpoint.condemned.append(Checkpoint.Condemned(pack.id, time: time))
      } else {
        checkpoint.packs.append(LoggedPack(pack.id, byteCount: pack.byteCount, key: try packKey(pack)))
      }
    }
    return checkpoint
  }
}
