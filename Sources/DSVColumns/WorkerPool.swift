package import DSVFormat
import Dispatch
import Synchronization

/// A result that another thread is computing.
package final class Pending<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, DSVError>?>(nil)
  private let ready = DispatchSemaphore(value: 0)

  package init() {}

  package init(_ value: Value) { fulfil(.success(value)) }

  func fulfil(_ value: Result<Value, DSVError>) {
    result.withLock { $0 = value }
    ready.signal()
  }

  package var isReady: Bool { result.withLock { $0 != nil } }

  /// Waits for the result.
  package func value() throws(DSVError) -> Value {
    ready.wait()
    ready.signal()
    guard let result = result.withLock({ $0 }) else { preconditionFailure("signalled without a result") }
    return try result.get()
  }
}

/// Runs jobs on all cores. Jobs must not wait for other jobs of the same pool.
package final class WorkerPool: Sendable {
  /// How many jobs run at once; 0 runs each where it is submitted.
  package let threadCount: Int
  private let queue: DispatchQueue
  private let places: DispatchSemaphore

  package init(threadCount: Int) {
    self.threadCount = threadCount
    queue = DispatchQueue(label: "dsv.workers", attributes: .concurrent)
    places = DispatchSemaphore(value: threadCount)
    waiting = DispatchSemaphore(value: threadCount * 4)
  }

  /// Runs each job where it is submitted.
  package static let onCaller = WorkerPool(threadCount: 0)

  private let waiting: DispatchSemaphore

  /// Runs `job`, soon. Blocks while four jobs a thread are waiting, which bounds the memory they hold.
  package func submit<Value: Sendable>(
    _ job: @escaping @Sendable () throws(DSVError) -> Value
  ) -> Pending<Value> {
    let pending = Pending<Value>()
    func run() {
      do throws(DSVError) { pending.fulfil(.success(try job())) } catch { pending.fulfil(.failure(error)) }
    }
    guard threadCount > 0 else {
      run()
      return pending
    }
    waiting.wait()
    queue.async { [places, waiting] in
      places.wait()
      do throws(DSVError) { pending.fulfil(.success(try job())) } catch { pending.fulfil(.failure(error)) }
      places.signal()
      waiting.signal()
    }
    return pending
  }
}
