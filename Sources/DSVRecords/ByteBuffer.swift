import Glibc

/// A growing run of raw bytes that belongs to one owner.
package struct ByteBuffer: ~Copyable {
  private var base: UnsafeMutableRawPointer?
  /// Bytes written.
  package private(set) var count = 0
  /// Bytes that there is room for.
  package private(set) var capacity = 0

  /// An empty buffer, which allocates nothing yet.
  package init() {}

  deinit { free(base) }

  /// What has been written. Valid until the next change.
  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  /// Ensures room for `more` bytes and returns where they go; ``advance(by:)`` then counts what was written.
  package mutating func reserve(_ more: Int) -> UnsafeMutableRawPointer {
    if let base, capacity - count >= more { return base + count }
    return grow(more) + count
  }

  /// Counts `written` bytes at the place that ``reserve(_:)`` returned.
  package mutating func advance(by written: Int) { count += written }

  /// Appends one byte.
  package mutating func append(_ byte: UInt8) {
    reserve(1).storeBytes(of: byte, as: UInt8.self)
    count += 1
  }

  /// Appends a copy of the bytes.
  package mutating func append(_ more: UnsafeRawBufferPointer) {
    guard let start = more.baseAddress, more.count > 0 else { return }
    reserve(more.count).copyMemory(from: start, byteCount: more.count)
    count += more.count
  }

  /// Appends the UTF-8 of a literal.
  package mutating func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends the text's UTF-8.
  package mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  /// Forgets the bytes and keeps the room.
  package mutating func removeAll() { count = 0 }

  /// Forgets the bytes from `count` on.
  package mutating func truncate(to count: Int) {
    precondition(count <= self.count)
    self.count = count
  }

  /// Drops the first `dropped` bytes and moves the rest to the front.
  package mutating func removeFirst(_ dropped: Int) {
    precondition(dropped <= count)
    if let base, dropped > 0 { memmove(base, base + dropped, count - dropped) }
    count -= dropped
  }

  /// The bytes as an array, for whoever keeps them.
  package var array: [UInt8] { Array(bytes) }

  private mutating func grow(_ more: Int) -> UnsafeMutableRawPointer {
    let wanted = max(256, count + more, min(capacity * 2, capacity + 1 << 26))
    guard let bigger = realloc(base, wanted) else { preconditionFailure("no memory for \(wanted) bytes") }
    base = bigger
    capacity = wanted
    return bigger
  }
}

extension UnsafeRawBufferPointer {
  /// Whether these are just the bytes of `word`.
  func isEqual(_ word: StaticString) -> Bool {
    guard count == word.utf8CodeUnitCount, let baseAddress else { return count == word.utf8CodeUnitCount }
    return memcmp(baseAddress, word.utf8Start, count) == 0
  }
}
