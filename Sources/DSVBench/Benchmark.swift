import DSVFormat
import DSVSystem

/// One measured piece of work, at two sizes.
struct Benchmark: Sendable {
  enum Size: String, Sendable {
    /// As small as still does the whole work; every run of the tests does it, so that no benchmark rots.
    case smoke
    /// What figures are told of.
    case full
  }

  /// What the work came to. It counts as done only if it comes to something.
  struct Outcome: Equatable, Sendable {
    let byteCount: Int
    /// Of the result, so that the work cannot be left out; the same in each run.
    let checksum: UInt64
  }

  /// How much of another's time a work is to take at most, in the same run.
  struct Bound: Sendable {
    let share: Double
    let name: String
  }

  let name: String
  let bound: Bound?
  /// Makes what the work needs, which is not measured; returns the work.
  let prepare: @Sendable (Setting) throws -> () throws -> Outcome

  init(
    _ name: String, atMost bound: Bound? = nil,
    prepare: @escaping @Sendable (Setting) throws -> () throws -> Outcome
  ) {
    (self.name, self.bound, self.prepare) = (name, bound, prepare)
  }
}

/// What a benchmark runs with.
final class Setting {
  let size: Benchmark.Size
  /// A JSONL file to take documents from instead of generated ones.
  let corpus: String?
  /// A folder of its own, gone afterwards.
  let folder: String
  private var nameCount = 0

  init(_ size: Benchmark.Size, corpus: String?, folder: String) {
    (self.size, self.corpus, self.folder) = (size, corpus, folder)
  }

  /// `smoke` or `full`, as the size is.
  func pick<Value>(smoke: Value, full: Value) -> Value { size == .smoke ? smoke : full }

  /// A path in the folder that nothing has.
  func newPath(_ ending: String = "") -> String {
    nameCount += 1
    return "\(folder)/\(nameCount)\(ending)"
  }
}

/// A measured benchmark.
struct Measurement {
  let name: String
  let size: Benchmark.Size
  let outcome: Benchmark.Outcome
  let bestNanoseconds: UInt64

  /// Runs a benchmark once at smoke size, else at least 3 times and for about 2 seconds.
  init(_ benchmark: Benchmark, _ size: Benchmark.Size, corpus: String? = nil, under parent: String) throws {
    let folder = "\(parent)/dsv-bench-\(Machine.processID)-\(benchmark.name)"
    try FileSystem.makeFolder(folder)
    defer { do { try FileSystem.removeTree(folder) } catch { Report.note("\(folder) stays: \(error)") } }
    let work = try benchmark.prepare(Setting(size, corpus: corpus, folder: folder))
    var (best, spent, runCount) = (UInt64.max, UInt64(0), 0)
    var first: Benchmark.Outcome?
    while runCount < (size == .smoke ? 1 : 3) || (size == .full && spent < 2_000_000_000) {
      let start = Clock.monotonicNanoseconds()
      let outcome = try work()
      let time = Clock.monotonicNanoseconds() - start
      guard first == nil || first == outcome else {
        throw DSVError(.corrupt, "\(benchmark.name): two runs came to different results")
      }
      first = outcome
      (best, spent, runCount) = (min(best, time), spent + time, runCount + 1)
    }
    guard let first else { preconditionFailure("a benchmark runs at least once") }
    (name, self.size, outcome, bestNanoseconds) = (benchmark.name, size, first, best)
  }

  private var seconds: Double { max(Double(bestNanoseconds) / 1e9, 1e-9) }
  /// In MB/s.
  private var rate: Double { Double(outcome.byteCount) / 1e6 / seconds }

  /// How the rate compares with that of the least that does the same, in one line.
  func share(of floor: Measurement) -> String {
    "\(Report.padded(name, 22)) has \(Report.rounded(rate / floor.rate * 100)) % of the rate of \(floor.name)"
  }

  /// How the time compares with what it is to be at most, in one line.
  func verdict(_ bound: Benchmark.Bound, _ other: Measurement) -> String {
    let share = seconds / other.seconds
    return "\(Report.padded(name, 22)) takes \(Report.rounded(share)) of the time of \(other.name); "
      + "asked for \(bound.share): \(share <= bound.share ? "met" : "MISSED")"
  }

  /// Name, size, bytes, best time, rate and checksum, in one line.
  var line: String {
    [
      Report.padded(name, 22), Report.padded(size.rawValue, 6), Report.padded("\(outcome.byteCount) B", 14),
      Report.padded("\(Report.rounded(seconds * 1000)) ms", 14),
      Report.padded("\(Report.rounded(rate)) MB/s", 14), Report.hex(outcome.checksum),
    ].joined(separator: " ")
  }
}
