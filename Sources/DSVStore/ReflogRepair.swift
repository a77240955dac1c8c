import DSVFormat
import DSVSystem

/// Writes a damaged reflog anew from what of it is good and from an index that is: an index that was made from the damaged one
/// would have lost versions, branches and tags. To be run with the writer's lock held.
struct ReflogRepair {
  /// So many versions go into one record, whose length is bounded.
  private static let numberedCountMax = 1 << 17

  let reflog: ReflogFile
  let index: Index
  let note: @Sendable (String) -> Void

  /// Does nothing where all of the reflog is good and there that the index relies on.
  ///
  /// - Throws: `corrupt` if the index cannot be read either.
  func run() throws(DSVError) {
    let state = try index.state
    let content = try reflog.read()
    let byteCount = try FileSystem.status(reflog.path)?.byteCount ?? 0
    let known = try reflog.read(limit: state.reflogByteCount)
    let isDamaged = !known.damaged.isEmpty || byteCount < state.reflogByteCount
    let missing = try missing(after: content.records, state)
    // No index makes up a version or a name: a reflog that does not have one was lost, and begun again.
    let isLacking = missing.contains { !$0.numbered.isEmpty || $0.moves.contains { $0.old == nil } }
    guard isDamaged || isLacking else { return }
    var bytes = ReflogRecord.fileHeader
    for record in content.records + missing { bytes += reflog.bytes(of: record, at: bytes.count) }
    try FileSystem.replace(reflog.path, with: bytes)
    note("\(reflog.path): it lacked something, and is written anew with what the index knows")
  }

  /// What the index says and these records do not.
  private func missing(
    after records: [ReflogRecord], _ state: IndexState
  ) throws(DSVError) -> [ReflogRecord] {
    var refs: [String: RefTarget] = [:]
    var numbered: [Int: CommitID] = [:]
    for record in records {
      for move in record.moves { refs[move.name] = move.new }
      for one in record.numbered { numbered[one.number] = one.commit }
    }
    var moves: [ReflogRecord.Move] = []
    for (name, target) in try index.refs(prefix: "") {
      let old = refs.removeValue(forKey: name)
      if old != target { moves.append(.init(name: name, old: old, new: target, action: "repair")) }
    }
    for (name, old) in refs.sorted(by: { $0.key < $1.key }) {
      moves.append(.init(name: name, old: old, new: nil, action: "repair"))
    }
    var new: [ReflogRecord.Numbered] = []
    var collected: [CommitID] = []
    for number in stride(from: 1, through: state.lastVersion, by: 1) {
      guard let commit = try index.commit(number: number) else { continue }
      if numbered[number] == nil { new.append(.init(number: number, commit: commit)) }
      if try index.place(of: AnyID(commit)) == nil { collected.append(commit) }
    }
    return Self.records(new, moves, collected, state)
  }

  private static func records(
    _ numbered: [ReflogRecord.Numbered], _ moves: [ReflogRecord.Move], _ collected: [CommitID],
    _ state: IndexState
  ) -> [ReflogRecord] {
    let time = Clock.secondsSince1970()
    var records: [ReflogRecord] = []
    for start in stride(from: 0, to: numbered.count, by: numberedCountMax) {
      let part = Array(numbered[start...].prefix(numberedCountMax))
      records.append(ReflogRecord(time: time, numbered: part, moves: []))
    }
    for start in stride(from: 0, to: collected.count, by: CollectedCommits.countMax) {
      let part = Array(collected[start...].prefix(CollectedCommits.countMax))
      records.append(
        ReflogRecord(time: time, numbered: [], moves: [], collected: CollectedCommits(part, state)))
    }
    // Names are short, but there may be many.
    for start in stride(from: 0, to: moves.count, by: 1 << 12) {
      records.append(ReflogRecord(time: time, numbered: [], moves: Array(moves[start...].prefix(1 << 12))))
    }
    return records
  }
}
