import DSVFormat
import DSVRemote
import DSVStore

/// Tells what remotes verifiably hold: in a pack that lies in the bucket with its full length now, and that was read back
/// once. For one thread.
final class HeldObjects {
  private let remotes: [RemoteTier]
  /// Of each remote that can be reached: what its branches and tags lead to now.
  private let reaches: [String: RemoteReach]
  private let note: @Sendable (String) -> Void
  private let progress: ProgressHandler
  /// Packs that were found to be good, and not to be.
  private var good: Set<PackID> = []
  private var bad: Set<PackID> = []
  /// Of each remote that can be reached: its packs.
  private var listed: [String: [String: Int]] = [:]
  /// Whether a pack that was never read back is read now.
  var mayVerify = true
  private(set) var verifiedByteCount = 0
  /// Why something is not held, in words; the first few.
  private(set) var problems: [String] = []

  init(
    _ remotes: [RemoteTier], _ reaches: [String: RemoteReach], note: @escaping @Sendable (String) -> Void,
    progress: @escaping ProgressHandler
  ) {
    (self.remotes, self.reaches, self.note, self.progress) = (remotes, reaches, note, progress)
    for remote in remotes {
      do throws(DSVError) { listed[remote.name] = try PackVerification(remote).listed() } catch {
        add("remote '\(remote.name)': \(error.message)")
      }
    }
  }

  /// Whether a remote, that of this name if one is given, verifiably holds an object.
  func holds(_ id: AnyID, _ name: String?) throws(DSVError) -> Bool {
    for remote in remotes where name == nil || remote.name == name {
      guard let reach = reaches[remote.name], reach.keeps(id) else { continue }
      if let place = try remote.places.place(of: id), place.pack.condemnedTime == nil,
        try isGood(place.pack, of: remote)
      {
        return true
      }
    }
    return false
  }

  private func isGood(_ pack: RemotePack, of remote: RemoteTier) throws(DSVError) -> Bool {
    if good.contains(pack.id) { return true }
    guard !bad.contains(pack.id), let packs = listed[remote.name] else { return false }
    guard packs[pack.key] == pack.byteCount else {
      bad.insert(pack.id)
      let what = packs[pack.key].map { "it has \($0) bytes, not \(pack.byteCount)" } ?? "it is gone"
      add("remote '\(remote.name)', \(pack.key): \(what)")
      return false
    }
    if pack.isVerified {
      good.insert(pack.id)
      return true
    }
    guard mayVerify else { return false }
    try progress(
      Progress(phase: "reading back \(remote.name)", done: verifiedByteCount, total: nil, unit: .bytes))
    var problem: String?
    do throws(DSVError) { problem = try PackVerification(remote).problem(pack) } catch {
      guard error.code != .interrupted else { throw error }
      problem = error.message
    }
    if let problem {
      bad.insert(pack.id)
      add("remote '\(remote.name)', \(pack.key): \(problem)")
      return false
    }
    verifiedByteCount += pack.byteCount
    try remote.places.markVerified(pack.id)
    good.insert(pack.id)
    return true
  }

  private func add(_ problem: String) {
    problems.append(problem)
    note("\(problem); what only it holds stays on the disk")
  }
}
