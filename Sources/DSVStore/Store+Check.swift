package import DSVFormat
import DSVSystem

/// Something that a check found.
package struct Problem: Sendable, Equatable, CustomStringConvertible {
  /// The file concerned.
  package let path: String
  /// Where in the file, if it is known.
  package let offset: Int?
  /// The object concerned, if one is.
  package let id: AnyID?
  package let text: String

  package var description: String {
    let place = offset.map { "\(path) at byte \($0)" } ?? path
    return id.map { "object \($0): \(text) (\(place))" } ?? "\(place): \(text)"
  }
}

/// What a check of the packs looked at, and what it found.
package struct CheckReport: Sendable {
  package var problems: [Problem] = []
  package var packCount = 0
  package var recordCount = 0
  package var byteCount = 0
  /// Good records that the index does not point at: copies, and what a crash left. Not a problem; gc sweeps them.
  package var unindexedRecordCount = 0
}

extension Store {
  /// Reads every byte of packs, index and reflog, and compares them with each other. Goes on behind damage.
  ///
  /// Publishing waits while the index is looked at, gc until all is done.
  /// - Parameters:
  ///   - progress: called after each pack with the bytes done and the bytes in all.
  ///   - verify: what is wrong with an object whose record is sound; `nil` if nothing is.
  package func checkPacks(
    progress: (Int, Int) -> Void = { _, _ in }, verify: (AnyID, StoredObject) -> String? = { _, _ in nil }
  ) throws(DSVError) -> CheckReport {
    let lease = try lease()
    defer { withExtendedLifetime(lease) {} }
    var check = PackCheck(store: self)
    try check.checkIndexAndReflog()
    try check.checkPacks(progress, verify)
    try check.checkPlaces()
    return check.report
  }
}

/// One check in progress.
private struct PackCheck {
  /// What a pack's scan found: where good records begin, and the first words of their IDs.
  fileprivate struct Scan {
    var offsets: [Int] = []
    var words: [UInt64] = []
    var damaged: [Range<Int>] = []
    let limit: Int
    /// Whether more may have been appended and published since.
    let isOpen: Bool
  }

  let store: Store
  var report = CheckReport()
  /// How much of each pack was published, and is to be looked at. Packs that are being written are not among them.
  private var limits: [(number: UInt32, limit: Int, isOpen: Bool)] = []
  private var scans: [UInt32: Scan] = [:]
  private var indexIsSound = true

  init(store: Store) { self.store = store }

  private mutating func add(_ path: String, _ offset: Int? = nil, _ id: AnyID? = nil, _ text: String) {
    report.problems.append(Problem(path: path, offset: offset, id: id, text: text))
  }

  /// What can only be looked at while nobody publishes.
  mutating func checkIndexAndReflog() throws(DSVError) {
    let lock = try store.lockWriter()
    defer { withExtendedLifetime(lock) {} }
    var state = IndexState()
    do throws(DSVError) {
      _ = try IndexVerifier.verify(store.folder.indexData)
      try store.index.settle()
      state = try store.index.state
    } catch {
      add(store.folder.indexData, nil, nil, error.message)
      indexIsSound = false
    }
    if indexIsSound { try checkReflog(state) }
    for number in try store.folder.packNumbers() {
      let file = try File(store.folder.pack(number), .read)
      // Who writes a pack of its own holds its lock.
      guard try file.tryLock(.shared) else { continue }
      let byteCount = try file.byteCount()
      let isOpen = indexIsSound && number == state.openPack
      let isShort = isOpen && byteCount < state.openPackByteCount
      if isShort {
        add(file.path, byteCount, nil, "it is shorter than what was published")
      }
      limits.append(
        (number, isOpen ? min(byteCount, state.openPackByteCount) : byteCount, isOpen && !isShort))
    }
  }

  /// The reflog's records, and whether refs and versions are what they say.
  private mutating func checkReflog(_ state: IndexState) throws(DSVError) {
    let path = store.folder.reflog
    let reflog = try store.reflogFile.read(limit: state.reflogByteCount)
    for range in reflog.damaged {
      add(path, range.lowerBound, nil, "\(range.count) bytes hold no good record")
    }
    let byteCount = try FileSystem.status(path)?.byteCount ?? 0
    if byteCount < state.reflogByteCount {
      add(path, byteCount, nil, "it is shorter than what was published")
    }
    guard reflog.damaged.isEmpty, byteCount >= state.reflogByteCount else { return }
    var refs: [String: RefTarget] = [:]
    for record in reflog.records {
      for move in record.moves { refs[move.name] = move.new }
      for one in record.numbered where try store.index.commit(number: one.number) != one.commit {
        add(store.folder.indexData, nil, nil, "version \(one.number) is not the commit that the reflog says")
      }
    }
    let indexed = try store.index.refs(prefix: "")
    for (name, target) in indexed where refs.removeValue(forKey: name) != target {
      add(store.folder.indexData, nil, nil, "ref \(name) is not where the reflog says")
    }
    for name in refs.keys.sorted() { add(store.folder.indexData, nil, nil, "ref \(name) is missing") }
  }

