/// A growing array of plain values whose memory stays when it is emptied.
///
/// Bounds are the caller's: the hot loops index it unchecked.
struct ReusedBuffer<Element: BitwiseCopyable>: ~Copyable {
  private(set) var base: UnsafeMutablePointer<Element>
  private(set) var count = 0
  private(set) var capacity: Int

  init(capacity: Int = 64) {
    self.capacity = capacity
    base = Self.allocate(capacity)
  }

  deinit { base.deallocate() }

  @inline(__always)
  subscript(index: Int) -> Element {
    get { base[index] }
    nonmutating set { base[index] = newValue }
  }

  /// The last element; it is not empty.
  @inline(__always)
  var last: Element { base[count - 1] }

  @inline(__always)
  mutating func append(_ element: Element) {
    if count == capacity { reserve(count + 1) }
    (base + count).initialize(to: element)
    count += 1
  }

  /// Makes room for `needed` elements in all; keeps those that are there.
  @inline(never)
  mutating func reserve(_ needed: Int) {
    guard needed > capacity else { return }
    let larger = max(needed, capacity * 2)
    let moved = Self.allocate(larger)
    moved.moveInitialize(from: base, count: count)
    base.deallocate()
    base = moved
    capacity = larger
  }

  /// Appends `count` elements from `source`.
  @inline(__always)
  mutating func append(_ source: UnsafePointer<Element>, _ count: Int) {
    if self.count &+ count > capacity { reserve(self.count + count) }
    let target = base + self.count
    for index in 0..<count { target[index] = source[index] }
    self.count &+= count
  }

  /// Keeps the first `count` elements.
  mutating func truncate(to count: Int) { self.count = count }

  /// Empties it, and gives memory for more than `limit` elements back.
  mutating func removeAll(keepingAtMost limit: Int = .max) {
    count = 0
    guard capacity > limit else { return }
    base.deallocate()
    capacity = max(limit, 1)
    base = Self.allocate(capacity)
  }

  /// Makes it `count` copies of `element`.
  mutating func fill(_ count: Int, with element: Element) {
    self.count = 0
    reserve(count)
    base.initialize(repeating: element, count: count)
    self.count = count
  }

  /// Starts at a cache line, so that an element whose size divides 64 lies in one.
  private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Element> {
    UnsafeMutableRawPointer.allocate(byteCount: capacity * MemoryLayout<Element>.stride, alignment: 64)
      .bindMemory(to: Element.self, capacity: capacity)
  }
}
