import DSVColumns
public import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTables
import DSVVersions

/// What leaving this disk came to.
public struct TierResult: Sendable {
  /// Objects that are not on the disk any more, and what they took in packs.
  public internal(set) var objectCount = 0
  public internal(set) var byteCount = 0
  /// Objects that would have gone, if a remote verifiably held them.
  public internal(set) var refusedCount = 0
  public internal(set) var refusedByteCount = 0
  /// What was read back from remotes to be sure of them.
  public internal(set) var verifiedByteCount = 0
  /// How much shorter the repository's files are.
  public internal(set) var freedByteCount = 0
  /// Why nothing left the disk, in words; `nil` if something did, or would if a remote held it.
  public internal(set) var reason: String?
  /// By how much the repository is larger than the disk's budget all the same; 0 if it is not.
  public internal(set) var overBudgetByteCount = 0
  /// Why remotes were not believed, in words.
  public internal(set) var problems: [String] = []
}

extension Repository {
  // MARK: - Settings

  public func tierSettings() throws(DSVError) -> TierSettings { try TierFolder(store).settings() }

  /// Sets what lies where, and how much tiers may take. Does not move anything: see ``applyTiers(progress:)``.
  ///
  /// A table or column that no branch or tag has is told by the options' `note`, and no mistake: a policy may be set before the rows come.
  /// - Throws: `notFound` if a policy that was not set before names a version or remote that is not there.
  public func setTiers(_ settings: TierSettings) throws(DSVError) {
    _ = try TierVersions(self, settings.policy)
    if try settings.policy != tierSettings().policy { try checkNames(settings.policy) }
    try TierFolder(store).write(settings)
  }

  private func checkNames(_ policy: TierPolicy) throws(DSVError) {
    for case .remote(let name?) in policy.rules.map(\.placement)
    where !remoteTiers.contains(where: { $0.name == name }) {
      // What is not attached may be set all the same.
      _ = try remoteName(name)
    }
    let (tables, columns) = (policy.rules.compactMap(\.table), policy.rules.compactMap(\.column))
    if tables.isEmpty, columns.isEmpty { return }
    var known: [Table] = []
    for (_, target) in try store.refs() {
      if case .commit(let id) = target { known += try snapshot(id).tables }
    }
    let paths = known.flatMap(\.columnPaths)
    for (what, names, there) in [("table", tables, known.map(\.name)), ("column", columns, paths)] {
      for name in names where !there.contains(where: { $0.hasSameBytes(as: name) }) {
        options.note(
          "policy: no branch or tag has a \(what) '\(name)', so nothing is moved by that rule for now; \(Self.list(there))"
        )
      }
    }
  }

  // MARK: - Moving

  /// Takes off this disk what the policy says, and what the disk's budget has no room for, as far as remotes verifiably hold it.
  ///
  /// - Throws: `busy` if somebody keeps reading or writing for a minute.
  @discardableResult
  public func applyTiers(progress: @escaping ProgressHandler = { _ in }) throws(DSVError) -> TierResult {
    try applyTiers(garbageShareMin: 0.25, progress)
  }

