import Glibc

/// Threads for calls that block: those of a pool would be held up by them.
package enum Threads {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Runs `body` on a new thread, which ends with it.
  ///
  /// - Returns: `false` if the system gives no more threads: then `body` is not run.
  package static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
    let passed = Unmanaged.passRetained(Body(body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { pointer in
        if let pointer { Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue().run() }
        return nil
      }, passed.toOpaque())
    guard code == 0 else {
      passed.release()
      return false
    }
    pthread_detach(thread)
    return true
  }
}
