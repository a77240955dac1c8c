import DSVFormat
import DSVRemote
import DSVStore

/// Tells what remotes verifiably hold: in a pack that lies in the bucket with its full length now, and that was read back
/// once. For one thread.
final class HeldObjects {
  private let remotes: [Remote]
  private let folder: TierFolder
  private let note: @Sendable (String) -> Void
  private let progress: ProgressHandler
  /// Packs that were read back in earlier times, and now.
  private var verified: Set<String>
  private var new: Set<String> = []
  private var bad: Set<String> = []
  /// Of each remote that can be reached: its packs.
  private var listed: [String: [String: Int]] = [:]
  /// Whether a pack that was never read back is read now.
  var mayVerify = true
  private(set) var verifiedByteCount = 0
  /// Why something is not held, in words; the first few.
  private(set) var problems: [String] = []

  init(
    _ remotes: [Remote], _ folder: TierFolder, note: @escaping @Sendable (String) -> Void,
    progress: @escaping ProgressHandler
  ) throws(DSVError) {
    (self.remotes, self.folder, self.note, self.progress) = (remotes, folder, note, progress)
    verified = try folder.verified()
    for remote in remotes {
      do throws(DSVError) { listed[remote.name] = try PackVerification(remote).listed() } catch {
        add("remote '\(remote.name)': \(error.message)")
      }
    }
  }

  /// Remembers what was read back.
  func save() throws(DSVError) {
    try folder.addVerified(new)
    new = []
  }

  /// Whether a remote, that of this name if one is given, verifiably holds an object.
  func holds(_ id: AnyID, _ name: String?) throws(DSVError) -> Bool {
    for remote in remotes where name == nil || remote.name == name {
      guard let place = try remote.places.place(of: id), let pack = try remote.places.pack(place.pack) else {
        continue
      }
      if try isGood(pack, of: remote) { return true }
    }
    return false
  }

  private func isGood(_ pack: RemotePack, of remote: Remote) throws(DSVError) -> Bool {
    let line = "\(remote.name) \(pack.name) \(pack.byteCount)"
    guard !bad.contains(line), let packs = listed[remote.name] else { return false }
    guard packs[pack.key] == pack.byteCount else {
      bad.insert(line)
      let what = packs[pack.key].map { "it has \($0) bytes, not \(pack.byteCount)" } ?? "it is gone"
      add("remote '\(remote.name)', \(pack.key): \(what)")
      return false
    }
    if verified.contains(line) { return true }
    guard mayVerify else { return false }
    try progress(
      Progress(phase: "reading back \(remote.name)", done: verifiedByteCount, total: nil, unit: .bytes))
    var problem: String?
    do throws(DSVError) { problem = try PackVerification(remote).problem(pack) } catch {
      guard error.code != .interrupted else { throw error }
      problem = error.message
    }
    if let problem {
      bad.insert(line)
      add("remote '\(remote.name)', \(pack.key): \(problem)")
      return false
    }
    verifiedByteCount += pack.byteCount
    verified.insert(line)
    new.insert(line)
    return true
  }

  private func add(_ problem: String) {
    problems.append(problem)
    note("\(problem); what only it holds stays on the disk")
  }
}
