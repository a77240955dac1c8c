import Synchronization

/// How often and how soon to ask again.
package struct RetryPolicy: Sendable {
  /// Of one call, the first one counted.
  package var attemptCountMax = 10
  /// Of one call that nobody answers at all, or somebody who does not speak S3.
  package var strangeAttemptCountMax = 3
  package var firstDelay = 0.05
  package var longestDelay = 10.0
  /// What a bucket may spend on asking again. One retry costs ``retryCost``; each success gives it back, up to this.
  package var budget = 500.0
  package var retryCost = 5.0
  /// What comes back in a second.
  package var refill = 5.0

  package init() {}

  /// Full jitter: anything from 0 to a bound that doubles with each attempt.
  /// Source: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
  ///
  /// - Parameters:
  ///   - attempt: from 1.
  ///   - random: from 0 to 1.
  func delay(afterAttempt attempt: Int, atLeast least: Double, random: Double) -> Double {
    let bound = min(longestDelay, firstDelay * Double(1 << min(attempt - 1, 20)))
    return min(longestDelay, least) + bound * random
  }
}

/// Keeps what is asked again in proportion to what succeeds, over all calls of a bucket: a server in trouble is not drowned.
final class RetryBudget: Sendable {
  private struct State {
    var tokens: Double
    var moment: Int
  }

  private let policy: RetryPolicy
  private let state: Mutex<State>

  init(_ policy: RetryPolicy, now: Int) {
    self.policy = policy
    state = Mutex(State(tokens: policy.budget, moment: now))
  }

  /// Whether there is enough for one retry, which is taken.
  ///
  /// - Parameter now: in nanoseconds.
  func take(now: Int) -> Bool {
    state.withLock { state in
      let seconds = Double(max(0, now - state.moment)) / 1e9
      state.tokens = min(policy.budget, state.tokens + seconds * policy.refill)
      state.moment = max(state.moment, now)
      guard state.tokens >= policy.retryCost else { return false }
      state.tokens -= policy.retryCost
      return true
    }
  }

  func succeeded(afterRetry: Bool) {
    state.withLock { $0.tokens = min(policy.budget, $0.tokens + (afterRetry ? policy.retryCost : 1)) }
  }
}
