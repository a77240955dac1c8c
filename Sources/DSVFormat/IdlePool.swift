import Synchronization

/// Objects with scratch memory worth keeping, each lent to one thread at a time.
package final class IdlePool<Item: AnyObject>: @unchecked Sendable {
  // Unchecked because an item that is not `Sendable` moves between threads: only ever while nobody uses it.
  private var idle: [Item] = []
  private let guardIdle = Mutex(())
  private let make: @Sendable () -> Item

  package init(_ make: @escaping @Sendable () -> Item) { self.make = make }

  /// Runs `body` with an item that nobody else uses meanwhile.
  package func with<Value, Failure: Error>(_ body: (Item) throws(Failure) -> Value) throws(Failure) -> Value {
    let item = take()
    defer { give(item) }
    return try body(item)
  }

  private func take() -> Item {
    return guardIdle.withLock { _ in idle.popLast() } ?? make()
  }

  private func give(_ item: Item) {
    guardIdle.withLock { _ in idle.append(item) }
  }
}
