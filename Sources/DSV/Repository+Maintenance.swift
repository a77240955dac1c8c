import DSVColumns
public import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTables
import DSVVersions
import Synchronization

/// What a check of the whole repository found.
public struct CheckResult: Sendable {
  public let objectCount: Int
  /// Objects that remotes are known to have and this disk has not, where something that is needed is among them, and those that
  /// build on what cannot be read now: nobody has looked at them.
  public let elsewhereCount: Int
  /// In words; empty if all is well.
  public let problems: [String]
  public var isOK: Bool { problems.isEmpty }
}

/// What a collection of garbage did.
public struct GarbageResult: Sendable {
  public let deletedObjectCount: Int
  public let keptObjectCount: Int
  public let freedByteCount: Int
}

/// The size of a repository.
public struct RepositoryInfo: Sendable {
  public let rowCount: Int
  public let byteCount: Int
  public let versionCount: Int
  public let objectCount: Int
}

extension Repository {
  /// Reads every byte, recomputes every ID, and walks from every branch, tag and version number to all they need.
  ///
  /// Goes on behind damage, and names all that it finds.
  public func check(progress: @escaping ProgressHandler = { _ in }) throws(DSVError) -> CheckResult {
    let lease = try store.lease()
    defer { withExtendedLifetime(lease) {} }
    let (report, unreadCount) = try checkPacks(progress)
    var problems = report.problems.map(\.description)
    let here = versionsHere
    var walk = Reachability(here, isElsewhere: isElsewhere) { id, error in
      problems.append("object \(id): \(error.message)")
    }
    let mayLack = try leavesToRemotes
    // What may not lack anything comes first.
    for tip in try wholeTips() { try walk.add(tip) }
    var counts = CountCheck(here)
    let collected = try store.collectedCommits()
    for number in stride(from: 1, through: try store.versionCount, by: 1) {
      guard let id = try store.commit(number: number) else { continue }
      guard try store.contains(AnyID(id)) else {
        // A version that nothing leads to any more may have been collected.
        if !collected.contains(id) {
          problems.append(
            "version \(Version.name(number)): its commit \(id) is not there, and gc has not deleted it")
        }
        continue
      }
      try walk.add(id, mayLack: mayLack)
      // What cannot be read is named by the walk.
      do throws(DSVError) {
        if let problem = try counts.problem(id) { problems.append(problem) }
      } catch {
        guard error.code == .notFound || error.code == .corrupt else { throw error }
      }
    }
    for (name, target) in try store.refs() {
      guard case .commit(let id) = target else { continue }
      if try !store.contains(AnyID(id)) { problems.append("ref \(name): its commit \(id) is not there") }
      try walk.add(id, mayLack: mayLack && !OwnVersions.isOwn(name))
    }
    let givenUpCount = try countGivenUp()
    if givenUpCount > 0 {
      options.note(
        "\(givenUpCount) objects that versions here need are only where a remote has given them up, and will delete them: 'dsv fetch' brings "
          + "them back to the disk")
    }
    if walk.lackingCount > 0 {
      options.note(
        "\(walk.lackingCount) objects are nowhere any more that only versions need that a remote's branches led to: nothing of this "
          + "repository's own needs them, and 'dsv gc --keep-days 0' forgets those versions")
    }
    var seen = Set<String>()
    return CheckResult(
      objectCount: report.recordCount - unreadCount,
      elsewhereCount: (walk.hasSkipped ? try countElsewhere() : 0) + unreadCount,
      problems: problems.filter { seen.insert($0).inserted })
  }

  /// Reads all packs.
  ///
  /// - Returns: also how many objects could not be looked at, as what they build on cannot be read now.
  private func checkPacks(
    _ progress: @escaping ProgressHandler
  ) throws(DSVError) -> (report: CheckReport, unreadCount: Int) {
    let check = ObjectCheck(reader)
    var stop: DSVError?
    var unread: [(id: AnyID, error: DSVError)] = []
    let report = try store.checkPacks(
      progress: { done, total in
        do throws(DSVError) {
          try progress(Progress(phase: "checking", done: done, total: total, unit: .bytes))
        } catch { stop = error }
      },
      verify: { id, stored in
        guard stop == nil else { return nil }
        do throws(DSVError) { return try check.verdict(id, stored) } catch {
          unread.append((id, error))
          return nil
        }
      })
    if let stop { throw stop }
    if let (id, error) = unread.first {
      options.note(
        "\(unread.count) objects were not looked at, as what they build on cannot be read now; of object \(id): \(error.message)"
      )
    }
    return (report, unread.count)
  }

  /// How many objects own versions need that only packs hold which remotes have given up, as far as what is here leads to them.
  private func countGivenUp() throws(DSVError) -> Int {
    let tiers = remoteTiers
    let count = Mutex(0)
    var walk = Reachability(
      versionsHere,
      isElsewhere: { (id) throws(DSVError) in
        var isGivenUp = false
        for tier in tiers {
          // A remote of which nothing is known says nothing.
          do throws(DSVError) {
            guard let place = try tier.places.place(of: id) else { continue }
            if place.pack.condemnedTime == nil { return true }
            isGivenUp = true
          } catch {}
        }
        if isGivenUp { count.withLock { $0 += 1 } }
        return true
      }, onMissing: { _, _ in })
    for tip in try OwnVersions(store).tips { try walk.add(tip.commit) }
    return count.withLock { $0 }
  }

