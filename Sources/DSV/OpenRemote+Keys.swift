import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem

extension OpenRemote {
  /// The highest number of a keyring of the remote that was ever read or written here.
  private var seenPath: String { "\(folder)/keyring" }

  private var seenKeyring: Int {
    get throws(DSVError) {
      do throws(DSVError) {
        let text = String(decoding: try FileSystem.read(seenPath, limit: 64), as: UTF8.self)
        return Int(text.dropLast()) ?? 0
      } catch {
        guard error.code == .notFound else { throw error }
        return 0
      }
    }
  }

  private func remember(_ number: Int) throws(DSVError) {
    try FileSystem.replace(seenPath, with: Array("\(number)\n".utf8))
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
    while true {
      let numbers = try Self.keyrings(bucket)
      let (last, seen) = (numbers.last ?? 0, try seenKeyring)
      guard last >= seen else {
        throw DSVError(
          .corrupt,
          "\(bucket.name): its keyring was rolled back: number \(seen) was there, and now \(last) is the last"
        )
      }
      guard last > seen || isPushing else { return isAdopted }
      if last > 0 {
        let bytes = try Self.keyring(last, bucket)
        let subject = "\(bucket.name)/\(RemoteLayout.keyring(last))"
        if last > seen {
          isAdopted = try store.adopt(keyring: bytes, of: subject) == .adopted || isAdopted
          try remember(last)
        }
        guard isPushing, try isBehind(bytes, of: subject, sealer) else { return isAdopted }
      }
      // Of those that put one at once, one is first; the others look at that.
      guard try bucket.create(RemoteLayout.keyring(last + 1), try sealer.keyringBytes()) else { continue }
      try remember(last + 1)
      // Those before open what is to be opened with new keys only no more.
      try bucket.delete(numbers.map { RemoteLayout.keyring($0) })
      return isAdopted
    }
  }
}