  /// - Parameter garbageShareMin: which share of a pack must be dead for it to be rewritten; a disk that is over its budget
  ///   has every pack rewritten that holds something dead.
  @discardableResult
  package func applyTiers(
    garbageShareMin: Double, _ progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> TierResult {
    let settings = try tierSettings()
    let files = try store.byteCount
    let isOver = settings.diskByteCount.map { files > $0 } ?? false
    var result = try demote(garbageShareMin: isOver ? 0 : garbageShareMin, 60, progress) {
      (plan, here, _) throws(DSVError) in
      let versions = try TierVersions(self, settings.policy)
      try plan.place(versions.commits, here) { commit, table, column in
        versions.placement(commit, table.name, column)
      }
      if let most = settings.diskByteCount {
        if settings.policy.rules.contains(where: { $0.placement == .disk }) {
          try plan.hold(versions.commits, here) { commit, table, column in
            versions.rule(commit, table.name, column) == .disk ? .disk : .remote(nil)
          }
        }
        try plan.fit(
          most, otherByteCount: max(0, files - (try store.recordByteCount)),
          promoted: try TierFolder(store).promoted())
      }
    }
    if let most = settings.diskByteCount { result.overBudgetByteCount = max(0, try store.byteCount - most) }
    if result.reason != nil {
      result.reason =
        settings.isEmpty
        ? "neither a policy nor a budget is set" : "nothing is on this disk that is to be elsewhere"
    }
    return result
  }

  /// As ``applyTiers(progress:)``, where something is set; what keeps it from being done is told and left to the next time.
  func applyTiersIfAny() {
    do throws(DSVError) {
      if try !tierSettings().isEmpty, !remoteTiers.isEmpty { try applyTiers() }
    } catch { options.note("what the tiers' policy says is left to the next time: \(error.message)") }
  }

  /// Takes off this disk what only these versions need, as far as remotes verifiably hold it.
  ///
  /// - Throws: `busy` if somebody keeps reading or writing for a minute; `badInput` without a remote.
  @discardableResult
  public func demote(
    _ commits: [CommitID], progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> TierResult {
    try demote(commits, waitSeconds: 60, progress: progress)
  }

  /// - Parameter waitSeconds: how long those who read or write are waited for.
  @discardableResult
  package func demote(
    _ commits: [CommitID], waitSeconds: Double, progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> TierResult {
    let chosen = Set(commits)
    return try demote(garbageShareMin: 0, waitSeconds, progress) { (plan, here, _) throws(DSVError) in
      try plan.place(try TierVersions(self, .none).commits, here) { commit, _, _ in
        chosen.contains(commit) ? .remote(nil) : .disk
      }
    }
  }

  /// - Parameter verifiedByteCountMax: how much is read back from remotes.
  func demote(
    garbageShareMin: Double, _ waitSeconds: Double, _ progress: @escaping ProgressHandler,
    verifiedByteCountMax: Int = .max,
    _ decide: (inout TierPlan, VersionReader, HeldObjects) throws(DSVError) -> Void
  ) throws(DSVError) -> TierResult {
    guard !remoteTiers.isEmpty else {
      throw DSVError(
        .badInput, "there is no remote that could hold what leaves this disk; see 'dsv remote add'")
    }
    (store.source as? RemoteSource)?.close()
    var reaches: [String: RemoteReach] = [:]
    for remote in remoteTiers {
      do throws(DSVError) {
        reaches[remote.name] = try RemoteReach(self, remote)
        // That has read the log on.
        if try hasRemote(remote.name) { try bringBack(try openRemote(remote.name), progress) }
      } catch {
        guard error.code != .interrupted else { throw error }
        options.note("remote '\(remote.name)': \(error.message)")
      }
    }
    let held = HeldObjects(
      remoteTiers, store.naming, reaches, note: options.note, progress: progress)
    held.verifiedByteCountMax = verifiedByteCountMax
    try readBack(held, decide)
    return try collect(held, garbageShareMin, waitSeconds, decide)
  }

  /// Reads back what must be sure. It takes long, and nobody has to wait for it: what is decided here is decided again.
  private func readBack(
    _ held: HeldObjects, _ decide: (inout TierPlan, VersionReader, HeldObjects) throws(DSVError) -> Void
  ) throws(DSVError) {
    let lease = try store.lease()
    defer { withExtendedLifetime(lease) {} }
    var plan = try TierPlan(store, versionsHere, held)
    try decide(&plan, versionsHere, held)
  }

  private func collect(
    _ held: HeldObjects, _ garbageShareMin: Double, _ waitSeconds: Double,
    _ decide: (inout TierPlan, VersionReader, HeldObjects) throws(DSVError) -> Void
  ) throws(DSVError) -> TierResult {
    held.mayVerify = false
    var result = TierResult()
    let report = try store.collectGarbage(garbageShareMin: garbageShareMin, waitSeconds: waitSeconds) {
      () throws(DSVError) in
      var plan = try TierPlan(store, versionsHere, held)
      try decide(&plan, versionsHere, held)
      let dead = plan.dead
      // From here on remotes hold what is nowhere here.
      if !dead.isEmpty { try TierFolder(store).markDemoted() }
      (result.objectCount, result.byteCount) = (dead.count, plan.deadByteCount)
      (result.refusedCount, result.refusedByteCount) = (plan.refusedCount, plan.refusedByteCount)
      if dead.isEmpty, plan.refusedCount == 0 {
        result.reason =
          plan.hasLeft
          ? "what only these versions need has left this disk before"
          : "all that these versions have on this disk other versions need too: name those as well"
      }
      return { !dead.contains($0) }
    }
    result.freedByteCount = report.freedByteCount
    (result.verifiedByteCount, result.problems) = (held.verifiedByteCount, held.problems)
    let folder = TierFolder(store)
    var left = Set<UInt64>()
    try store.forEachObject { (id, _) throws(DSVError) in left.insert(id.w0) }
    try folder.forgetPromoted { left.contains($0) }
    try folder.add(["disk.evictions": result.objectCount])
    return result
  }

  /// Fetches all that these versions need and that is not on this disk, durably.
  ///
  /// - Returns: how many objects came, and how many bytes they take in packs.
  /// - Throws: `full` if the disk's budget has no room for them.
  @discardableResult
  public func promote(
    _ commits: [CommitID], progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> (objectCount: Int, byteCount: Int) {
    guard let source = store.source as? RemoteSource else { return (0, 0) }
    let before = source.counts
    let lease = try store.lease()
    var walk = PromotionWalk(
      reader, store, fetchedByteCount: { source.counts.promotedByteCount - before.promotedByteCount },
      progress)
    for commit in commits {
      for table in try snapshot(commit).tables { for column in table.columns { try walk.add(column) } }
    }
    source.close()
    for id in walk.fetched where try !store.contains(id) {
      throw DSVError(
        .full, "object \(id) was fetched and is not on the disk: the tiers' budget, or the disk, is full")
    }
    withExtendedLifetime(lease) {}
    let now = source.counts
    return (
      now.promotedCount - before.promotedCount, now.promotedByteCount - before.promotedByteCount
    )
  }
}
