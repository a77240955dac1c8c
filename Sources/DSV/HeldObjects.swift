import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVVersions

/// Tells what remotes verifiably hold: in a pack that lies in the bucket with its full length now, and that was read back
/// once, as was every pack that it builds on. For one thread.
final class HeldObjects {
  private let remotes: [RemoteTier]
  private let naming: ObjectNaming
  /// Of each remote that can be reached: what its branches and tags lead to now.
  private let reaches: [String: RemoteReach]
  private let note: @Sendable (String) -> Void
  private let progress: ProgressHandler
  /// A pack of a remote: who copies a bucket has the same packs twice.
  private struct Pack: Hashable {
    let remote: String
    let slot: UInt32
  }

  /// Packs that were found to be good, and not to be.
  private var good: Set<Pack> = []
  private var bad: Set<Pack> = []
  /// Packs that were not read back, or build on one that was not, and now are not to be.
  private var unsure: Set<Pack> = []
  /// Of each remote that can be reached: its packs.
  private var listed: [String: [String: Int]] = [:]
  /// Whether a pack that was never read back is read now.
  var mayVerify = true { didSet { unsure = [] } }
  /// How much is read back at most; a pack that was begun is read to its end.
  var verifiedByteCountMax = Int.max
  private(set) var verifiedByteCount = 0
  /// Why something is not held, in words; the first few.
  private(set) var problems: [String] = []

  init(
    _ remotes: [RemoteTier], _ naming: ObjectNaming, _ reaches: [String: RemoteReach],
    note: @escaping @Sendable (String) -> Void, progress: @escaping ProgressHandler
  ) {
    (self.remotes, self.naming, self.reaches) = (remotes, naming, reaches)
    (self.note, self.progress) = (note, progress)
    for remote in remotes {
      do throws(DSVError) { listed[remote.name] = try PackVerification.listed(remote) } catch {
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

  /// Whether a pack, and each that it builds on, lies there and was read back.
  private func isGood(_ pack: RemotePack, of remote: RemoteTier) throws(DSVError) -> Bool {
    func key(_ pack: RemotePack) -> Pack { Pack(remote: remote.name, slot: pack.slot) }
    if good.contains(key(pack)) { return true }
    guard !bad.contains(key(pack)), !unsure.contains(key(pack)), let packs = listed[remote.name] else {
      return false
    }
    var (waiting, seen): ([RemotePack], Set<Pack>) = ([pack], [key(pack)])
    while let next = waiting.popLast() {
      guard packs[next.key] == next.byteCount else {
        let what = packs[next.key].map { "it has \($0) bytes, not \(next.byteCount)" } ?? "it is gone"
        if bad.insert(key(next)).inserted { add("remote '\(remote.name)', \(next.key): \(what)") }
        bad.insert(key(pack))
        return false
      }
      guard let slots = try bases(of: next, remote) else {
        if bad.contains(key(next)) { bad.insert(key(pack)) } else { unsure.insert(key(pack)) }
        return false
      }
      for slot in slots {
        guard let base = try remote.places.pack(slot: slot) else { return false }
        if !good.contains(key(base)), seen.insert(key(base)).inserted { waiting.append(base) }
      }
    }
    good.formUnion(seen)
    return true
  }

  /// The slots of the packs that a pack builds on, which is read back if it never was, or if those are not what they were;
  /// `nil` if it is no good or may not be read.
  private func bases(of pack: RemotePack, _ remote: RemoteTier) throws(DSVError) -> [UInt32]? {
    // Places remember what a pack was as they were looked up.
    let pack = try remote.places.pack(slot: pack.slot) ?? pack
    if let slots = pack.verifiedOver, try areLive(slots, remote) { return slots }
    let key = Pack(remote: remote.name, slot: pack.slot)
    guard mayVerify, verifiedByteCount < verifiedByteCountMax, !bad.contains(key) else { return nil }
    try progress(
      Progress(phase: "reading back \(remote.name)", done: verifiedByteCount, total: nil, unit: .bytes))
    // Nothing that is known here may stand in for what the remote has.
    let cache = ObjectCache(byteCountMax: 16 << 20)
    let verification = PackVerification(remote, naming) { (id, object, store) throws(DSVError) in
      try ObjectCheck(ObjectReader(store, cache: cache, pool: .onCaller)).verify(id, object)
    }
    var outcome = PackVerification.Outcome(problem: nil)
    do throws(DSVError) { outcome = try verification.verify(pack) } catch {
      guard error.code != .interrupted else { throw error }
      outcome = PackVerification.Outcome(problem: error.message)
    }
    if let problem = outcome.problem {
      bad.insert(key)
      add("remote '\(remote.name)', \(pack.key): \(problem)")
      return nil
    }
    verifiedByteCount += pack.byteCount
    let slots = outcome.bases.sorted()
    guard try remote.places.markVerified(pack.id, over: slots) else {
      bad.insert(key)
      add(
        "remote '\(remote.name)', \(pack.key): the remote was moved, or the pack given up, while it was read back"
      )
      return nil
    }
    return slots
  }

  private func areLive(_ slots: [UInt32], _ remote: RemoteTier) throws(DSVError) -> Bool {
    for slot in slots {
      guard let pack = try remote.places.pack(slot: slot), pack.condemnedTime == nil else { return false }
    }
    return true
  }

  private func add(_ problem: String) {
    problems.append(problem)
    note("\(problem); what only it holds stays on the disk")
  }
}
