package import DSVFormat
import Glibc

extension File {
  /// Who may hold a lock at the same time.
  package enum LockKind: Sendable {
    case shared, exclusive
  }

  /// Takes the kernel's lock on this file, which ends when the file is closed or the process dies.
  ///
  /// Locks belong to the open file, so two `File`s of one process exclude each other too. A lock held as
  /// the other kind is converted, which is not atomic: another may come in between.
  /// - Returns: `false` if another holds it.
  package func tryLock(_ kind: LockKind) throws(DSVError) -> Bool {
    do throws(DSVError) {
      let operation = (kind == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB
      _ = try withDescriptor { (descriptor) throws(DSVError) in
        try retrying("flock", path) { flock(descriptor, operation) }
      }
      return true
    } catch {
      if error.code == .busy { return false }
      throw error
    }
  }

  /// As ``tryLock(_:)``, waiting up to `seconds`.
  ///
  /// - Throws: `.busy` with `purpose` in the message if another still holds it then.
  package func lock(_ kind: LockKind, waitingUpTo seconds: Double, for purpose: String) throws(DSVError) {
    let deadline = Clock.monotonicNanoseconds() + UInt64(max(0, seconds) * 1e9)
    var pause: UInt64 = 200_000
    while true {
      if try tryLock(kind) { return }
      let now = Clock.monotonicNanoseconds()
      if now >= deadline {
        throw DSVError(.busy, "\(path): another process is \(purpose); try again")
      }
      Clock.sleep(nanoseconds: min(pause, deadline - now))
      pause = min(pause * 3 / 2, 20_000_000)
    }
  }

  package func unlock() throws(DSVError) {
    _ = try withDescriptor { (descriptor) throws(DSVError) in
      try retrying("flock", path) { flock(descriptor, LOCK_UN) }
    }
  }
}
