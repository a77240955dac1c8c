package import DSVFormat
import DSVSystem

/// What a collection of garbage did.
package struct GarbageReport: Sendable, Equatable {
  package var deletedObjectCount = 0
  package var keptObjectCount = 0
  package var deletedPackCount = 0
  package var rewrittenPackCount = 0
  /// How much shorter the packs are together.
  package var freedByteCount = 0
}

extension Store {
  /// Deletes objects that nobody needs, and gives their space back to the disk.
  ///
  /// Waits until no session and no lease is alive (new ones let it go first) and keeps new ones waiting until it is done. A crash at any point
  /// loses nothing that is live; the next collection goes on from there. A pack is rewritten only when
  /// enough of it is garbage; in the others dead objects stay readable.
  /// - Parameters:
  ///   - garbageShareMin: the share of a pack that must be garbage for it to be rewritten; 0 rewrites every
  ///     pack that has any.
  ///   - waitSeconds: how long sessions and leases are waited for.
  ///   - mark: called once nobody can publish any more; returns which objects are live.
  ///   - progress: called with the packs done and the packs to do.
  /// - Throws: `.busy` if a session or lease is still alive then.
  @discardableResult
  package func collectGarbage(
    garbageShareMin: Double = 0.25, waitSeconds: Double = 60, progress: (Int, Int) -> Void = { _, _ in },
    mark: () throws(DSVError) -> (AnyID) -> Bool
  ) throws(DSVError) -> GarbageReport {
    try format.checkWritable(folder.format)
    let gcLock = try CollectionLock(folder, waitSeconds: waitSeconds)
    let writerLock = try beginWriting()
    defer { withExtendedLifetime((gcLock, writerLock)) {} }
    let isLive = try mark()
    try forgetBrokenOff(try index.state)
    var collection = GarbageCollection(store: self, isLive: isLive)
    try collection.survey()
    try collection.deleteUnused()
    try collection.rewrite(garbageShareMin, progress)
    try sweepKeys()
    try TemporaryFile.sweep(folder.temporary)
    try FileSystem.removeTree(folder.damagedIndex)
    return collection.report
  }

  /// Makes the index anew from packs and reflog; what it was is kept aside until the next gc.
  package func rebuildIndex() throws(DSVError) {
    let lock = try lockWriter()
    try keys?.refresh()
    defer { withExtendedLifetime(lock) {} }
    try IndexRebuild(folder: folder, keys: keys, note: note).run()
    try refreshIndex()
  }
}

/// One collection of garbage in progress, under both locks.
struct GarbageCollection {
  /// What of a pack the index points at.
  private struct Usage {
    var byteCount = 0
    var liveByteCount = 0
    var liveCount = 0
    var dead: [AnyID] = []
    /// Whether the index points at anything in it.
    var isIndexed = false

    /// All that is not live, unindexed records included.
    var garbageByteCount: Int { byteCount - PackLayout.Header.byteCount - liveByteCount }
  }

  /// How many live bytes are copied before the packs they came from are deleted: the room that gc needs.
  private static let copiedByteCountMax = PackLayout.sealedByteCount

  let store: Store
  let isLive: (AnyID) -> Bool
  var report = GarbageReport()
  private var packs: [UInt32: Usage] = [:]
  /// Dead objects that mean nothing without others: commits, and those that have a base. They leave the index with the
  /// first object that goes, wherever they lie: what they need may go, and nobody may take them for whole then.
  private var deadCommits: [AnyID] = []
  private var deadDependents: [AnyID] = []

  init(store: Store, isLive: @escaping (AnyID) -> Bool) {
    self.store = store
    self.isLive = isLive
  }

  /// Finds out what is live in each pack.
  mutating func survey() throws(DSVError) {
    var found: [UInt32: Usage] = [:]
    for number in try store.folder.packNumbers() {
      let byteCount = try FileSystem.status(store.folder.pack(number))?.byteCount ?? 0
      found[number] = Usage(byteCount: byteCount)
    }
    let isLive = isLive
    var kept = 0
    var (deadCommits, deadDependents): ([AnyID], [AnyID]) = ([], [])
    try store.forEachObject { (id, place) throws(DSVError) in
      found[place.pack, default: Usage()].isIndexed = true
      guard isLive(id) else {
        if place.kind == .commit {
          deadCommits.append(id)
        } else if place.baseDepth > 0 {
          deadDependents.append(id)
        } else {
          found[place.pack, default: Usage()].dead.append(id)
        }
        return
      }
      found[place.pack, default: Usage()].liveByteCount += place.byteCount
      found[place.pack, default: Usage()].liveCount += 1
      kept += 1
    }
    packs = found
    (self.deadCommits, self.deadDependents) = (deadCommits, deadDependents)
    report.keptObjectCount = kept
  }

  /// Deletes packs without a live object, those that no publication knows first: that works on a full disk.
  mutating func deleteUnused() throws(DSVError) {
    let openPack = try store.index.state.openPack
    let unused = packs.filter { $0.value.liveCount == 0 }
    try remove(unused.filter { !$0.value.isIndexed && $0.key != openPack }.map(\.key))
    try replace(
      unused.filter { $0.value.isIndexed || $0.key == openPack }.map(\.key),
      by: SessionBatch(after: 0, isSealed: false))
  }

  /// Copies what is live out of the packs that are mostly garbage.
  mutating func rewrite(_ garbageShareMin: Double, _ progress: (Int, Int) -> Void) throws(DSVError) {
    try rewrite(progress) { _, usage in
      usage.garbageByteCount > 0
        && Double(usage.garbageByteCount) >= garbageShareMin * Double(usage.byteCount)
    }
  }