  mutating func checkPacks(
    _ progress: (Int, Int) -> Void, _ verify: (AnyID, StoredObject) -> String?
  ) throws(DSVError) {
    let total = limits.reduce(0) { $0 + $1.limit }
    for (number, limit, isOpen) in limits {
      try scan(number, Scan(limit: limit, isOpen: isOpen), verify)
      report.packCount += 1
      report.byteCount += limit
      progress(report.byteCount, total)
    }
  }

  private mutating func scan(
    _ number: UInt32, _ empty: Scan, _ verify: (AnyID, StoredObject) -> String?
  ) throws(DSVError) {
    let file = try File(store.folder.pack(number), .read)
    var scan = empty
    do throws(DSVError) {
      var scanner = try PackScanner(number, file, limit: scan.limit)
      while let finding = try scanner.read() {
        switch finding {
        case .damage(let range): scan.damaged.append(range)
        case .record(let id, let place, let record):
          report.recordCount += 1
          scan.offsets.append(place.offset)
          scan.words.append(id.w0)
          var isIndexed = true
          if indexIsSound {
            let indexed = try store.index.place(of: id)
            isIndexed = indexed == place
            if let indexed, !isIndexed, indexed.pack == place.pack, indexed.offset == place.offset {
              add(file.path, place.offset, id, "its record says another thing of it than the index")
            }
          }
          // What nobody points at may build on what is gone.
          if isIndexed || record.base == nil, let text = try problem(id, record, number, isIndexed, verify) {
            add(file.path, place.offset, id, text)
          }
          if !isIndexed { report.unindexedRecordCount += 1 }
        }
      }
    } catch {
      guard error.code == .unsupportedFormat || error.code == .corrupt else { throw error }
      add(file.path, nil, nil, error.message)
    }
    scans[number] = scan
  }

  /// What is wrong with a record whose checksum is right.
  private func problem(
    _ id: AnyID, _ record: ScannedRecord, _ number: UInt32, _ isIndexed: Bool,
    _ verify: (AnyID, StoredObject) -> String?
  ) throws(DSVError) -> String? {
    do throws(DSVError) {
      return verify(id, try record.object(try store.packs.sealer(of: number, for: record)))
    } catch {
      guard error.code == .corrupt else { throw error }
      // A pack that was not published before a crash has no key, and nobody needs it.
      return isIndexed ? error.message : nil
    }
  }

  /// Whether each object's place holds its record, and whether damage has hit what is in use.
  mutating func checkPlaces() throws(DSVError) {
    var used = Set<UInt32>()
    var lost: [UInt32: Int] = [:]
    var problems: [Problem] = []
    if indexIsSound {
      let store = store
      let scans = scans
      try store.forEachObject { (id, place) throws(DSVError) in
        used.insert(place.pack)
        let path = store.folder.pack(place.pack)
        guard let scan = scans[place.pack] else {
          if try FileSystem.exists(path) { return }
          problems.append(Problem(path: path, offset: nil, id: id, text: "its pack is gone"))
          return
        }
        // What lies behind the end was published since, unless the file was cut short.
        if scan.holds(id, at: place.offset) || scan.isOpen && place.offset >= scan.limit { return }
        lost[place.pack] = max(lost[place.pack] ?? 0, place.offset)
        problems.append(Problem(path: path, offset: place.offset, id: id, text: "its record is damaged"))
      }
    }
    for (number, scan) in scans.sorted(by: { $0.key < $1.key }) {
      for range in scan.damaged {
        // What a crash left of a record that was never published is at a pack's end, and nobody's.
        let isTail = range.upperBound == scan.limit && range.lowerBound > 0
        if indexIsSound, isTail, (lost[number] ?? -1) < range.lowerBound { continue }
        if indexIsSound, !used.contains(number) { continue }
        add(store.folder.pack(number), range.lowerBound, nil, "\(range.count) bytes hold no good record")
      }
    }
    report.problems += problems
  }
}

extension PackCheck.Scan {
  func holds(_ id: AnyID, at offset: Int) -> Bool {
    var range = offsets.indices
    while let middle = range.isEmpty ? nil : (range.lowerBound + range.upperBound) / 2 {
      if offsets[middle] == offset { return words[middle] == id.w0 }
      range = offsets[middle] < offset ? middle + 1..<range.upperBound : range.lowerBound..<middle
    }
    return false
  }
}
