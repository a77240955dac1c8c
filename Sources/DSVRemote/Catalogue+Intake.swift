package import DSVFormat
package import DSVStore
import DSVSystem

// Reading on: what a remote's log and its packs' indexes say is taken in step by step, each one a transaction. The position comes
// last: where something is broken off, all from the last position on is taken in again, and doing so twice does no harm.

extension Catalogue {
  /// Takes in what was added to the remote's log since it was last read, a group of entries at a time.
  ///
  /// Memory: as ``RemoteLog/read(after:seen:_:)`` says, and the indexes of eight packs.
  /// - Parameters:
  ///   - known: indexes that need not be asked for, as they were just put.
  ///   - isForgiving: whether a pack may stay whose index is gone or damaged: nothing is known of what it holds.
  /// - Returns: how many entries were read.
  /// - Throws: `.corrupt` if the remote was rolled back or rewritten, or such a pack is not condemned.
  @discardableResult
  package func readOn(
    _ log: RemoteLog, known: [PackID: PackIndex] = [:], isForgiving: Bool = false
  ) throws(DSVError) -> Int {
    let writer = try index.writer()
    forgetPacks()
    let indexes = RemoteIndexes(bucket: log.bucket, known: known)
    let (position, seen) = (try position, try seen)
    var (count, isBegun) = (0, position != .start)
    do throws(DSVError) {
      _ = try log.read(after: position, seen: seen.number > position.number ? seen : position) {
        (update) throws(DSVError) in
        if !isBegun { try writer.removeAll() }
        isBegun = true
        if let checkpoint = update.checkpoint { try take(checkpoint, indexes, writer) }
        if !update.entries.isEmpty { try take(update.entries, to: update.position, indexes, writer) }
        count += update.entries.count
        if update.position.number > seen.number { try remember(update.position) }
      }
    } catch {
      // Of a log that turns out to be another one nothing is believed.
      if error.code == .corrupt, position == .start, isBegun {
        try writer.removeAll()
        forgetPacks()
      }
      throw error
    }
    try addLacking(indexes, writer, isForgiving: isForgiving)
    return count
  }

  private var seenPath: String { "\(folder)/seen" }

