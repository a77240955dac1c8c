import DSVFormat
import DSVSystem

extension Store {
  /// Makes a batch and a publication durable and visible, in the order that a crash may interrupt anywhere:
  /// records, reflog, index, stamp. The caller holds the writer's lock; the batch's own packs are durable.
  ///
  /// - Parameter mayHappen: set if it failed and may all the same be visible, or come to light when the index is next made.
  /// - Returns: how much longer the repository's files are.
  func publish(
    _ batch: SessionBatch, _ publication: Publication, mayHappen: inout Bool
  ) throws(DSVError) -> Int {
    let old = try index.state
    var state = publication.state
    try forgetBrokenOff(old)
    let leftOut = try unsafeToPlace(batch)
    let (bufferStart, newOpenPack) = try append(batch, to: &state)
    state.lastPack = max(state.lastPack, batch.packs.map(\.number).max() ?? 0)
    // What may fail comes before the reflog tells of the publication: from there on it may happen.
    var placed: [(AnyID, Place)] = []
    for (id, place) in batch.places(bufferPack: state.openPack, bufferOffset: bufferStart) {
      if leftOut.contains(id) { continue }
      placed.append((id, place))
    }
    var byteCount = batch.memoryByteCount + (state.openPack == old.openPack ? 0 : PackLayout.Header.byteCount)
    for pack in batch.packs { byteCount += try pack.file.byteCount() }
    let indexBefore = indexByteCount
    do throws(DSVError) {
      try reserveRoom(forObjects: placed.count)
      // Nothing names a pack whose key might be lost.
      try keys?.add(batch.packs.compactMap(\.sealer) + newOpenPack)
    } catch {
      mayHappen = !withdraw(state, to: old)
      throw error
    }
    if let record = publication.reflogRecord {
      do throws(DSVError) {
        state.reflogByteCount = try reflogFile.append(record)
      } catch {
        mayHappen = !withdraw(state, to: old)
        throw error
      }
    }
    var change = publication.indexChange(state)
    change.placed += placed
    do throws(DSVError) { try commit(change) } catch {
      mayHappen = !withdraw(state, to: old)
      throw error
    }
    return byteCount + state.reflogByteCount - old.reflogByteCount + indexByteCount - indexBefore
  }

  /// Which objects of a batch that have a base the index must not take: an object that others build on, or may build on,
  /// must not become deeper than it was. Of what is put anew that is what another session has put first.
  ///
  /// - Throws: `.conflict` if what something new builds on has become deeper since it was looked at.
  private func unsafeToPlace(_ batch: SessionBatch) throws(DSVError) -> Set<AnyID> {
    var leftOut: Set<AnyID> = []
    if batch.bases.isEmpty { return leftOut }
    let used = batch.bases.keys.contains { batch.restored.contains($0) } ? try basesInUse() : []
    let named = Set(batch.bases.values.map(\.id))
    for (id, base) in batch.bases {
      if batch.restored.contains(id) {
        guard !used.contains(id), !named.contains(id), let depth = try baseDepth(of: base.id),
          depth < base.depth
        else {
          leftOut.insert(id)
          continue
        }
      } else if try contains(id) {
        leftOut.insert(id)
      } else {
        // What is published with it keeps its place if it has one by now.
        guard let depth = try baseDepth(of: base.id) ?? batch.entries[base.id]?.head.baseDepth,
          depth < base.depth
        else {
          throw DSVError(.conflict, "object \(base.id): it was archived meanwhile; try again")
        }
      }
    }
    return leftOut
  }

  /// Every object that one that is indexed builds on. Reads the records' beginnings only.
  func basesInUse() throws(DSVError) -> Set<AnyID> {
    var used: Set<AnyID> = []
    try forEachObject { (id, place) throws(DSVError) in
      if place.baseDepth > 0, let base = try baseID(of: id) { used.insert(base) }
    }
    return used
  }

  /// What index and reflog may grow by in a gc that deletes a few objects at a time, and in a publication but for its objects.
  private static let collectionByteCount = 96 << 10
  private static let publicationByteCount = 32 << 10

  /// Sees to it that index and reflog have room for a publication and, when it is done, for a gc: else what takes the last bytes of a
  /// disk would keep anybody from freeing some.
  ///
  /// - Parameter count: how many objects are published. What publishes none may be what is to be garbage then, and is let through.
  /// - Throws: `.full`.
  private func reserveRoom(forObjects count: Int) throws(DSVError) {
    let more = Self.collectionByteCount + Self.publicationByteCount + count * 256
    do throws(DSVError) {
      if try reserve(more, behind: folder.indexData) {
        // The file's times are others now.
        IndexGuard(folder: folder, keys: keys, note: note).stamp()
      }
      try reserve(Self.publicationByteCount, behind: folder.reflog)
    } catch {
      guard count == 0, error.code == .full else { throw error }
    }
  }

