import DSVFormat
import DSVSystem

/// Decides whether an index may be used, and puts a good one in place if not.
struct IndexGuard {
  let folder: RepositoryFolder
  let keys: StoreKeys?
  let note: @Sendable (String) -> Void

  /// Returns when the index can be trusted.
  ///
  /// What dsv stamped is trusted. Everything else is looked at under the writer's lock, for a mismatch is also
  /// what another process's publication looks like for a moment.
  /// - Parameter isStampEnough: whether what dsv stamped is trusted, which a disk may have changed behind its back.
  func ensureTrusted(isStampEnough: Bool = true) throws(DSVError) {
    if isStampEnough, try isStamped() { return }
    let lock = try File(folder.writerLock, .updateOrCreate)
    try lock.lock(.exclusive, waitingUpTo: Store.writerWaitSeconds, for: "publishing in this repository")
    defer { withExtendedLifetime(lock) {} }
    if isStampEnough, try isStamped() { return }
    if let reason = try distrust() {
      note("\(folder.indexData): \(reason); it is rebuilt from packs and reflog")
      try IndexRebuild(folder: folder, keys: keys, note: note).run()
    } else {
      stamp()
    }
  }

  /// Runs `open`, and runs it again where the index is not there: a rebuild in another process takes the old one away
  /// just before it puts the new one in its place.
  func retrying<Value>(_ open: () throws(DSVError) -> Value) throws(DSVError) -> Value {
    for _ in 0..<4 {
      do throws(DSVError) { return try open() } catch {
        guard error.code == .notFound else { throw error }
        // Waits for the writer's lock, which the rebuild holds.
        try ensureTrusted()
      }
    }
    return try open()
  }

  private func isStamped() throws(DSVError) -> Bool {
    guard let status = try FileSystem.status(folder.indexData) else { return false }
    return try IndexStamp(path: folder.stamp)?.matches(status) ?? false
  }

  /// Why the index cannot be used; `nil` if it can.
  private func distrust() throws(DSVError) -> String? {
    guard try FileSystem.exists(folder.indexData) else { return "it is gone" }
    do throws(DSVError) {
      let verified = try IndexVerifier.verify(folder.indexData)
      if let stamp = try IndexStamp(path: folder.stamp), verified.transactionID < stamp.transactionID {
        return "it is older than it was"
      }
      let index = try Index(folder, keys)
      try index.settle()
      let state = try index.state
      // A record behind the committed length was written durably by a publication that then did not reach the
      // index, or that an old copy of the index does not know. Its objects are there: let it count.
      let reflog = try ReflogFile(path: folder.reflog, keys: keys).read()
      if reflog.endOfLastRecord > state.reflogByteCount { return "the reflog knows more than it does" }
      return nil
    } catch {
      guard error.code == .corrupt else { throw error }
      return error.message
    }
  }

  /// Makes the index, as it is now, the trusted one. The caller holds the writer's lock.
  ///
  /// Where that fails (the disk may be full), the stamp does not match, and the next open verifies the index.
  /// - Parameter transactionID: of the last transaction, where the caller knows it.
  func stamp(transactionID: UInt64? = nil) {
    do throws(DSVError) {
      let last: UInt64
      if let transactionID { last = transactionID } else { last = try Index(folder, keys).transactionID }
      guard let status = try FileSystem.status(folder.indexData) else { return }
      try IndexStamp(status, transactionID: last).write(to: folder.stamp)
    } catch {
      note("\(folder.stamp): \(error)")
    }
  }
}
