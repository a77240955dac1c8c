import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import Synchronization

/// What of this repository's keyring a remote is known to have.
final class SyncedKeys: Sendable {
  let state = Mutex<RemoteKeys.State?>(nil)
}

extension OpenRemote {
  /// The highest number of a keyring of the remote that was ever read or written here.
  private static func seenPath(_ folder: String) -> String { "\(folder)/keyring" }

  var seenKeyring: Int { get throws(DSVError) { try Self.seenKeyring(folder) } }

  private static func seenKeyring(_ folder: String) throws(DSVError) -> Int {
    do throws(DSVError) {
      let text = String(decoding: try FileSystem.read(seenPath(folder), limit: 64), as: UTF8.self)
      return Int(text.dropLast()) ?? 0
    } catch {
      guard error.code == .notFound else { throw error }
      return 0
    }
  }

  private func remember(_ number: Int) throws(DSVError) {
    try FileSystem.replace(Self.seenPath(folder), with: Array("\(number)\n".utf8))
  }

  /// The number of the newest keyring that is there, 0 for none, and of the newest that was ever seen here.
  private static func newest(
    _ numbers: [Int], _ bucket: any Bucket, _ folder: String
  ) throws(DSVError) -> (last: Int, seen: Int) {
    let (last, seen) = (numbers.last ?? 0, try seenKeyring(folder))
    guard last >= seen else {
      throw DSVError(
        .corrupt,
        "\(bucket.name): its keyring was rolled back: number \(seen) was there, and now \(last) is the last")
    }
    return (last, seen)
  }

  /// The numbers of the keyrings that are there, ascending.
  static func keyrings(_ bucket: any Bucket) throws(DSVError) -> [Int] {
    try bucket.list(prefix: RemoteLayout.keyringPrefix, after: nil, limit: 1000).compactMap {
      RemoteLayout.number(ofKey: $0.key, behind: RemoteLayout.keyringPrefix)
    }
  }

  static func keyring(_ number: Int, _ bucket: any Bucket) throws(DSVError) -> [UInt8] {
    let key = RemoteLayout.keyring(number)
    guard let bytes = try bucket.get(key, limit: SealedKeyring.byteCountMax) else {
      throw DSVError(.busy, "\(bucket.name)/\(key): it was just exchanged; try again")
    }
    return bytes
  }

  /// Whether a keyring of the remote, all of which was taken over or written here before, lacks what is new here.
  ///
  /// One that the key which is used here does not open is from before that key was one of the repository's.
  private func isBehind(_ bytes: [UInt8], of subject: String, _ sealer: RemoteKeys) throws(DSVError) -> Bool {
    do throws(DSVError) { return try sealer.relation(to: bytes, of: subject) == .behind } catch {
      guard error.code == .wrongKey else { throw error }
      return true
    }
  }

  /// Takes over the user keys and log keys that others have put there, and, for a push, puts there what is new here.
  ///
  /// - Returns: whether something was taken over.
  /// - Throws: `.wrongKey` if the key that is used here was revoked there; `.corrupt` if an old keyring was put back there.
  @discardableResult
  func syncKeyring(isPushing: Bool) throws(DSVError) -> Bool {
    guard let sealer else { return false }
    // Another process may have exchanged the keys: one whose key was revoked must not put its own keyring there.
    try store.refreshKeys()
    var isAdopted = false
    for _ in 0..<Push.attemptCountMax {
      let numbers = try Self.keyrings(bucket)
      let (last, seen) = try Self.newest(numbers, bucket, folder)
      guard last < RemoteLayout.numberLimit - 1 else {
        throw DSVError(
          .corrupt, "\(bucket.name)/\(RemoteLayout.keyring(last)): nobody has given it that number; delete it"
        )
      }
      guard last > seen || isPushing else { return isAdopted }
      if last > 0 {
        let bytes = try Self.keyring(last, bucket)
        let subject = "\(bucket.name)/\(RemoteLayout.keyring(last))"
        if last > seen {
          isAdopted = try adopt(bytes, of: subject, sealer) == .adopted || isAdopted
          try remember(last)
        }
        guard isPushing else { return isAdopted }
        let state = sealer.state
        guard try isBehind(bytes, of: subject, sealer) else {
          syncedKeys.state.withLock { $0 = state }
          return isAdopted
        }
      }
      let state = sealer.state
      // Of those that put one at once, one is first; the others look at that.
      guard try bucket.create(RemoteLayout.keyring(last + 1), try sealer.keyringBytes()) else { continue }
      try remember(last + 1)
      // Those before open what is to be opened with new keys only no more.
      try bucket.delete(numbers.map { RemoteLayout.keyring($0) })
      syncedKeys.state.withLock { $0 = state }
      return isAdopted
    }
    throw DSVError(.busy, "\(bucket.name): others kept exchanging keys; try again")
  }

  private func adopt(
    _ bytes: [UInt8], of subject: String, _ sealer: RemoteKeys
  ) throws(DSVError) -> RemoteKeys.Relation {
    do throws(DSVError) { return try store.adopt(keyring: bytes, of: subject) } catch {
      throw try Self.told(error, bytes, of: subject, sealer)
    }
  }

  /// Says what to do where the key that is used here does not open the remote's keyring.
  private static func told(
    _ error: DSVError, _ bytes: [UInt8], of subject: String, _ sealer: RemoteKeys
  ) throws(DSVError) -> DSVError {
    guard error.code == .wrongKey else { return error }
    let theirs = try SealedKeyring(bytes, of: subject).slots.map { "\($0.id)" }.joined(separator: ", ")
    return DSVError(
      .wrongKey,
      "\(subject): key \(sealer.userKeyID), which is used here, does not open it: others have changed the keys there, which are "
        + "\(theirs) now. Let one of those open this repository too, by 'dsv key add', and go on with that one",
      cause: error)
  }

  /// Lets what others have added to a remote since they exchanged its keys be read here. Nothing is taken over: fetching does that.
  ///
  /// - Parameter folder: the remote's own.
  /// - Returns: `false` if there is no keyring to learn from.
  /// - Throws: `.wrongKey` if the key that is used here was revoked there; `.corrupt` if an old keyring was put back there.
  static func learnKeys(
    _ bucket: any Bucket, _ folder: String, _ sealer: RemoteKeys
  ) throws(DSVError) -> Bool {
    let (last, _) = try newest(try keyrings(bucket), bucket, folder)
    guard last > 0 else { return false }
    let (bytes, subject) = (try keyring(last, bucket), "\(bucket.name)/\(RemoteLayout.keyring(last))")
    do throws(DSVError) { try sealer.learn(bytes, of: subject) } catch {
      throw try told(error, bytes, of: subject, sealer)
    }
    return true
  }

  // MARK: - Adding to the log

  /// Adds an entry to the remote's log, under keys that the remote's keyring has.
  ///
  /// Keys may have been exchanged by another process since they were last looked at. That costs a look at a file; the remote is asked only if so.
  /// - Returns: `nil` if somebody else came first.
  /// - Throws: `.wrongKey` if the key that is used here was revoked: then nothing is added.
  func create(_ entry: RemoteEntry) throws(DSVError) -> LogDigest? {
    guard let sealer else { return try log.create(entry) }
    while true {
      try store.refreshKeys()
      let state = sealer.state
      if syncedKeys.state.withLock({ $0 != state }) {
        try syncKeyring(isPushing: true)
        continue
      }
      let stored = try log.stored(entry)
      // Another thread may have looked meanwhile.
      if sealer.state == state { return try log.create(entry.number, stored) }
    }
  }
}