  /// How far the log was ever read here; survives the catalogue.
  package var seen: LogPosition {
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

  // MARK: - Entries

  private func take(
    _ checkpoint: Checkpoint, _ indexes: RemoteIndexes, _ writer: borrowing CatalogueIndex.Writer
  ) throws(DSVError) {
    try add(checkpoint.packs, indexes, writer)
    var intake = Intake()
    intake.change.refs = checkpoint.refs.map { ref in (ref.name, ref.new.map { .commit($0) }) }
    intake.change.numbered = try Self.following(checkpoint.numbered, on: 0)
    for one in checkpoint.condemned { try condemn(one.pack, time: one.time, &intake) }
    try end(intake, at: checkpoint.position, writer)
  }

  private func take(
    _ entries: [RemoteEntry], to position: LogPosition, _ indexes: RemoteIndexes,
    _ writer: borrowing CatalogueIndex.Writer
  ) throws(DSVError) {
    let added = entries.flatMap(\.added)
    let givenUp = Set(entries.flatMap { $0.condemned + $0.deleted })
    try add(added.filter { !givenUp.contains($0.id) }, indexes, writer)
    var freed: Set<UInt32> = []
    // What was condemned before has no places.
    for id in givenUp { if let pack = try pack(id), pack.condemnedTime == nil { freed.insert(pack.slot) } }
    var deleted: Set<UInt32> = []
    for id in Set(entries.flatMap(\.deleted)) { if let pack = try pack(id) { deleted.insert(pack.slot) } }
    try free(freed, deleted, writer)
    try forgetFormer(in: deleted, writer)

    var intake = Intake()
    // Nobody needs the indexes of packs that are given up by the end.
    for pack in added where givenUp.contains(pack.id) { try give(pack, &intake) }
    var lastVersion = try lastVersion
    for entry in entries {
      for move in entry.moves { intake.change.refs.append((move.name, move.new.map { .commit($0) })) }
      intake.change.numbered += try Self.following(entry.numbered, on: lastVersion)
      lastVersion += entry.numbered.count
      for pack in entry.condemned { try condemn(pack, time: entry.time, &intake) }
      for id in entry.deleted {
        if let pack = try pack(id, intake) { intake.change.values.append((Key.pack(pack.slot), nil)) }
      }
    }
    if try self.position != .start {
      try addFormer(added.filter { givenUp.contains($0.id) }, butOf: entries, indexes, &intake)
    }
    try end(intake, at: position, writer)
  }

  private func end(
    _ intake: Intake, at position: LogPosition, _ writer: borrowing CatalogueIndex.Writer
  ) throws(DSVError) {
    var last = ByteWriter()
    last.write(UInt64(position.number))
    last.write(position.digest)
    var change = intake.change
    change.values.append((Key.position, last.bytes))
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

  // MARK: - Packs

  /// What one transaction changes, put together.
  private struct Intake {
    var change = CatalogueIndex.Change()
    /// Packs as they will be.
    var slots: [PackID: RemotePack] = [:]
    /// Those of `slots` that are new.
    var given: Set<UInt32> = []
    var lastSlot: UInt32 = 0
    var placed: [AnyID: Place] = [:]
  }

  /// So many entries of packs' indexes are taken in with one transaction, and some more if one pack has more.
  private static let entryCountMax = 1 << 18

  /// Takes in packs and what they hold, in the order in which the log adds them.
  private func add(
    _ packs: [LoggedPack], _ indexes: RemoteIndexes, _ writer: borrowing CatalogueIndex.Writer
  ) throws(DSVError) {
    var rest: ArraySlice<LoggedPack> = []
    // A pack has a slot once all is known of it.
    for pack in packs where try self.pack(pack.id) == nil { rest.append(pack) }
    var intake = Intake()
    var count = 0
    while !rest.isEmpty {
      let group = Array(rest.prefix(RemoteIndexes.width))
      rest = rest.dropFirst(group.count)
      for (pack, contents) in zip(group, try indexes.indexes(of: group)) {
        try give(pack, isLacking: contents == nil, &intake)
        guard let contents, let slot = intake.slots[pack.id]?.slot else { continue }
        for entry in contents.entries { try place(entry.id, entry.place(in: slot), &intake) }
        count += contents.entries.count
      }
      if count >= Self.entryCountMax || rest.isEmpty {
        intake.change.placed = intake.placed.map { ($0.key, $0.value) }
        try writer.apply(intake.change)
        (intake, count) = (Intake(), 0)
      }
    }
  }

  /// Takes in what packs hold whose indexes were not to be had when they were named: unless they are condemned by now, they must be.
  private func addLacking(
    _ indexes: RemoteIndexes, _ writer: borrowing CatalogueIndex.Writer, isForgiving: Bool
  ) throws(DSVError) {
    for var pack in try allPacks where pack.isLacking && pack.condemnedTime == nil {
      let contents: PackIndex
      do throws(DSVError) {
        contents = try indexes.index(of: LoggedPack(pack.id, byteCount: pack.byteCount))
      } catch {
        guard error.code == .corrupt else { throw error }
        if isForgiving { continue }
        throw DSVError(
          .corrupt,
          "\(error.message), and its pack is still named; 'dsv remote check --repair' in a repository that has all of it "
            + "makes it again", cause: error)
      }
      var intake = Intake()
      intake.given = [pack.slot]
      for entry in contents.entries { try place(entry.id, entry.place(in: pack.slot), &intake) }
      intake.change.placed = intake.placed.map { ($0.key, $0.value) }
      pack.isLacking = false
      intake.change.values.append((Key.pack(pack.slot), Self.encode(pack)))
      try writer.apply(intake.change)
    }
  }

  /// Of an object's places that in the first pack counts.
  private func place(_ id: AnyID, _ place: Place, _ intake: inout Intake) throws(DSVError) {
    var known = intake.placed[id]
    if known == nil { known = try index.place(of: id) }
    guard let known, try isLive(known.pack, intake) else {
      intake.placed[id] = place
      return
    }
    if place.pack > known.pack {
      intake.change.spares.append((id, place))
    } else if place.pack < known.pack {
      intake.placed[id] = place
      intake.change.spares.append((id, known))
    }
  }

  private func isLive(_ slot: UInt32, _ intake: Intake) throws(DSVError) -> Bool {
    if intake.given.contains(slot) { return true }
    guard let pack = try pack(slot: slot) else { return false }
    return pack.condemnedTime == nil
  }

  /// Takes away the places in packs that are given up: a spare counts from then on, or the object is the remote's no more.
  ///
  /// - Parameter deleted: the packs that are not there any more.
  private func free(
    _ slots: Set<UInt32>, _ deleted: Set<UInt32>, _ writer: borrowing CatalogueIndex.Writer
  ) throws(DSVError) {
    if slots.isEmpty { return }
    var change = CatalogueIndex.Change()
    var count = 0
    func applied() throws(DSVError) {
      count += 1
      guard count >= 1 << 14 else { return }
      try writer.apply(change)
      (change, count) = (CatalogueIndex.Change(), 0)
    }
    try forEachPlace { (id, place) throws(DSVError) in
      guard slots.contains(place.pack) else { return }
      if let spare = try index.spares(of: id).first(where: { !slots.contains($0.pack) }) {
        change.placed.append((id, spare))
        change.deletedSpares.append((id, spare))
      } else {
        change.deleted.append(id)
        // A spare's pack that was given up with it may outlast it.
        let all = try [place] + index.spares(of: id)
        if let last = all.last(where: { !deleted.contains($0.pack) }) { change.former.append((id, last)) }
      }
      try applied()
    }
    try forEachSparePlace { (id, place) throws(DSVError) in
      guard slots.contains(place.pack) else { return }
      change.deletedSpares.append((id, place))
      try applied()
    }
    try writer.apply(change)
  }

  /// Forgets where objects lay in packs that are deleted.
  private func forgetFormer(
    in slots: Set<UInt32>, _ writer: borrowing CatalogueIndex.Writer
  ) throws(DSVError) {
    if slots.isEmpty { return }
    var last: AnyID?
    while true {
      let places = try index.formerPlaces(after: last, limit: 1 << 14)
      var change = CatalogueIndex.Change()
      for (id, place) in places where slots.contains(place.pack) { change.former.append((id, nil)) }
      if !change.former.isEmpty { try writer.apply(change) }
      guard let next = places.last?.0 else { return }
      last = next
    }
  }

  /// Of packs that came and were given up no more is remembered at once: it is a help, and takes memory.
  private static let formerCountMax = 1 << 18

  /// Remembers what packs hold that came and were given up since the log was last read, and that are not deleted: what lay in an
  /// older one may have been put there.
  private func addFormer(
    _ packs: [LoggedPack], butOf entries: [RemoteEntry], _ indexes: RemoteIndexes, _ intake: inout Intake
  ) throws(DSVError) {
    let deleted = Set(entries.flatMap(\.deleted))
    for pack in packs where !deleted.contains(pack.id) && intake.change.former.count < Self.formerCountMax {
      guard let slot = intake.slots[pack.id]?.slot, let contents = try indexes.indexes(of: [pack])[0] else {
        continue
      }
      for entry in contents.entries where try index.place(of: entry.id) == nil {
        intake.change.former.append((entry.id, entry.place(in: slot)))
      }
    }
  }

  /// A pack as it is now, or as it will be when what is taken in is written down.
  private func pack(_ id: PackID, _ intake: Intake) throws(DSVError) -> RemotePack? {
    if let pack = intake.slots[id] { return pack }
    return try pack(id)
  }

  private func condemn(_ id: PackID, time: Int, _ intake: inout Intake) throws(DSVError) {
    guard var pack = try pack(id, intake) else {
      return try give(LoggedPack(id, byteCount: 0), condemned: time, &intake)
    }
    guard pack.condemnedTime == nil else { return }
    pack.condemnedTime = time
    intake.slots[id] = pack
    intake.change.values.append((Key.pack(pack.slot), Self.encode(pack)))
  }

  /// Gives a slot to a pack that has none.
  private func give(
    _ logged: LoggedPack, condemned: Int? = nil, isLacking: Bool = false, _ intake: inout Intake
  ) throws(DSVError) {
    guard try pack(logged.id, intake) == nil else { return }
    if intake.lastSlot == 0, let value = try index.value(Key.lastSlot) {
      intake.lastSlot = try Self.decode(value, "the last slot") { (reader) throws(DSVError) in
        try reader.read(UInt32.self)
      }
    }
    guard intake.lastSlot < .max else { throw DSVError(.full, "\(folder): all pack numbers are given") }
    intake.lastSlot += 1
    var wrapped: [UInt8] = []
    if let sealer, let key = logged.key { wrapped = sealer.wrap(key, of: logged.id) }
    let pack = RemotePack(
      slot: intake.lastSlot, id: logged.id, byteCount: logged.byteCount, condemnedTime: condemned,
      verifiedOver: nil, isLacking: isLacking, wrappedKey: wrapped)
    intake.slots[logged.id] = pack
    intake.given.insert(pack.slot)
    var last = ByteWriter()
    last.write(intake.lastSlot)
    intake.change.values += [(Key.pack(pack.slot), Self.encode(pack)), (Key.lastSlot, last.bytes)]
  }

  // MARK: - Checkpoints

  /// The state that was taken in, for others to begin with; `nil` where it is more than a checkpoint may hold.
  package func checkpoint() throws(DSVError) -> Checkpoint? {
    // Nobody reads on meanwhile: all of it is of one position.
    let writer = try index.writer()
    defer { withExtendedLifetime(writer) {} }
    // A number takes 33 bytes at least, a pack 18.
    guard try lastVersion * 33 + allPacks.count * 18 <= RemoteLayout.checkpointByteCountMax else {
      return nil
    }
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

/// The indexes of a remote's packs.
struct RemoteIndexes: Sendable {
  /// So many are asked for at once.
  static let width = 8

  let bucket: any Bucket
  /// Those that need not be asked for.
  let known: [PackID: PackIndex]

  /// The indexes of packs, in their order; `nil` for one that is gone or damaged.
  func indexes(of packs: [LoggedPack]) throws(DSVError) -> [PackIndex?] {
    try Parallel.map(packs.count, width: Self.width) { (number) throws(DSVError) -> PackIndex? in
      do throws(DSVError) { return try index(of: packs[number]) } catch {
        guard error.code == .corrupt else { throw error }
        return nil
      }
    }
  }

  /// - Throws: `.corrupt` if it is gone or damaged.
  func index(of pack: LoggedPack) throws(DSVError) -> PackIndex {
    if let known = known[pack.id] { return known }
    return try PackIndex.read(of: pack.id, byteCount: pack.byteCount, from: bucket)
  }
}

extension PackIndex {
  /// The index of a remote's pack.
  ///
  /// - Parameter byteCount: the pack's length; `nil` where only the index may say that.
  /// - Throws: `.corrupt` if it is gone, damaged, or another pack's.
  package static func read(
    of pack: PackID, byteCount: Int?, from bucket: any Bucket
  ) throws(DSVError) -> PackIndex {
    let key = RemoteLayout.index(pack)
    guard let bytes = try bucket.get(key, limit: RemoteLayout.indexByteCountMax) else {
      throw DSVError(.corrupt, "\(bucket.name)/\(key): it is gone")
    }
    let index = try PackIndex(bytes, of: "\(bucket.name)/\(key)")
    guard index.packID == pack, index.packByteCount == byteCount ?? index.packByteCount else {
      throw DSVError(.corrupt, "\(bucket.name)/\(key): it is another pack's")
    }
    return index
  }
}