  /// Sees to it that a file can grow by so many bytes.
  ///
  /// - Returns: whether the file was touched for it.
  @discardableResult
  private func reserve(_ count: Int, behind path: String) throws(DSVError) -> Bool {
    guard let status = try FileSystem.status(path), status.allocatedByteCount < status.byteCount + count
    else { return false }
    let file = try File(path, .update)
    do throws(DSVError) {
      // Twice as much lasts for some publications.
      try file.reserve(status.byteCount + 2 * count)
    } catch {
      guard error.code == .full else { throw error }
      try file.reserve(status.byteCount + count)
    }
    return true
  }

  /// How long the index is; 0 where that cannot be told, for a publication must not fail by what is only said of it.
  private var indexByteCount: Int {
    do throws(DSVError) { return try FileSystem.status(folder.indexData)?.byteCount ?? 0 } catch {
      note("\(folder.indexData): \(error)")
      return 0
    }
  }

  /// Takes what a crash left of a publication that did not reach the index out of the reflog, durably.
  ///
  /// Until then it may happen yet, when the index is next made anew. So nothing of what it put, in the open pack's tail or in
  /// packs that nobody knows, may be written over or removed before. The caller holds the writer's lock.
  func forgetBrokenOff(_ state: IndexState) throws(DSVError) {
    try reflogFile.cut(to: state.reflogByteCount)
  }

  /// Takes back what a publication or a gc wrote before the index refused it: else it would come to light when the index is
  /// next made anew, and on a full disk it would take the room that is wanted.
  ///
  /// - Returns: `false` if the index may have taken it: then everything is left as it is.
  func withdraw(_ state: IndexState, to old: IndexState) -> Bool {
    do throws(DSVError) {
      // What LMDB has put back after a failure is read anew, and is on the disk, before anything follows from it.
      guard try index.state == old else { return false }
      try File(folder.indexData, .update).sync()
      try reflogFile.cut(to: old.reflogByteCount)
      if state.openPack != old.openPack {
        try FileSystem.remove(folder.pack(state.openPack))
      } else if state.openPackByteCount > old.openPackByteCount {
        try File(folder.pack(state.openPack), .update).truncate(to: old.openPackByteCount)
      }
    } catch {
      note("\(folder.reflog): \(error)")
      return false
    }
    IndexGuard(folder: folder, keys: keys, note: note).stamp()
    return true
  }

  /// Writes the index's transaction and stamps it.
  func commit(_ change: IndexChange) throws(DSVError) {
    let transactionID = try index.write(change)
    IndexGuard(folder: folder, keys: keys, note: note).stamp(transactionID: transactionID)
  }

  /// Appends records to the open pack durably; begins a new one if there is none, or if it is full or damaged.
  ///
  /// - Returns: where they begin, and what seals a pack that was begun.
  private func append(
    _ batch: SessionBatch, to state: inout IndexState
  ) throws(DSVError) -> (Int, [PackSealer]) {
    guard batch.memoryByteCount > 0 else { return (0, []) }
    let count = batch.memoryByteCount
    var new: [PackSealer] = []
    if let pack = try openPack(state) {
      try pack.file.write(batch.tail(pack.sealer), at: state.openPackByteCount)
      try pack.file.sync()
    } else {
      if keys != nil { new = [PackSealer()] }
      let records = batch.tail(new.first)
      let (number, file) = try PackFiles.create(
        in: folder, after: state.lastPack, packID: new.first?.packID)
      (state.openPack, state.lastPack) = (number, number)
      state.openPackByteCount = PackLayout.Header.byteCount
      do throws(DSVError) {
        try file.write(records, at: state.openPackByteCount)
        try file.sync()
        try FileSystem.syncFolder(folder.packs)
      } catch {
        try FileSystem.remove(file.path)
        throw error
      }
    }
    defer { state.openPackByteCount += count }
    return (state.openPackByteCount, new)
  }

  /// The open pack, cut to its committed length; `nil` if a new one has to be begun.
  private func openPack(_ state: IndexState) throws(DSVError) -> PackFiles.OpenPack? {
    guard state.openPack != 0, state.openPackByteCount < PackLayout.sealedByteCount,
      try FileSystem.exists(folder.pack(state.openPack))
    else { return nil }
    let file = try File(folder.pack(state.openPack), .update)
    let byteCount = try file.byteCount()
    guard byteCount >= state.openPackByteCount else { return nil }
    var sealer: PackSealer?
    if let keys {
      // Without its key nothing can be added to it.
      do throws(DSVError) { sealer = try keys.sealer(of: file) } catch {
        guard error.code == .corrupt else { throw error }
        note(error.message)
        return nil
      }
    }
    if byteCount > state.openPackByteCount { try file.truncate(to: state.openPackByteCount) }
    return PackFiles.OpenPack(file: file, sealer: sealer)
  }
}
