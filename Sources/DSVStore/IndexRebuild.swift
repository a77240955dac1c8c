import DSVFormat
import DSVSystem

/// Makes the index anew from packs and reflog. To be run with the writer's lock held.
struct IndexRebuild {
  let folder: RepositoryFolder
  let keys: StoreKeys?
  let note: @Sendable (String) -> Void

  /// A crash on the way leaves the old index, or none, and then the next open begins again.
  func run() throws(DSVError) {
    try putInPlace(try collect())
  }

  /// Makes an index of what `change` says, and puts it where the old one is.
  func putInPlace(_ change: IndexChange) throws(DSVError) {
    try FileSystem.removeTree(folder.newIndex)
    try Index.create(folder.newIndex, change, keys)
    // The new index counts its transactions anew: beside the old one's stamp it would look older than it was.
    try FileSystem.remove(folder.stamp)
    if try FileSystem.exists(folder.index) {
      try FileSystem.removeTree(folder.damagedIndex)
      try FileSystem.rename(folder.index, to: folder.damagedIndex)
    }
    try FileSystem.rename(folder.newIndex, to: folder.index)
    try FileSystem.syncFolder(folder.root)
    IndexGuard(folder: folder, keys: keys, note: note).stamp()
  }

  /// Everything that packs and reflog say.
  private func collect() throws(DSVError) -> IndexChange {
    var change = IndexChange()
    let reflog = try ReflogFile(path: folder.reflog, keys: keys).read()
    for range in reflog.damaged { note("\(folder.reflog): bytes \(range) hold no good record") }
    var found = Found(reflog.records.compactMap(\.collected))
    // Where the last packs are gone: what is written now must not look as if gc had seen it.
    change.state.lastPack = reflog.records.compactMap(\.collected?.lastPack).max() ?? 0
    for number in try folder.packNumbers() {
      change.state.lastPack = max(change.state.lastPack, number)
      try scan(number, into: &found)
    }
    found.placeBased()
    change.placed = found.places.map { ($0.key, $0.value) }
    var refs: [String: RefTarget?] = [:]
    for record in reflog.records {
      for move in record.moves { refs[move.name] = .some(move.new) }
      change.numbered += record.numbered
      change.state.lastVersion = max(change.state.lastVersion, record.numbered.map(\.number).max() ?? 0)
    }
    change.refs = refs.compactMap { name, target in target.map { (name, $0) } }
    change.state.reflogByteCount = reflog.endOfLastRecord
    return change
  }

  private func scan(_ number: UInt32, into found: inout Found) throws(DSVError) {
    let file = try File(folder.pack(number), .read)
    // Who writes a pack of its own holds its lock, and will index it.
    guard try file.tryLock(.shared) else { return }
    var scanner = try PackScanner(number, file)
    // A pack whose key is not kept was never published, or was given up.
    if let keys, let packID = scanner.packID, try !keys.hasKey(of: packID) {
      note("\(file.path): its key is not there, and so it is left out")
      return
    }
    while let finding = try scanner.read() {
      switch finding {
      case .record(let id, let place, let record):
        // A record of the other sort was put there by somebody who has no key.
        if record.head.isSealed == (keys != nil) { found.take(id, place, record.base) }
      case .damage(let range): note("\(file.path): bytes \(range) hold no good record")
      }
    }
  }
}

/// The records that an index made anew is to point at.
private struct Found {
  private(set) var places: [AnyID: Place] = [:]
  /// Records that build on a base, in the order of the packs.
  private var based: [(id: AnyID, place: Place, base: AnyID)] = []
  /// By commit, the last gc that has deleted it.
  private var collected: [AnyID: CollectedCommits] = [:]

  init(_ collections: [CollectedCommits]) {
    for collection in collections {
      var bounds = collection
      bounds.commits = []
      for commit in collection.commits { collected[AnyID(commit)] = bounds }
    }
  }

  /// Commits that gc has deleted stay deleted.
  mutating func take(_ id: AnyID, _ place: Place, _ base: ObjectBase?) {
    if place.kind == .commit, collected[id]?.hasSeen(place) == true { return }
    if let base { based.append((id, place, base.id)) } else { places[id] = place }
  }

  /// Chooses among the records that build on a base: of several of one object, the one with the fewest bases counts whose
  /// base is there, with fewer bases than it; of those the last.
  ///
  /// So bases form no cycle. A record that gc has left behind without its base says nothing of another one of the same
  /// object, which may build on another base; an object that has no good record has to be written again.
  mutating func placeBased() {
    for depth in 1...ObjectBase.depthMax {
      for (id, place, base) in based where place.baseDepth == depth {
        if let known = places[id], known.baseDepth < depth { continue }
        guard let basePlace = places[base], basePlace.baseDepth < depth else { continue }
        places[id] = place
      }
    }
    based = []
  }
}
