import DSVFormat
import DSVSystem
import Testing

/// When to kill a process, again and again, until as many as were asked for have really been killed: what had ended before does not count.
struct Kills: CustomStringConvertible {
  /// How many `DSV_TRANSFER_KILLS` asks for, or else so many.
  static func count(_ usual: Int) -> Int {
    Machine.environment("DSV_TRANSFER_KILLS").flatMap { Int($0) } ?? usual
  }

  let wantedCount: Int
  let seed: UInt64
  private(set) var killedCount = 0
  private(set) var attemptCount = 0
  /// Of the attempt under way, in nanoseconds.
  private(set) var delay: UInt64 = 0
  /// What the work takes that nobody ends, in nanoseconds, as far as is known.
  private var duration: UInt64
  private var random: SeededGenerator

  /// The share of the work that is left alone: in which a short command only starts.
  private let start: Double

  /// - Parameter start: from 0 to 1.
  init(_ wantedCount: Int, within duration: UInt64, from start: Double = 0, seed: UInt64) {
    (self.wantedCount, self.duration, self.seed, self.start) = (wantedCount, duration, seed, start)
    random = SeededGenerator(seed)
  }

  /// The delay before the next kill; `nil` when enough were killed, or so many were too late that none seems to come.
  ///
  /// All parts of the work are come to in turn, each at a random moment within it.
  mutating func next() -> UInt64? {
    guard killedCount < wantedCount, attemptCount < 6 * wantedCount + 20 else { return nil }
    attemptCount += 1
    let share = (Double(killedCount) + Double.random(in: 0..<1, using: &random)) / Double(wantedCount)
    delay = UInt64(Double(duration) * (start + (1.1 - start) * share))
    return delay
  }

  /// Takes in how an attempt ended: by the kill, or well and before it.
  mutating func note(_ end: Child.End, _ what: String) {
    #expect(end.code == 0 || end.signal == 9, "\(context(what)): \(end)")
    // It takes less time than was known; else the last parts would never be come to.
    if end.signal == 9 { killedCount += 1 } else { duration -= duration / 16 }
  }

  func context(_ what: String) -> Comment {
    "seed \(seed), attempt \(attemptCount) of \(what), killed after \(delay / 1000) µs"
  }

  /// Requires that as many were killed as were asked for.
  func expectAll(_ what: String) {
    #expect(killedCount == wantedCount, "\(what): \(self)")
    print("\(what): \(self)")
  }

  var description: String { "killed \(killedCount) times in \(attemptCount) attempts" }
}
