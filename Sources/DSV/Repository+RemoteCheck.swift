public import DSVFormat
import DSVRemote
import DSVStore

/// What a check of a remote found, and what a repair did.
public struct RemoteCheckResult: Sendable {
  /// A pack of the remote that is not what it should be.
  public struct Pack: Sendable, Hashable {
    /// What it is called there: `packs/….pack`.
    public let key: String
    /// What is wrong with it.
    public let problem: String
    /// How many of its objects cannot be had from it.
    public let objectCount: Int
  }

  public let remote: String
  /// What was read back.
  public internal(set) var packCount = 0
  public internal(set) var objectCount = 0
  public internal(set) var byteCount = 0
  /// Packs that were damaged or gone, in the order of the log.
  public internal(set) var damaged: [Pack] = []
  /// How many objects the remote's branches and tags need that none of its packs is said to hold.
  public internal(set) var missingCount = 0
  /// Objects that are whole neither there nor here: damaged or missing, or over such a one.
  public internal(set) var lost: [AnyID] = []

  /// Objects that only this repository has whole and that a repair did not put: nothing leads to them that this repository knew of
  /// the remote before. A fetch makes it known.
  public internal(set) var withheld: [AnyID] = []

  /// Packs that a repair gave up, and those that it wrote in their place.
  public internal(set) var condemnedPackCount = 0
  public internal(set) var writtenPackCount = 0
  public internal(set) var writtenObjectCount = 0
  /// Indexes of packs that it wrote anew from the packs.
  public internal(set) var restoredIndexCount = 0

  init(remote: String) { self.remote = remote }

  /// Whether the remote had all that it should have as it was looked at.
  public var isWhole: Bool { damaged.isEmpty && missingCount == 0 && lost.isEmpty }

  /// What both found, where the other one was done after this one: what is lost in the end, and all else together.
  func followed(by other: RemoteCheckResult) -> RemoteCheckResult {
    var result = self
    result.damaged += other.damaged
    result.missingCount = max(missingCount, other.missingCount)
    (result.lost, result.withheld) = (other.lost, other.withheld)
    result.condemnedPackCount += other.condemnedPackCount
    result.writtenPackCount += other.writtenPackCount
    result.writtenObjectCount += other.writtenObjectCount
    result.restoredIndexCount += other.restoredIndexCount
    return result
  }

  /// Whether a repair changed anything.
  var hasChanged: Bool { condemnedPackCount + writtenPackCount + restoredIndexCount > 0 }
}

extension Repository {
  /// Reads back every pack of a remote, recomputes the ID of each object in it, and looks whether all is there that the remote's branches and
  /// tags need. What is damaged or gone is told by name.
  ///
  /// With `repairs`, objects of packs that are damaged or gone are put anew, in packs of their own, from here or from where else the remote
  /// has them whole; the damaged packs are given up in the remote's log, as ``collectRemoteGarbage(_:keepDays:progress:)`` does. So
  /// other clones go on. What is whole nowhere is told, and can be put by a repair from a repository that has it. What no branch or tag
  /// leads to is no loss. What versions here need that the remote has given up is brought back to the disk. To a plain remote
  /// nothing is shown that is only here, unless it was known to be there before, see ``RemoteCheckResult/withheld``.
  ///
  /// Memory: some 200 MB of packs as dsv writes them, and 1 GB at most, whatever the remote says of their lengths; 100 bytes an object,
  /// and 300 for each of packs that are damaged or given up.
  /// - Parameter name: the remote; `nil` for `origin` or the only one.
  /// - Throws: `notFound` if nothing was ever pushed there; `io` and others if it cannot be read; `badInput` if it is to be repaired and can
  ///   only be read.
  public func checkRemote(
    _ name: String? = nil, repairs: Bool = false, progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> RemoteCheckResult {
    let remote = try openRemote(name)
    if repairs, let reason = remote.config.readOnlyReason {
      throw DSVError(.badInput, "remote '\(remote.name)' can only be read: \(reason)")
    }
    let lease = try store.lease()
    defer { withExtendedLifetime(lease) {} }
    // Before anything is asked: what the remote says from now on shows it nothing that is only here.
    let known = try knownTips(of: remote)
    var done: RemoteCheckResult?
    for _ in 0..<Push.attemptCountMax {
      guard try remote.readOn(isPushing: repairs, isForgiving: true) else {
        throw DSVError(.notFound, "\(remote.config.address.url): nothing was pushed there yet")
      }
      try bringBack(remote, progress)
      let position = try remote.catalogue.position
      let inspection = try RemoteInspection(self, remote, progress)
      if !inspection.isWhole, try isOvertaken(inspection, remote, at: position) { continue }
      var repair = try RemoteRepair(self, remote, inspection, at: position, known: known, progress)
      if !repairs || inspection.isWhole {
        try repair.findLost()
        return done?.followed(by: repair.result) ?? repair.result
      }
      guard try repair.run() else { continue }
      let isAgain = done != nil
      done = done?.followed(by: repair.result) ?? repair.result
      // What builds on what lay in packs of which nothing was known was not looked at.
      if let done, !(inspection.isLacking || isAgain) || !repair.result.hasChanged { return done }
    }
    if let done { return done }
    throw DSVError(.busy, "others kept changing '\(remote.name)' first; try again")
  }

  /// The commits that a remote's branches and tags were at when they were last looked at.
  private func knownTips(of remote: OpenRemote) throws(DSVError) -> Set<CommitID> {
    var tips: Set<CommitID> = []
    for (_, target) in try store.refs(prefix: RefName.remote(remote.name)) {
      if case .commit(let commit) = target { tips.insert(commit) }
    }
    return tips
  }

  /// Whether somebody cleaned the remote up while it was looked at, so that what was found to be gone was given up.
  private func isOvertaken(
    _ inspection: RemoteInspection, _ remote: OpenRemote, at position: LogPosition
  ) throws(DSVError) -> Bool {
    // Another process may have read on.
    if try remote.catalogue.position != position { return true }
    try remote.readOn(isForgiving: true)
    for id in inspection.packs {
      guard let pack = try remote.catalogue.pack(id), pack.condemnedTime == nil else { return true }
    }
    return false
  }
}
