/// How much of a memory budget is for what comes from remotes.
package struct FetchBudget: Sendable, Equatable {
  /// What was requested, or has arrived and was not handed over.
  package let stagedByteCount: Int
  /// What was handed over and is not on the disk yet.
  package let promotedByteCount: Int
  /// What of that is taken from the budget: all of it, where one is set.
  package let byteCount: Int

  /// However little is set, so much there must be of each for requests and publications to be worth their time.
  package static let byteCountMin = 2 << 20

  /// A quarter of the budget for each; what decoded objects take is the rest.
  ///
  /// - Parameter budget: `nil` where none is set: then these have room of their own.
  package init(_ budget: Int?) {
    guard let budget else {
      (stagedByteCount, promotedByteCount, byteCount) = (64 << 20, 32 << 20, 0)
      return
    }
    stagedByteCount = min(64 << 20, max(Self.byteCountMin, budget / 4))
    promotedByteCount = min(32 << 20, max(Self.byteCountMin, budget / 4))
    byteCount = stagedByteCount + promotedByteCount
  }

  package var limits: FetchLimits {
    var limits = FetchLimits()
    limits.stagedByteCount = stagedByteCount
    limits.requestByteCount = min(limits.requestByteCount, stagedByteCount / 4)
    return limits
  }
}
