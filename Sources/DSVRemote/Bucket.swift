package import DSVFormat

/// A key of a bucket, as a listing tells it.
package struct BucketEntry: Sendable, Hashable {
  package let key: String
  package let byteCount: Int

  package init(_ key: String, byteCount: Int) { (self.key, self.byteCount) = (key, byteCount) }
}

/// A remote place for bytes, and the one seam to it: flat keys, each with a value that is put whole.
///
/// S3, a folder and memory conform; each is one file, and each passes `checkBucket` in DSVTesting. Calls block. Threads may
/// share one bucket, and have as many calls under way as they like. Keys are as ``BucketKey`` says.
///
/// Every call throws `.io` where the place cannot be reached or refuses for good, `.busy` where the budget of retries is
/// spent, `.denied` where it does not take the credentials. One that changes something may have done so all the same
/// when it throws; asking again is safe with each of them but `create`, after which ask with `get`.
package protocol Bucket: Sendable {
  /// What messages call it: `s3://bucket/prefix`, without credentials.
  var name: String { get }

  /// What was asked of it since it was opened; nothing where that costs nothing.
  var traffic: BucketTraffic { get }

  /// The whole value of a key; `nil` if there is none.
  ///
  /// - Throws: `.corrupt` if it has more than `limit` bytes, before they are taken into memory.
  func get(_ key: String, limit: Int) throws(DSVError) -> [UInt8]?

  /// The bytes `range` of a key's value: exactly so many, in one request.
  ///
  /// - Throws: `.notFound` if there is no such key, `.corrupt` if its value ends before `range` does.
  func get(_ key: String, range: Range<Int>) throws(DSVError) -> [UInt8]

  /// Makes `bytes` the value of a key, whatever it had.
  ///
  /// For keys that name what they hold, where doing it twice changes nothing.
  func put(_ key: String, _ bytes: [UInt8]) throws(DSVError)

  /// Gives a key its value if it has none: of any number that try at once, one succeeds.
  ///
  /// - Returns: whether the key has now been given these bytes by this call. `false`: somebody else came first.
  func create(_ key: String, _ bytes: [UInt8]) throws(DSVError) -> Bool

  /// The keys that begin with `prefix` and stand behind `after`, in order of their bytes; at most `limit`, 1 to 1000, and
  /// fewer only if there are no more.
  ///
  /// Shows what was put before the call began. What is not a key of ours is left out.
  func list(prefix: String, after: String?, limit: Int) throws(DSVError) -> [BucketEntry]

  /// Takes keys away. One that is not there counts as taken away.
  func delete(_ keys: [String]) throws(DSVError)
}

extension Bucket {
  package var traffic: BucketTraffic { BucketTraffic() }
}

/// What keys look like, so that each one is a name in S3, a path below a folder, and nothing that needs escaping.
///
/// 1 to 512 bytes: names of 1 to 200 of `a-z A-Z 0-9 - _ .` with single slashes between them. No name begins with a dot, and no
/// key is the folder of another: with `log/1` there is no `log`.
package enum BucketKey {
  package static let byteCountMax = 512
  private static let nameByteCountMax = 200

  package static func isValid(_ key: String) -> Bool {
    guard (1...byteCountMax).contains(key.utf8.count) else { return false }
    return key.utf8.split(separator: slash, omittingEmptySubsequences: false).allSatisfy { name in
      (1...nameByteCountMax).contains(name.count) && name.first != dot && name.allSatisfy(mayStand)
    }
  }

  /// Traps if `key` is none: keys are made by our code, never by what a user or a remote says.
  package static func check(_ key: String) {
    precondition(isValid(key), "not a bucket's key: \(key)")
  }

  private static let slash = UInt8(ascii: "/")
  private static let dot = UInt8(ascii: ".")

  private static func mayStand(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), dot:
      true
    default: false
    }
  }
}
