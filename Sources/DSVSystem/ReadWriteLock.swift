package import DSVFormat
import Glibc

/// A lock that many readers or one writer may hold. A waiting writer keeps new readers out.
///
/// Not recursive: who holds it, as reader or writer, must not ask for it again.
package final class ReadWriteLock: @unchecked Sendable {
  // Sendable: the lock lives at one address from init to deinit, and its functions are made for many threads.
  private let lock = UnsafeMutablePointer<pthread_rwlock_t>.allocate(capacity: 1)

  package init() {
    var attributes = pthread_rwlockattr_t()
    pthread_rwlockattr_init(&attributes)
    pthread_rwlockattr_setkind_np(&attributes, Int32(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP))
    pthread_rwlock_init(lock, &attributes)
    pthread_rwlockattr_destroy(&attributes)
  }

  deinit {
    pthread_rwlock_destroy(lock)
    lock.deallocate()
  }

  package func withReading<R>(_ body: () throws(DSVError) -> R) throws(DSVError) -> R {
    pthread_rwlock_rdlock(lock)
    defer { pthread_rwlock_unlock(lock) }
    return try body()
  }

  package func withWriting<R>(_ body: () throws(DSVError) -> R) throws(DSVError) -> R {
    pthread_rwlock_wrlock(lock)
    defer { pthread_rwlock_unlock(lock) }
    return try body()
  }
}
