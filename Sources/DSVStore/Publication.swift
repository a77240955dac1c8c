package import DSVFormat
import DSVSystem

/// A publication being decided: shows the refs as they are now, and takes what is to change.
///
/// Lives only while ``WriteSession/publish(_:)`` runs its closure.
package final class Publication {
  private let session: WriteSession
  private(set) var state: IndexState
  private(set) var moves: [ReflogRecord.Move] = []
  private(set) var numbered: [ReflogRecord.Numbered] = []
  /// What the staged moves make of the refs.
  private var staged: [String: RefTarget?] = [:]

  init(_ session: WriteSession, state: IndexState) {
    self.session = session
    self.state = state
  }

  var isEmpty: Bool { moves.isEmpty && numbered.isEmpty }

  /// The ref as it is now, staged moves included.
  package func ref(_ name: String) throws(DSVError) -> RefTarget? {
    if let target = staged[name] { return target }
    return try session.store.ref(name)
  }

  /// The refs whose names begin with `prefix`, in order, staged moves included.
  package func refs(prefix: String) throws(DSVError) -> [(String, RefTarget)] {
    var refs: [String: RefTarget] = [:]
    for (name, target) in try session.store.refs(prefix: prefix) { refs[name] = target }
    for (name, target) in staged where name.hasPrefix(prefix) { refs[name] = target }
    return refs.sorted { Array($0.key.utf8).lexicographicallyPrecedes(Array($1.key.utf8)) }
      .map { ($0.key, $0.value) }
  }

  /// Stages a move.
  ///
  /// - Throws: `.conflict` if the ref is not what `move` expects. The publication then goes no further unless
  ///   the closure catches this.
  package func move(_ move: RefMove) throws(DSVError) {
    try checkRefName(move.name)
    if case .symbolic(let name)? = move.new { try checkRefName(name) }
    let old = try ref(move.name)
    let isExpected =
      switch move.expected {
      case .anything: true
      case .nothing: old == nil
      case .target(let target): old == target
      }
    guard isExpected else {
      throw DSVError(.conflict, "ref \(move.name): it was moved meanwhile; read it again")
    }
    guard old != move.new else { return }
    staged[move.name] = .some(move.new)
    moves.append(ReflogRecord.Move(name: move.name, old: old, new: move.new, action: move.action))
  }

  /// The version number of a commit: the one that it has, or else the next one, which it now gets.
  package func number(_ commit: CommitID) throws(DSVError) -> Int {
    if let one = numbered.first(where: { $0.commit == commit }) { return one.number }
    if let number = try session.store.number(of: commit) { return number }
    guard state.lastVersion < UInt32.max - 1 else { throw DSVError(.full, "all version numbers are given") }
    state.lastVersion += 1
    numbered.append(ReflogRecord.Numbered(number: state.lastVersion, commit: commit))
    return state.lastVersion
  }

  /// As ``number(_:)``, but a commit without one gets `wanted`, or the next one where that is given already. Numbers that are left
  /// out are nobody's.
  package func number(_ commit: CommitID, wanted: Int) throws(DSVError) -> Int {
    if try session.store.number(of: commit) == nil, !numbered.contains(where: { $0.commit == commit }) {
      guard wanted < Int(UInt32.max) else { throw DSVError(.full, "version numbers end before \(wanted)") }
      state.lastVersion = max(state.lastVersion, wanted - 1)
    }
    return try number(commit)
  }

  /// The version number that the next commit without one will get.
  package var nextNumber: Int { state.lastVersion + 1 }

  /// What the reflog is to keep; `nil` if no ref moves and nothing is numbered.
  var reflogRecord: ReflogRecord? {
    isEmpty ? nil : ReflogRecord(time: Clock.secondsSince1970(), numbered: numbered, moves: moves)
  }

  /// What the index is to change, but for the objects.
  func indexChange(_ state: IndexState) -> IndexChange {
    var change = IndexChange()
    change.refs = staged.map { ($0.key, $0.value) }
    change.numbered = numbered
    change.state = state
    return change
  }
}
