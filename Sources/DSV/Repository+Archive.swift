import DSVColumns
public import DSVFormat
import DSVStore
import DSVSystem
import DSVTables
import DSVVersions

/// What an archiving came to.
public struct ArchiveResult: Sendable {
  /// Chunks that were looked at, and those that are stored in less room now.
  public internal(set) var chunkCount = 0
  public internal(set) var archivedCount = 0
  /// What those that were looked at take in packs, with what they build on.
  public internal(set) var oldByteCount = 0
  public internal(set) var newByteCount = 0
  /// How much shorter the repository's files are. Negative where somebody reads or writes and what was replaced could
  /// not be deleted: the next gc does.
  public internal(set) var freedByteCount = 0
  /// Whether what was replaced is gone.
  public internal(set) var isSwept = true
}

extension Repository {
  /// Stores the chunks of versions more densely. IDs, and what is read, stay as they are.
  ///
  /// What is done stays done if it is interrupted, and is not done again. Others may read and write meanwhile. Until the
  /// end both forms are on the disk. Memory: some 100 MB, and 100 bytes a chunk.
  /// - Parameter commits: whose chunks; `nil` for all that is reachable from branches, tags and version numbers.
  public func archive(
    _ commits: [CommitID]? = nil, progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> ArchiveResult {
    let byteCountBefore = try store.byteCount
    var result = try restore(commits, progress)
    result.isSwept = try sweepReplaced()
    result.freedByteCount = byteCountBefore - (try store.byteCount)
    return result
  }

  /// Publishes denser forms. The session ends with it, for nobody can sweep while one is alive.
  private func restore(
    _ commits: [CommitID]?, _ progress: @escaping ProgressHandler
  ) throws(DSVError) -> ArchiveResult {
    var job = try ArchiveJob(store, reader, pool, progress)
    var walk = ArchiveWalk(versions)
    let all = try archivable()
    for commit in all { try walk.addTails(commit) }
    for commit in commits ?? all {
      try walk.forEachRun(of: commit) { (run) throws(DSVError) in try job.archive(run) }
    }
    return try job.finish()
  }

  /// Every commit whose chunks are there, the newest first.
  private func archivable() throws(DSVError) -> [CommitID] {
    var commits: [CommitID] = []
    var seen: Set<CommitID> = []
    func add(_ id: CommitID) throws(DSVError) {
      if try store.contains(AnyID(id)), seen.insert(id).inserted { commits.append(id) }
    }
    for number in stride(from: try store.versionCount, through: 1, by: -1) {
      if let id = try store.commit(number: number) { try add(id) }
    }
    for (_, target) in try store.refs() { if case .commit(let id) = target { try add(id) } }
    return commits
  }

  /// Deletes the records that others took the place of: what gc does with everything that is indexed taken for live.
  ///
  /// - Returns: `false` if somebody keeps reading or writing: then it is left to the next gc.
  private func sweepReplaced() throws(DSVError) -> Bool {
    do throws(DSVError) {
      let report = try store.collectGarbage(garbageShareMin: 0.05, waitSeconds: 5) { () throws(DSVError) in
        { _ in true }
      }
      return report.unfitPackCount == 0
    } catch {
      guard error.code == .busy else { throw error }
      return false
    }
  }
}
