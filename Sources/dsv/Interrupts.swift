import DSVFormat
import Glibc
import Synchronization

/// Ctrl-C: the first asks the running operation to stop, which then has changed nothing; the second ends the process.
///
/// An operation that does not notice within a second, as it waits for input perhaps, is ended too: a repository
/// survives the end of a process at any moment.
enum Interrupts {
  private static let count = Atomic<Int>(0)

  static func install() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in
        if Interrupts.count.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
        alarm(1)
      }
    }
    signal(SIGALRM) { _ in
      let text: StaticString = "\ndsv: interrupted\n"
      write(2, text.utf8Start, text.utf8CodeUnitCount)
      _exit(130)
    }
    // A reader that went away is an error of a write, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    // So is a limit on the length of files.
    signal(SIGXFSZ, SIG_IGN)
  }

  static var isRequested: Bool { count.load(ordering: .relaxed) > 0 }

  static func check() throws(DSVError) {
    if isRequested {
      throw DSVError(
        .interrupted, "interrupted; nothing is lost, and the same command begins again or goes on")
    }
  }
}
