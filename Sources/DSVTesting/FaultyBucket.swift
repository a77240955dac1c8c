package import DSVFormat
package import DSVRemote
import Synchronization

/// A bucket whose calls fail as a plan says, for what must go on all the same.
package final class FaultyBucket: Bucket {
  package typealias Call = BucketTraffic.Call

  /// Which calls fail.
  package enum Plan: Sendable {
    case never
    /// The one numbered `number`, from 0; and all after it if `isForever`.
    case call(_ number: Int, isForever: Bool = false)
    /// Each with this probability, the same ones for the same seed as long as calls come one after the other.
    case chance(Double, seed: UInt64)
  }

  /// Whether a call that fails has been done.
  package enum Moment: Sendable {
    case before, after
    /// As chance has it.
    case either
  }

  private struct State {
    var plan = Plan.never
    var moment = Moment.before
    var generator = SeededGenerator(seed: 0)
    var counts: [Call: Int] = [:]
    var faultCount = 0
  }

  package let base: any Bucket
  package let code: DSVError.Code
  private let watch: @Sendable (Call, _ key: String) throws(DSVError) -> Void
  private let state = Mutex(State())

  package var name: String { base.name }

  /// - Parameters:
  ///   - code: of what is thrown.
  ///   - watch: called before each call that does not fail before it is done, with the key it is about (a list's prefix,
  ///     a deletion's first): the place to let somebody else come first. It may throw instead of the call.
  package init(
    _ base: any Bucket, _ plan: Plan = .never, _ moment: Moment = .before, code: DSVError.Code = .io,
    watch: @escaping @Sendable (Call, _ key: String) throws(DSVError) -> Void = {
      (_, _) throws(DSVError) in
    }
  ) {
    (self.base, self.code, self.watch) = (base, code, watch)
    self.plan(plan, moment)
  }

  /// Begins another plan, and to count from 0.
  package func plan(_ plan: Plan, _ moment: Moment = .before) {
    state.withLock { state in
      state = State(plan: plan, moment: moment)
      if case .chance(_, let seed) = plan { state.generator = SeededGenerator(seed: seed) }
    }
  }

  /// How many calls of each kind there were since the plan began, those that failed too.
  package var counts: [Call: Int] { state.withLock { $0.counts } }
  package var callCount: Int { counts.values.reduce(0, +) }
  package var faultCount: Int { state.withLock { $0.faultCount } }

  private func perform<Result>(
    _ call: Call, _ key: String, _ body: () throws(DSVError) -> Result
  ) throws(DSVError) -> Result {
    let fault = next(call)
    if fault == .before { throw failure(call, key) }
    try watch(call, key)
    let result = try body()
    if fault == .after { throw failure(call, key) }
    return result
  }

  private func next(_ call: Call) -> Moment? {
    state.withLock { state in
      let number = state.counts.values.reduce(0, +)
      state.counts[call, default: 0] += 1
      let fails =
        switch state.plan {
        case .never: false
        case .call(let chosen, let isForever): number == chosen || isForever && number > chosen
        case .chance(let chance, _): Double.random(in: 0..<1, using: &state.generator) < chance
        }
      guard fails else { return nil }
      state.faultCount += 1
      guard case .either = state.moment else { return state.moment }
      return state.generator.oneIn(2) ? .before : .after
    }
  }

  private func failure(_ call: Call, _ key: String) -> DSVError {
    DSVError(code, "\(name)/\(key): \(call) fails on purpose")
  }

  package func get(_ key: String, limit: Int) throws(DSVError) -> [UInt8]? {
    try perform(.get, key) { () throws(DSVError) in try base.get(key, limit: limit) }
  }

  package func get(_ key: String, range: Range<Int>) throws(DSVError) -> [UInt8] {
    try perform(.getRange, key) { () throws(DSVError) in try base.get(key, range: range) }
  }

  package func put(_ key: String, _ bytes: [UInt8]) throws(DSVError) {
    try perform(.put, key) { () throws(DSVError) in try base.put(key, bytes) }
  }

  package func create(_ key: String, _ bytes: [UInt8]) throws(DSVError) -> Bool {
    try perform(.create, key) { () throws(DSVError) in try base.create(key, bytes) }
  }

  package func list(prefix: String, after: String?, limit: Int) throws(DSVError) -> [BucketEntry] {
    try perform(.list, prefix) { () throws(DSVError) in
      try base.list(prefix: prefix, after: after, limit: limit)
    }
  }

  package func delete(_ keys: [String]) throws(DSVError) {
    try perform(.delete, keys.first ?? "") { () throws(DSVError) in try base.delete(keys) }
  }
}
