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

  /// Packs that a repair gave up, and those that it wrote in their place.
  public internal(set) var condemnedPackCount = 0
  public internal(set) var writtenPackCount = 0
  public internal(set) var writtenObjectCount = 0
  /// Indexes of packs that it wrote anew from the packs.
  public internal(set) var restoredIndexCount = 0

  init(remote: String) { self.remote = remote }

  /// Whether the remote had all that it should have as it was looked at.
  public var isWhole: Bool { damaged.isEmpty && missingCount == 0 && lost.isEmpty }
}

extension Repository {
  /// Reads back every pack of a remote, recomputes the ID of each object in it, and looks whether all is there that the remote's branches and
  /// tags need. What is damaged or gone is told by name.
  ///
  /// With `repairs`, objects of packs that are damaged or gone are put anew, in packs of their own, from here or from where else the remote
  /// has them whole; the damaged packs are given up in the remote's log, as ``collectRemoteGarbage(_:keepDays:progress:)`` does. So
  /// other clones go on. What is whole nowhere is told, and can be put by a repair from a repository that has it. Memory: some 150 MB, and
  /// 50 bytes an object.
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
    for _ in 0..<Push.attemptCountMax {
      guard try remote.readOn(isPushing: repairs, isForgiving: true) else {
        throw DSVError(.notFound, "\(remote.config.address.url): nothing was pushed there yet")
      }
      let position = try remote.catalogue.position
      let inspection = try RemoteInspection(self, remote, progress)
      var repair = try RemoteRepair(self, remote, inspection, at: position, progress)
      if !repairs || inspection.isWhole {
        try repair.findLost()
        return repair.result
      }
      if try repair.run() { return repair.result }
    }
    throw DSVError(.busy, "others kept changing '\(remote.name)' first; try again")
  }
}
