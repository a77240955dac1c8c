import DSV
import DSVFormat
import DSVSystem
import Glibc

/// Does what lines of standard input say at a repository that stays open, and times it: how bench/ measures the library.
///
/// A line is a work's name and its arguments, with tabs between. The answer is a line of JSON: the wall time and this process's
/// processor time in seconds, and the number that the work came to; or `error`.
enum Server {
  static func run() {
    var works = ServedWorks()
    while let line = readLine() {
      var words = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      let name = words.removeFirst()
      do {
        let work = try works.prepare(name, words)
        let (start, processor) = (Clock.monotonicNanoseconds(), processorSeconds())
        let count = try work()
        let seconds = Double(Clock.monotonicNanoseconds() - start) / 1e9
        let cpu = processorSeconds() - processor
        print(#"{"seconds":\#(seconds),"cpu":\#(cpu),"count":\#(count)}"#)
      } catch {
        print(#"{"error":"\#(escaped("\(name): \(error)"))"}"#)
      }
      fflush(nil)
    }
  }

  /// Of all threads, those that have ended too.
  private static func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private static func escaped(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { result, scalar in
      if scalar == "\"" || scalar == "\\" { result += "\\" }
      result.unicodeScalars.append(scalar.value < 32 ? " " : scalar)
    }
  }
}
