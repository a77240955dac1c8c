import DSVFormat
import DSVSystem

extension Store {
  /// Makes a batch and a publication durable and visible, in the order that a crash may interrupt anywhere:
  /// records, reflog, index, stamp. The caller holds the writer's lock; the batch's own packs are durable.
  ///
  /// - Parameter reachedIndex: set if the index may have been changed.
  /// - Returns: how much longer the repository's files are.
  func publish(
    _ batch: SessionBatch, _ publication: Publication, reachedIndex: inout Bool
  ) throws(DSVError) -> Int {
    let old = try index.state
    var state = publication.state
    let bufferStart = try append(batch.buffer, to: &state)
    state.lastPack = max(state.lastPack, batch.packs.map(\.number).max() ?? 0)
    if let record = publication.reflogRecord {
      state.reflogByteCount = try ReflogFile(path: folder.reflog).append(record, at: state.reflogByteCount)
    }
    var change = publication.indexChange(state)
    change.placed = batch.places(bufferPack: state.openPack, bufferOffset: bufferStart)
    change.keepsPlacesOfBased = true
    var byteCount = batch.buffer.count + state.reflogByteCount - old.reflogByteCount
    for pack in batch.packs { byteCount += try pack.file.byteCount() }
    let indexBefore = indexByteCount
    do throws(DSVError) { try commit(change) } catch {
      reachedIndex = !withdraw(state, to: old)
      throw error
    }
    return byteCount + indexByteCount - indexBefore
  }

  /// How long the index is; 0 where that cannot be told, for a publication must not fail by what is only said of it.
  private var indexByteCount: Int {
    do throws(DSVError) { return try FileSystem.status(folder.indexData)?.byteCount ?? 0 } catch {
      note("\(folder.indexData): \(error)")
      return 0
    }
  }

  /// Takes back what a publication wrote before the index refused it: else it would come to light when the index is
  /// next made anew, and on a full disk it would take the room that is wanted.
  ///
  /// - Returns: `false` if the index may have taken it: then everything is left as it is.
  private func withdraw(_ state: IndexState, to old: IndexState) -> Bool {
    do throws(DSVError) {
      // What LMDB has put back after a failure is read anew, and is on the disk, before anything follows from it.
      guard try index.state == old else { return false }
      try File(folder.indexData, .update).sync()
      try ReflogFile(path: folder.reflog).cut(to: old.reflogByteCount)
      if state.openPack != old.openPack {
        try FileSystem.remove(folder.pack(state.openPack))
      } else if state.openPackByteCount > old.openPackByteCount {
        try File(folder.pack(state.openPack), .update).truncate(to: old.openPackByteCount)
      }
    } catch {
      note("\(folder.reflog): \(error)")
      return false
    }
    IndexGuard(folder: folder, note: note).stamp()
    return true
  }

  /// Writes the index's transaction and stamps it.
  func commit(_ change: IndexChange) throws(DSVError) {
    let transactionID = try index.write(change)
    IndexGuard(folder: folder, note: note).stamp(transactionID: transactionID)
  }

  /// Appends records to the open pack durably; begins a new one if there is none, or if it is full or damaged.
  ///
  /// - Returns: where they begin.
  private func append(_ records: [UInt8], to state: inout IndexState) throws(DSVError) -> Int {
    guard !records.isEmpty else { return 0 }
    if let file = try openPack(state) {
      try file.write(records, at: state.openPackByteCount)
      try file.sync()
    } else {
      let (number, file) = try PackFiles.create(in: folder, after: state.lastPack)
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
    defer { state.openPackByteCount += records.count }
    return state.openPackByteCount
  }

  /// The open pack, cut to its committed length; `nil` if a new one has to be begun.
  private func openPack(_ state: IndexState) throws(DSVError) -> File? {
    guard state.openPack != 0, state.openPackByteCount < PackLayout.sealedByteCount,
      try FileSystem.exists(folder.pack(state.openPack))
    else { return nil }
    let file = try File(folder.pack(state.openPack), .update)
    let byteCount = try file.byteCount()
    guard byteCount >= state.openPackByteCount else { return nil }
    if byteCount > state.openPackByteCount { try file.truncate(to: state.openPackByteCount) }
    return file
  }
}
