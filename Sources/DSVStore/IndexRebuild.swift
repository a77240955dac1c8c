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
    var places: [AnyID: Place] = [:]
    for number in try folder.packNumbers() {
      change.state.lastPack = number
      try scan(number, into: &places)
    }
    change.placed = places.map { ($0.key, $0.value) }
    let reflog = try ReflogFile(path: folder.reflog).read()
    for range in reflog.damaged { note("\(folder.reflog): bytes \(range) hold no good record") }
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

  private func scan(_ number: UInt32, into places: inout [AnyID: Place]) throws(DSVError) {
    let file = try File(folder.pack(number), .read)
    // Who writes a pack of its own holds its lock, and will index it.
    guard try file.tryLock(.shared) else { return }
    var scanner = try PackScanner(number, file)
    while let finding = try scanner.read() {
      switch finding {
      case .record(let id, let place, _): places[id] = place
      case .damage(let range): note("\(file.path): bytes \(range) hold no good record")
      }
    }
  }
}