  /// How many objects remotes are known to have that are not on this disk.
  private func countElsewhere() throws(DSVError) -> Int {
    var earlier: [Catalogue] = []
    var count = 0
    for remote in try remotes() {
      let catalogue = try catalogue(remote.name)
      try catalogue.forEachObject { (id, _) throws(DSVError) in
        if try store.contains(id) { return }
        for other in earlier where try other.contains(id) { return }
        count += 1
      }
      earlier.append(catalogue)
    }
    return count
  }

  /// Makes the index anew from the packs and the reflog. What the packs do not hold is not had back.
  public func repair() throws(DSVError) { try store.rebuildIndex() }

  /// Deletes what no branch, tag, or move of a branch in the last `keepDays` leads to.
  ///
  /// - Throws: `busy` if somebody keeps reading or writing for a minute; `corrupt` if something is missing that a branch
  ///   or tag leads to, as what stands behind it could then not be told from garbage.
  public func collectGarbage(
    keepDays: Int = 30, progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> GarbageResult {
    try collectGarbage(
      since: Clock.secondsSince1970(daysAgo: keepDays), garbageShareMin: keepDays == 0 ? 0 : 0.25)
  }

  /// - Parameters:
  ///   - since: what refs were at then or later is kept; seconds since 1970.
  ///   - garbageShareMin: see ``Store/collectGarbage(garbageShareMin:waitSeconds:progress:mark:)``.
  package func collectGarbage(since: Int, garbageShareMin: Double) throws(DSVError) -> GarbageResult {
    let report = try store.collectGarbage(garbageShareMin: garbageShareMin) { () throws(DSVError) in
      let walk = try walkOfRoots(since: since)
      let (live, mayBeWanted) = (walk, walk.hasSkipped ? isElsewhere : nil)
      return { id in
        if live.contains(id) { return true }
        // What leads to it may be elsewhere: it goes when its version is demoted, and not as garbage.
        guard let mayBeWanted else { return false }
        do throws(DSVError) { return try mayBeWanted(id) } catch { return true }
      }
    }
    applyTiersIfAny()
    return GarbageResult(
      deletedObjectCount: report.deletedObjectCount, keptObjectCount: report.keptObjectCount,
      freedByteCount: report.freedByteCount + (try collectKeys()))
  }

  /// Walks from what refs are at, and were at then or later.
  private func walkOfRoots(since: Int) throws(DSVError) -> Reachability {
    var roots: [(name: String, commit: CommitID)] = []
    for (name, target) in try store.refs() {
      guard case .commit(let id) = target else { continue }
      guard try store.contains(AnyID(id)) else {
        throw DSVError(.corrupt, "ref \(name): its commit \(id) is not there; nothing was deleted")
      }
      roots.append((name, id))
    }
    for entry in try store.reflog() where entry.time >= since {
      for target in [entry.old, entry.new] {
        if case .commit(let id)? = target, try store.contains(AnyID(id)) { roots.append((entry.name, id)) }
      }
    }
    let mayLack = try leavesToRemotes
    var walk = Reachability(versionsHere, isElsewhere: isElsewhere)
    // What may not lack anything comes first.
    let tracked = Set(roots.filter { !OwnVersions.isOwn($0.name) }.map(\.commit))
    for (name, commit) in roots where OwnVersions.isOwn(name) || !mayLack {
      do throws(DSVError) { try walk.add(commit) } catch {
        guard error.code == .notFound || error.code == .corrupt else { throw error }
        throw DSVError(
          error.code,
          "\(error.message), and version \(try versionName(commit)) needs it, which \(name) is or was at; nothing was deleted",
          cause: error)
      }
    }
    if mayLack { for tip in try wholeTips() where tracked.contains(tip) { try walk.add(tip) } }
    for root in roots where !OwnVersions.isOwn(root.name) { try walk.add(root.commit, mayLack: mayLack) }
    return walk
  }

  /// Removes the runs of keys that belong to no table of what a ref names; returns how many bytes that gave back.
  ///
  /// Those of older versions are made again should anybody want them.
  private func collectKeys() throws(DSVError) -> Int {
    try reading { (_) throws(DSVError) in
      let reader = versionsHere.objects
      var tables: [Table] = []
      for (_, target) in try store.refs() {
        guard case .commit(let id) = target else { continue }
        tables += try snapshot(id).tables.filter { !$0.key.isEmpty }
      }
      return try KeyIndex.removeRuns(in: store.keyFolder, butOf: tables, reader: reader)
    }
  }

  /// Reads what is on this disk only: a clean-up or a check must not fetch what a remote has.
  var versionsHere: VersionReader { VersionReader(ObjectReader(store.here, cache: reader.cache, pool: pool)) }

  /// Whether a remote is known to have an object.
  var isElsewhere: @Sendable (AnyID) throws(DSVError) -> Bool {
    guard let source = store.source as? RemoteSource else { return { (_) throws(DSVError) in false } }
    return { (id) throws(DSVError) in try source.holds(id) }
  }

  public func info() throws(DSVError) -> RepositoryInfo {
    var rowCount = 0
    if let commit = try head().commit { rowCount = try self.commit(commit).rowCount }
    return RepositoryInfo(
      rowCount: rowCount, byteCount: try store.byteCount, versionCount: try store.versionCount,
      objectCount: try store.objectCount)
  }
}
