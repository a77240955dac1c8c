package import DSVFormat
package import DSVRemote
import DSVSystem
import Synchronization

/// A bucket whose calls take as long as if it were far away; counts them.
package final class SlowBucket: Bucket {
  private struct State {
    var requestCount = 0
    var byteCount = 0
    var underWay = 0
    var underWayMax = 0
    var ranges: [(key: String, range: Range<Int>)] = []
    /// When what was sent last has gone through the line.
    var lineFree: UInt64 = 0
    /// How many more answers to ranges are damaged, how, and every how manieth is.
    var damage: (count: Int, byte: Int, every: Int) = (0, 0, 1)
  }

  package let base: any Bucket
  private let latency: UInt64
  private let bytesPerSecond: Double
  private let state = Mutex(State())

  package var name: String { base.name }

  /// - Parameter bytesPerSecond: what all answers together may have; `infinity` for any.
  package init(_ base: any Bucket, latencyNanoseconds: UInt64 = 0, bytesPerSecond: Double = .infinity) {
    (self.base, latency, self.bytesPerSecond) = (base, latencyNanoseconds, bytesPerSecond)
  }

  package var requestCount: Int { state.withLock { $0.requestCount } }
  package var byteCount: Int { state.withLock { $0.byteCount } }
  /// The most calls at once.
  package var underWayMax: Int { state.withLock { $0.underWayMax } }
  package var ranges: [(key: String, range: Range<Int>)] { state.withLock { $0.ranges } }

  /// Begins to count from 0.
  package func reset() {
    state.withLock { state in
      let underWay = state.underWay
      state = State()
      state.underWay = underWay
    }
  }

  /// Damages the byte `byte` of the next answers to ranges that have one, or of every second of them, and so on.
  package func damage(_ count: Int, byte: Int, every: Int = 1) {
    state.withLock { $0.damage = (count, byte, every) }
  }

  private func perform<R>(_ body: () throws(DSVError) -> R, _ byteCount: (R) -> Int) throws(DSVError) -> R {
    state.withLock { state in
      state.requestCount += 1
      state.underWay += 1
      state.underWayMax = max(state.underWayMax, state.underWay)
    }
    defer { state.withLock { $0.underWay -= 1 } }
    let start = Clock.monotonicNanoseconds()
    let result = try body()
    let count = byteCount(result)
    let end = state.withLock { state in
      state.byteCount += count
      let sending = UInt64(Double(count) / bytesPerSecond * 1e9)
      state.lineFree = max(state.lineFree, start + latency) + sending
      return state.lineFree
    }
    let now = Clock.monotonicNanoseconds()
    let until = max(end, start + latency)
    if until > now { Clock.sleep(nanoseconds: until - now) }
    return result
  }

  package func get(_ key: String, limit: Int) throws(DSVError) -> [UInt8]? {
    try perform({ () throws(DSVError) in try base.get(key, limit: limit) }, { $0?.count ?? 0 })
  }

  package func get(_ key: String, range: Range<Int>) throws(DSVError) -> [UInt8] {
    var bytes = try perform(
      { () throws(DSVError) in try base.get(key, range: range) }, { $0.count })
    state.withLock { state in
      state.ranges.append((key, range))
      guard state.damage.count > 0, state.damage.byte < bytes.count else { return }
      state.damage.count -= 1
      guard state.damage.count % state.damage.every == 0 else { return }
      bytes[state.damage.byte] ^= 0x40
    }
    return bytes
  }

  package func put(_ key: String, _ bytes: [UInt8]) throws(DSVError) {
    try perform({ () throws(DSVError) in try base.put(key, bytes) }, { _ in 0 })
  }

  package func create(_ key: String, _ bytes: [UInt8]) throws(DSVError) -> Bool {
    try perform({ () throws(DSVError) in try base.create(key, bytes) }, { _ in 0 })
  }

  package func list(prefix: String, after: String?, limit: Int) throws(DSVError) -> [BucketEntry] {
    try perform(
      { () throws(DSVError) in try base.list(prefix: prefix, after: after, limit: limit) }, { _ in 0 })
  }

  package func delete(_ keys: [String]) throws(DSVError) {
    try perform({ () throws(DSVError) in try base.delete(keys) }, { _ in 0 })
  }
}
