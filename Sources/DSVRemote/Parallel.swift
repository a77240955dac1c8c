package import DSVFormat
import Glibc
import Synchronization

/// Runs work that mostly waits on threads of its own: as many at once as asked for, however few cores there are.
package enum Parallel {
  private final class Work: Sendable {
    private let next = Atomic<Int>(0)
    private let failure = Mutex<DSVError?>(nil)
    private let count: Int
    private let body: @Sendable (Int) throws(DSVError) -> Void

    init(_ count: Int, _ body: @escaping @Sendable (Int) throws(DSVError) -> Void) {
      (self.count, self.body) = (count, body)
    }

    func run() {
      while failure.withLock({ $0 == nil }) {
        let index = next.add(1, ordering: .relaxed).oldValue
        guard index < count else { return }
        do throws(DSVError) { try body(index) } catch {
          failure.withLock { if $0 == nil { $0 = error } }
        }
      }
    }

    func check() throws(DSVError) { if let error = failure.withLock({ $0 }) { throw error } }
  }

  /// Calls `body` with each of `0..<count`, at most `width` at once. After a failure no more are begun.
  ///
  /// - Throws: what failed first.
  package static func forEach(
    _ count: Int, width: Int, _ body: @escaping @Sendable (Int) throws(DSVError) -> Void
  ) throws(DSVError) {
    let work = Work(count, body)
    var threads: [pthread_t] = []
    for _ in 1..<max(1, min(width, count)) {
      var thread = pthread_t()
      let argument = Unmanaged.passRetained(work)
      let code = pthread_create(
        &thread, nil,
        { argument in
          if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run() }
          return nil
        }, argument.toOpaque())
      guard code == 0 else {
        // With fewer threads it takes longer.
        argument.release()
        break
      }
      threads.append(thread)
    }
    work.run()
    for thread in threads { pthread_join(thread, nil) }
    try work.check()
  }

  /// What `body` makes of each of `0..<count`, in their order.
  package static func map<Value: Sendable>(
    _ count: Int, width: Int, _ body: @escaping @Sendable (Int) throws(DSVError) -> Value
  ) throws(DSVError) -> [Value] {
    let results = Results<Value>(count)
    try forEach(count, width: width) { (index) throws(DSVError) in results.set(index, try body(index)) }
    return results.all
  }

  private final class Results<Value: Sendable>: Sendable {
    private let values: Mutex<[Value?]>
    init(_ count: Int) { values = Mutex(Array(repeating: nil, count: count)) }
    func set(_ index: Int, _ value: Value) { values.withLock { $0[index] = value } }
    var all: [Value] { values.withLock { $0.compactMap { $0 } } }
  }
}

/// Work on a thread of its own.
package final class Background: Sendable {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private let thread: Mutex<pthread_t?>

  /// Begins; where no thread can be had, ends before it returns.
  package init(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(Body(body))
    let code = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, argument.toOpaque())
    self.thread = Mutex(code == 0 ? thread : nil)
    guard code != 0 else { return }
    argument.release()
    body()
  }

  /// Waits for its end.
  package func join() {
    let thread = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    if let thread { pthread_join(thread, nil) }
  }
}