  /// Copies what is live out of every pack with no higher number than this.
  mutating func rewrite(upTo last: UInt32, _ progress: (Int, Int) -> Void) throws(DSVError) {
    try rewrite(progress) { number, _ in number <= last }
  }

  private mutating func rewrite(
    _ progress: (Int, Int) -> Void, where isChosen: (UInt32, Usage) -> Bool
  ) throws(DSVError) {
    let chosen = packs.filter { $0.value.liveCount > 0 && isChosen($0.key, $0.value) }.sorted {
      $0.value.liveByteCount < $1.value.liveByteCount
    }
    var group: [UInt32] = []
    var byteCount = 0
    for (done, (number, usage)) in chosen.enumerated() {
      group.append(number)
      byteCount += usage.liveByteCount
      if byteCount >= Self.copiedByteCountMax || done == chosen.count - 1 {
        let (batch, copied) = try copy(group)
        report.rewrittenPackCount += copied.count
        try replace(copied, by: batch)
        (group, byteCount) = ([], 0)
      }
      progress(done + 1, chosen.count)
    }
  }

  /// Copies what is live in some packs, durably; leaves nothing if it fails.
  ///
  /// - Returns: the copies, and the packs of which nothing live was left out.
  private func copy(_ numbers: [UInt32]) throws(DSVError) -> (SessionBatch, [UInt32]) {
    var batch = SessionBatch(after: try store.index.state.lastPack, isSealed: store.keys != nil)
    var copied: [UInt32] = []
    do throws(DSVError) {
      for number in numbers {
        if try copy(number, packs[number] ?? Usage(), into: &batch) { copied.append(number) }
      }
      if !batch.isEmpty { try batch.finish(in: store.folder, spillingAll: true) }
      return (batch, copied)
    } catch {
      try batch.discard(store.folder)
      throw error
    }
  }

  /// Copies the live records of a pack.
  ///
  /// - Returns: `false` if one of them is damaged: then the pack stays.
  private func copy(
    _ number: UInt32, _ usage: Usage, into batch: inout SessionBatch
  ) throws(DSVError) -> Bool {
    let file = try File(store.folder.pack(number), .read)
    var scanner = try PackScanner(number, file)
    var count = 0
    while let finding = try scanner.read() {
      guard case .record(let id, let place, let record) = finding, isLive(id),
        try store.index.place(of: id) == place, let object = try open(record, number, file)
      else { continue }
      try batch.append(id, object, in: store.folder)
      count += 1
    }
    if count < usage.liveCount {
      store.note("\(file.path): \(usage.liveCount - count) live records are damaged; it is kept")
    }
    return count == usage.liveCount
  }

  /// What a record holds; `nil` if it does not open, which is then said.
  private func open(
    _ record: ScannedRecord, _ number: UInt32, _ file: File
  ) throws(DSVError) -> StoredObject? {
    do throws(DSVError) {
      return try record.object(try store.packs.sealer(of: number, for: record))
    } catch {
      guard error.code == .corrupt else { throw error }
      store.note("\(file.path): \(error.message)")
      return nil
    }
  }

  /// Points the index at the copies in `batch`, which are durable, and deletes the packs they came from.
  private mutating func replace(_ numbers: [UInt32], by batch: SessionBatch) throws(DSVError) {
    guard !numbers.isEmpty || !batch.isEmpty else { return }
    var change = IndexChange()
    change.state = try store.index.state
    change.placed = batch.places(bufferPack: 0, bufferOffset: 0)
    try store.keys?.add(batch.packs.compactMap(\.sealer))
    change.deleted = deadCommits + deadDependents + numbers.flatMap { packs[$0]?.dead ?? [] }
    let old = change.state
    change.state.lastPack = ([change.state.lastPack] + batch.packs.map(\.number) + numbers).max() ?? 0
    do throws(DSVError) {
      change.state.reflogByteCount = try remember(change.state)
      if numbers.contains(change.state.openPack) { change.state.openPack = 0 }
      try store.commit(change)
    } catch {
      // A reflog that says more than the index has whoever comes next make that anew, for which a full disk has no room.
      if store.withdraw(old, to: old) { try batch.discard(store.folder) }
      throw error
    }
    (deadCommits, deadDependents) = ([], [])
    report.deletedObjectCount += change.deleted.count
    for pack in batch.packs { report.freedByteCount -= try pack.file.byteCount() }
    try remove(numbers)
  }

  /// Says in the reflog, durably, that the dead commits are deleted: that outlives the index.
  ///
  /// - Returns: the reflog's new length.
  private func remember(_ state: IndexState) throws(DSVError) -> Int {
    var end = state.reflogByteCount
    for start in stride(from: 0, to: deadCommits.count, by: CollectedCommits.countMax) {
      let commits = deadCommits[start...].prefix(CollectedCommits.countMax).map { CommitID($0) }
      let record = ReflogRecord(
        time: Clock.secondsSince1970(), numbered: [], moves: [], collected: CollectedCommits(commits, state))
      end = try store.reflogFile.append(record)
    }
    return end
  }

  private mutating func remove(_ numbers: [UInt32]) throws(DSVError) {
    guard !numbers.isEmpty else { return }
    store.packs.close(numbers)
    for number in numbers {
      try FileSystem.remove(store.folder.pack(number))
      report.deletedPackCount += 1
      report.freedByteCount += packs[number]?.byteCount ?? 0
    }
    try FileSystem.syncFolder(store.folder.packs)
  }
}
