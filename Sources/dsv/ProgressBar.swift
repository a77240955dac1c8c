import DSV
import DSVFormat
import DSVSystem
import Synchronization

/// Shows how far a long operation has come, on standard error: on a terminal a line that is written over, else a line
/// every ten seconds. Nothing for the first second.
final class ProgressBar: Sendable {
  private struct State {
    let start = Clock.monotonicNanoseconds()
    var phase = ""
    var phaseStart: UInt64 = 0
    var last: UInt64 = 0
  }

  private static let isShown = Atomic<Bool>(false)
  private let state = Mutex(State())
  private let isQuiet: Bool
  private let isTerminal = File.standardError.isTerminal

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  /// To be given to the library; also where Ctrl-C is noticed.
  var handler: ProgressHandler {
    { [self] (progress) throws(DSVError) in
      try Interrupts.check()
      if !isQuiet { show(progress) }
    }
  }

  private func show(_ progress: Progress) {
    let line = state.withLock { (state) -> String? in
      let now = Clock.monotonicNanoseconds()
      if progress.phase != state.phase { (state.phase, state.phaseStart) = (progress.phase, now) }
      let pause: UInt64 = isTerminal ? 100_000_000 : 10_000_000_000
      guard now - state.start > 1_000_000_000, now - state.last > pause else { return nil }
      state.last = now
      return Self.line(progress, seconds: Double(now - state.phaseStart) / 1e9)
    }
    guard let line else { return }
    if isTerminal {
      Self.isShown.store(true, ordering: .relaxed)
      Terminal.write("\r\u{1b}[K" + line, to: 2)
    } else {
      Terminal.write(line + "\n", to: 2)
    }
  }

  private static func line(_ progress: Progress, seconds: Double) -> String {
    func amount(_ count: Int) -> String {
      progress.unit == .bytes ? Terminal.size(count) : "\(Terminal.count(count)) \(progress.unit.rawValue)"
    }
    let rate = seconds > 0.2 ? Double(progress.done) / seconds : 0
    if progress.done == 0, progress.total == nil { return "\(progress.phase) …" }
    var line = "\(progress.phase): \(amount(progress.done))"
    if let total = progress.total, total > 0 {
      line += " of \(amount(total)) (\(min(100, progress.done * 100 / total)) %)"
    }
    if rate > 0 {
      line += ", \(amount(Int(rate)))/s"
      if let total = progress.total, total > progress.done {
        let left = Int(Double(total - progress.done) / rate)
        line += ", \(left / 60):\(left % 60 < 10 ? "0" : "")\(left % 60) left"
      }
    }
    return line
  }

  /// Takes the line away before anything else is written.
  static func clear() {
    if isShown.exchange(false, ordering: .relaxed) { Terminal.write("\r\u{1b}[K", to: 2) }
  }
}
