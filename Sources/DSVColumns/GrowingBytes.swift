/// Raw memory that grows at its end and is reused after `removeAll()`.
///
/// For one owner on one thread at a time; the last bytes are always followed by 16 readable ones.
package final class GrowingBytes {
  // Appending is the innermost loop of writing, and a run-time check of exclusive access costs more than it. One thread
  // owns the memory, and no access calls out, so accesses cannot overlap.
  @exclusivity(unchecked) package private(set) var base: UnsafeMutableRawPointer
  @exclusivity(unchecked) package private(set) var count = 0
  @exclusivity(unchecked) private(set) var capacity: Int

  package init(capacity: Int = 64) {
    self.capacity = max(64, capacity)
    base = .allocate(byteCount: self.capacity + 16, alignment: 64)
  }

  deinit { base.deallocate() }

  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  package func removeAll() { count = 0 }

  /// Makes room for `more` bytes at the end, and returns where they go. Their content is undefined.
  @inline(__always)
  package func grow(by more: Int) -> UnsafeMutableRawPointer {
    if count + more > capacity { reallocate(count + more) }
    defer { count += more }
    return base + count
  }

  @inline(__always)
  package func append<T: BitwiseCopyable>(_ value: T) {
    grow(by: MemoryLayout<T>.size).storeBytes(of: value, as: T.self)
  }

  package func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress else { return }
    grow(by: bytes.count).copyMemory(from: source, byteCount: bytes.count)
  }

  package func appendZeros(_ more: Int) {
    grow(by: more).initializeMemory(as: UInt8.self, repeating: 0, count: more)
  }

  /// Zeros up to the next multiple of 8.
  package func align8() { appendZeros(-count & 7) }

  /// Makes room for `more` bytes: as many can be grown by before the memory moves.
  package func reserve(_ more: Int) {
    if count + more > capacity { reallocate(count + more) }
  }

  private func reallocate(_ wanted: Int) {
    let newCapacity = max(wanted, capacity * 2)
    let newBase = UnsafeMutableRawPointer.allocate(byteCount: newCapacity + 16, alignment: 64)
    newBase.copyMemory(from: base, byteCount: count)
    base.deallocate()
    base = newBase
    capacity = newCapacity
  }
}
