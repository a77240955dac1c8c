import Synchronization

/// Objects with scratch memory worth keeping, each lent to one thread at a time.
package final class IdlePool<Item: AnyObject>: @unchecked Sendable {
  // Unchecked because an item that is not `Sendable` moves between threads: only ever while nobody uses it.
  private var idle: [Item] = []
  private let guardIdle = Mutex(())
  private let byteCount: @Sendable (Item) -> Int
  private let make: @Sendable () -> Item

  /// What an item may hold and still be kept. A chunk of usual size takes far less; a single value may take a thousand
  /// times as much, and nobody would give that back.
  private static var keptByteCountMax: Int { 8 << 20 }

  /// - Parameter byteCount: how much memory an item holds. One that has grown large is let go.
  package init(
    byteCount: @escaping @Sendable (Item) -> Int = { _ in 0 }, _ make: @escaping @Sendable () -> Item
  ) {
    (self.byteCount, self.make) = (byteCount, make)
  }

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
    if byteCount(item) > Self.keptByteCountMax { return }
    guardIdle.withLock { _ in idle.append(item) }
  }
}
