import DSVFormat
import DSVSystem

/// The names of what lies in a repository's folder.
struct RepositoryFolder: Sendable {
  let root: String

  var format: String { "\(root)/format" }
  /// The keys of an encrypted repository.
  var keyring: String { "\(root)/keyring" }
  /// What is set of tiers, which may name tables and branches.
  var tierSettings: String { "\(root)/tiers/settings" }
  /// Up to which pack all are to be written again under new keys, while that is not done.
  var reencryption: String { "\(root)/reencryption" }
  var packs: String { "\(root)/packs" }
  var index: String { "\(root)/index" }
  var stamp: String { "\(root)/index.stamp" }
  var reflog: String { "\(root)/reflog" }
  var locks: String { "\(root)/locks" }
  /// Held by who publishes.
  var writerLock: String { "\(locks)/writer" }
  /// Held shared by sessions and leases, exclusively by gc.
  var gcLock: String { "\(locks)/gc" }
  /// Held exclusive by a gc that waits for `gcLock`, and shared by a session for as long as it takes to get that.
  var turnLock: String { "\(locks)/turn" }
  var temporary: String { "\(root)/tmp" }
  /// Runs of keys, which can be made again.
  var keys: String { "\(root)/keys" }

  /// Where an index is made anew.
  var newIndex: String { "\(root)/index.new" }
  /// Where an index that was replaced is put aside, for whoever wants to look at it, until the next gc.
  var damagedIndex: String { "\(root)/index.damaged" }
  var indexData: String { "\(index)/data.mdb" }

  /// `packs/0000001a.pack` for 26.
  func pack(_ number: UInt32) -> String {
    let digits = String(number, radix: 16)
    return "\(packs)/\(String(repeating: "0", count: 8 - digits.count))\(digits).pack"
  }

  /// The numbers of the packs there are, in ascending order.
  func packNumbers() throws(DSVError) -> [UInt32] {
    try FileSystem.list(packs).compactMap { name in
      guard name.hasSuffix(".pack"), name.utf8.count == 13 else { return nil }
      return UInt32(name.dropLast(5), radix: 16)
    }.sorted()
  }
}
