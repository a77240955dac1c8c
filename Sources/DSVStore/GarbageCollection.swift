import DSVFormat
import DSVSystem

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
  /// Whether what failed may come to light all the same: nothing can follow on it then.
  private var mayHappen = false
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
    var deadCommits: [AnyID] = []
    // By how many bases each has.
    var deadDependents = [[AnyID]](repeating: [], count: ObjectBase.depthMax + 1)
    try store.forEachObject { (id, place) throws(DSVError) in
      found[place.pack, default: Usage()].isIndexed = true
      guard isLive(id) else {
        if place.kind == .commit {
          deadCommits.append(id)
        } else if place.baseDepth > 0 {
          deadDependents[place.baseDepth].append(id)
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
    self.deadCommits = deadCommits
    // None is there without its base, wherever it is broken off.
    self.deadDependents = deadDependents.reversed().flatMap { $0 }
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
    let shortage = try rewrite(progress, toleratesFull: true) { _, usage in
      usage.garbageByteCount > 0
        && Double(usage.garbageByteCount) >= garbageShareMin * Double(usage.byteCount)
    }
    guard let shortage else { return }
    if report.deletedPackCount == 0 { throw shortage }
    store.note(
      "\(store.folder.packs): \(report.unfitPackCount) packs stay with the garbage in them, as the disk has no room for a copy of what "
        + "is live there")
  }

  /// Copies what is live out of every pack with no higher number than this.
  mutating func rewrite(upTo last: UInt32, _ progress: (Int, Int) -> Void) throws(DSVError) {
    _ = try rewrite(progress, toleratesFull: false) { number, _ in number <= last }
  }

  /// - Returns: why packs were left as they are, if the disk was too full for some and that is tolerated.
  private mutating func rewrite(
    _ progress: (Int, Int) -> Void, toleratesFull: Bool, where isChosen: (UInt32, Usage) -> Bool
  ) throws(DSVError) -> DSVError? {
    let chosen = packs.filter { $0.value.liveCount > 0 && isChosen($0.key, $0.value) }.sorted {
      $0.value.liveByteCount < $1.value.liveByteCount
    }
    var group: [UInt32] = []
    var byteCount = 0
    var shortage: DSVError?
    for (done, (number, usage)) in chosen.enumerated() {
      group.append(number)
      byteCount += usage.liveByteCount
      if byteCount >= Self.copiedByteCountMax || done == chosen.count - 1 {
        if !toleratesFull {
          try rewrite(group)
        } else if let error = try rewriteWhatFits(group) {
          shortage = shortage ?? error
        }
        (group, byteCount) = ([], 0)
      }
      progress(done + 1, chosen.count)
    }
    return shortage
  }

  private mutating func rewrite(_ numbers: [UInt32]) throws(DSVError) {
    let (batch, copied) = try copy(numbers)
    try replace(copied, by: batch)
    report.rewrittenPackCount += copied.count
  }

  /// Where the disk is too full for the copies of all of them, one after the other: each that goes makes room for the next.
  ///
  /// - Returns: why some were left as they are, if any were.
  private mutating func rewriteWhatFits(_ numbers: [UInt32]) throws(DSVError) -> DSVError? {
    do throws(DSVError) {
      try rewrite(numbers)
      return nil
    } catch {
      guard error.code == .full, !mayHappen else { throw error }
      if numbers.count == 1 {
        report.unfitPackCount += 1
        return error
      }
      var shortage: DSVError?
      for number in numbers { shortage = try rewriteWhatFits([number]) ?? shortage }
      return shortage
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
  ///
  /// Where there are no copies, what is dead leaves the index in as many steps as the disk has room for.
  private mutating func replace(_ numbers: [UInt32], by batch: SessionBatch) throws(DSVError) {
    guard !numbers.isEmpty || !batch.isEmpty else { return }
    try store.keys?.add(batch.packs.compactMap(\.sealer))
    let dead = deadCommits + deadDependents + numbers.flatMap { packs[$0]?.dead ?? [] }
    var done = 0
    var step = max(1, dead.count)
    repeat {
      let ids = Array(dead[done...].prefix(step))
      do throws(DSVError) {
        try change(numbers, by: batch, deleting: ids, isFirst: done == 0)
        done += ids.count
        report.deletedObjectCount += ids.count
      } catch {
        guard error.code == .full, batch.isEmpty, step > 1, !mayHappen else { throw error }
        step = (step + 1) / 2
      }
    } while done < dead.count
    (deadCommits, deadDependents) = ([], [])
    for pack in batch.packs { report.freedByteCount -= try pack.file.byteCount() }
    try remove(numbers)
  }

  /// One transaction of the index.
  ///
  /// - Parameter isFirst: whether the reflog is to say first which commits are deleted.
  private mutating func change(
    _ numbers: [UInt32], by batch: SessionBatch, deleting ids: [AnyID], isFirst: Bool
  ) throws(DSVError) {
    var change = IndexChange()
    change.state = try store.index.state
    change.placed = batch.places(bufferPack: 0, bufferOffset: 0)
    change.deleted = ids
    let old = change.state
    change.state.lastPack = ([change.state.lastPack] + batch.packs.map(\.number) + numbers).max() ?? 0
    do throws(DSVError) {
      if isFirst { change.state.reflogByteCount = try remember(change.state) }
      if numbers.contains(change.state.openPack) { change.state.openPack = 0 }
      try store.commit(change)
    } catch {
      // A reflog that says more than the index has whoever comes next make that anew, for which a full disk has no room.
      if store.withdraw(old, to: old) { try batch.discard(store.folder) } else { mayHappen = true }
      throw error
    }
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
