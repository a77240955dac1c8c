import DSVFormat
import DSVRemote
import DSVStore
import DSVTables

extension Repository {
  /// Where the disk's budget has no room for what was read last from remotes: takes off this disk what was fetched longest ago, as
  /// far as remotes verifiably hold it and no rule of the policy keeps it here, and writes that instead.
  ///
  /// About half of the budget goes at a time, and little is read back: what does not go now goes the next time. Done when a
  /// process ends, and not while it reads: what a scan reads next is what the last one fetched first. Where somebody else reads
  /// or writes, nothing is done.
  func makeRoom() {
    guard let source = store.source as? RemoteSource else { return }
    let pending = source.promoter.pendingByteCount
    guard pending > 0 else { return }
    do throws(DSVError) {
      let settings = try tierSettings()
      guard let most = settings.diskByteCount else { return }
      let wanted = min(pending, most / 2)
      // It is a walk over all that is here: not for a few objects.
      let isWorthIt = wanted >= min(Self.roomByteCountMin, most / 64)
      guard isWorthIt, try !TierFolder(store).promoted().isEmpty else { return }
      // A little more than that, so that what the next process fetches may find room as it is.
      let free = wanted + min(Self.roomByteCountMin, most / 16)
      try evictPromoted(most - free, readingBack: 4 * wanted, settings.policy)
      source.close()
    } catch {
      if error.code != .busy { options.note("what was fetched is not kept on the disk: \(error)") }
    }
  }

  private static let roomByteCountMin = 1 << 20

  private func evictPromoted(
    _ byteCount: Int, readingBack: Int, _ policy: TierPolicy
  ) throws(DSVError) {
    let (files, records) = (try store.byteCount, try store.recordByteCount)
    let pins = policy.rules.contains { $0.placement == .disk }
    let silent: ProgressHandler = { _ in }
    _ = try demote(garbageShareMin: 0, 0, silent, verifiedByteCountMax: readingBack) {
      (plan, here, _) throws(DSVError) in
      if pins {
        let versions = try TierVersions(self, policy)
        try plan.pin(versions.commits, here) { commit, table, column in
          versions.rule(commit, table.name, column) == .disk ? .disk : .remote(nil)
        }
      }
      try plan.fit(
        byteCount, otherByteCount: max(0, files - records), promoted: try TierFolder(store).promoted(),
        isPromotedOnly: true)
    }
  }
}
