import DSVFormat
import DSVSystem

/// Keeps gc away while it lives: what can be read now can be read until then.
///
/// The kernel ends it when the process dies. Holds a shared lock on `locks/gc`.
package final class Lease: Sendable {
  private let file: File

  /// Longest wait for gc to end.
  static let waitSeconds = 60.0

  init(_ folder: RepositoryFolder) throws(DSVError) {
    file = try File(folder.gcLock, .updateOrCreate)
    try file.lock(.shared, waitingUpTo: Self.waitSeconds, for: "collecting garbage in this repository")
  }
}
