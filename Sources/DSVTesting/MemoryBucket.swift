package import DSVFormat
package import DSVRemote
import Synchronization

/// A bucket in memory, for tests: what a remote is meant to be, in as few lines as can be.
package final class MemoryBucket: Bucket {
  package let name: String
  private let values = Mutex<[String: [UInt8]]>([:])

  package init(_ name: String = "memory://bucket") { self.name = name }

  /// Everything in it, for tests that look at all bytes or put them into another order.
  package var contents: [String: [UInt8]] {
    get { values.withLock { $0 } }
    set { values.withLock { $0 = newValue } }
  }

  package func get(_ key: String, limit: Int) throws(DSVError) -> [UInt8]? {
    BucketKey.check(key)
    guard let value = values.withLock({ $0[key] }) else { return nil }
    guard value.count <= limit else {
      throw DSVError(
        .corrupt, "\(name)/\(key): \(value.count) bytes, more than the \(limit) that it may have")
    }
    return value
  }

  package func get(_ key: String, range: Range<Int>) throws(DSVError) -> [UInt8] {
    BucketKey.check(key)
    guard let value = values.withLock({ $0[key] }) else {
      throw DSVError(.notFound, "\(name)/\(key): it is not there")
    }
    guard range.upperBound <= value.count else {
      throw DSVError(.corrupt, "\(name)/\(key): \(value.count) bytes, \(range) wanted")
    }
    return Array(value[range])
  }

  package func put(_ key: String, _ bytes: [UInt8]) throws(DSVError) {
    BucketKey.check(key)
    values.withLock { $0[key] = bytes }
  }

  package func create(_ key: String, _ bytes: [UInt8]) throws(DSVError) -> Bool {
    BucketKey.check(key)
    return values.withLock { values in
      guard values[key] == nil else { return false }
      values[key] = bytes
      return true
    }
  }

  package func list(prefix: String, after: String?, limit: Int) throws(DSVError) -> [BucketEntry] {
    precondition((1...1000).contains(limit), "1 to 1000 keys are listed at a time")
    let found = values.withLock { $0.filter { $0.key.hasPrefix(prefix) && $0.key > after ?? "" } }
    return found.sorted { $0.key < $1.key }.prefix(limit).map {
      BucketEntry($0.key, byteCount: $0.value.count)
    }
  }

  package func delete(_ keys: [String]) throws(DSVError) {
    keys.forEach(BucketKey.check)
    values.withLock { values in for key in keys { values[key] = nil } }
  }
}
