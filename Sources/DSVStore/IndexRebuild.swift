import DSVFormat
import DSVSystem

/// Makes the index anew from packs and reflog. To be run with the writer's lock held.
struct IndexRebuild {
  let folder: RepositoryFolder
  let note: @Sendable (String) -> Void

  /// A crash on the way leaves the old index, or none, and then the next open begins again.
  func run() throws(DSVError) {
    let change = try collect()
    try FileSystem.removeTree(folder.newIndex)
    try Index.create(folder.newIndex, change)
    // The new index counts its transactions anew: beside the old one's stamp it would look older than it was.
    try FileSystem.remove(folder.stamp)
    if try FileSystem.exists(folder.index) {
      try FileSystem.removeTree(folder.damagedIndex)
      try FileSystem.rename(folder.index, to: folder.damagedIndex)
    }
    try FileSystem.rename(folder.newIndex, to: folder.index)
    try FileSystem.syncFolder(folder.root)
    IndexGuard(folder: folder, note: note).stamp()
  }

  /// Everything that packs and reflog say.
  private func collect() throws(DSVError) -> IndexChange {
    var change = IndexChange()
    let reflog = try ReflogFile(path: folder.reflog).read()
    for range in reflog.damaged { note("\(folder.reflog): bytes \(range) hold no good record") }
    var found = Found(reflog.records.compactMap(\.collected))
    // Where the last packs are gone: what is written now must not look as if gc had seen it.
    change.state.lastPack = reflog.records.compactMap(\.collected?.lastPack).max() ?? 0
    for number in try folder.packNumbers() {
      change.state.lastPack = max(change.state.lastPack, number)
      try scan(number, into: &found)
    }
    found.dropBaseless(note)
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
    while let finding = try scanner.read() {
      switch finding {
      case .record(let id, let place, let object): found.take(id, place, object.base)
      case .damage(let range): note("\(file.path): bytes \(range) hold no good record")
      }
    }
  }
}

/// The records that an index made anew is to point at.
private struct Found {
  private(set) var places: [AnyID: Place] = [:]
  private var bases: [AnyID: AnyID] = [:]
  /// By commit, the last gc that has deleted it.
  private var collected: [AnyID: CollectedCommits] = [:]

  init(_ collections: [CollectedCommits]) {
    for collection in collections {
      var bounds = collection
      bounds.commits = []
      for commit in collection.commits { collected[AnyID(commit)] = bounds }
    }
  }

  /// Of several records of one object, the one with the fewest bases counts, and of those the last.
  ///
  /// Every record was written when its base had fewer bases than it. So whichever records are chosen so, bases form no
  /// cycle, although what gc left behind may name each other. Commits that gc has deleted stay deleted.
  mutating func take(_ id: AnyID, _ place: Place, _ base: ObjectBase?) {
    if place.kind == .commit, collected[id]?.hasSeen(place) == true { return }
    if let known = places[id], known.baseDepth < place.baseDepth { return }
    places[id] = place
    bases[id] = base?.id
  }

  /// Leaves out objects whose base is not there: if they are committed again, they have to be written again.
  ///
  /// gc leaves such records behind, so this is no damage by itself.
  mutating func dropBaseless(_ note: (String) -> Void) {
    var count = 0
    while true {
      let baseless = bases.filter { id, base in
        guard let place = places[id], let basePlace = places[base] else { return true }
        return basePlace.baseDepth >= place.baseDepth
      }
      if baseless.isEmpty { break }
      for id in baseless.keys {
        places[id] = nil
        bases[id] = nil
      }
      count += baseless.count
    }
    if count > 0 { note("\(count) records build on objects that are not there; they are left out") }
  }
}
