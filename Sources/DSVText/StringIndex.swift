/// Numbers distinct strings 0, 1, 2 … in the order of their first sight. Open addressing, at most half full.
struct StringIndex: ~Copyable {
  struct Slot: BitwiseCopyable {
    var key: StringKey
    /// The string's number, plus 1; 0 is an empty slot.
    var number: UInt32
  }

  private static let empty = Slot(key: StringKey(), number: 0)

  private var slots = ReusedBuffer<Slot>()
  /// The slots before they last grew.
  private var spare = ReusedBuffer<Slot>()
  private var mask: Int
  private let seed = HashSeed.shared
  private(set) var count = 0

  /// - Parameter slotCount: How many slots it has when empty; a power of two.
  init(slotCount: Int) {
    mask = slotCount - 1
    slots.fill(slotCount, with: Self.empty)
  }

  /// What stands for the `count` bytes at `bytes`.
  @inline(__always)
  func key(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> StringKey { StringKey(bytes, count, seed) }

  /// The number of `key`, which is `count` as it was before if it is new.
  @inline(__always)
  mutating func insert(_ key: StringKey) -> Int {
    var slot = Int(truncatingIfNeeded: key.slotHash(seed)) & mask
    while slots[slot].number != 0 {
      if slots[slot].key == key { return Int(slots[slot].number) &- 1 }
      slot = (slot &+ 1) & mask
    }
    count &+= 1
    slots[slot] = Slot(key: key, number: UInt32(truncatingIfNeeded: count))
    if count &* 2 > mask { grow() }
    return count &- 1
  }

  /// The number of `key`, if it was inserted.
  func find(_ key: StringKey) -> Int? {
    var slot = Int(truncatingIfNeeded: key.slotHash(seed)) & mask
    while slots[slot].number != 0 {
      if slots[slot].key == key { return Int(slots[slot].number) - 1 }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// The strings in the order of their numbers.
  func keys() -> [StringKey] {
    var keys = [StringKey](repeating: StringKey(), count: count)
    for slot in 0..<slots.count where slots[slot].number != 0 {
      keys[Int(slots[slot].number) - 1] = slots[slot].key
    }
    return keys
  }

  /// Forgets every string; goes back to `slotCount` slots, a power of two, and gives memory for more than `limit` back.
  mutating func removeAll(slotCount: Int, keepingAtMost limit: Int = .max) {
    slots.removeAll(keepingAtMost: limit)
    spare.removeAll(keepingAtMost: limit)
    slots.fill(slotCount, with: Self.empty)
    mask = slotCount - 1
    count = 0
  }

  @inline(never)
  private mutating func grow() {
    swap(&slots, &spare)
    slots.fill(spare.count * 2, with: Self.empty)
    mask = slots.count - 1
    for index in 0..<spare.count where spare[index].number != 0 {
      var slot = Int(truncatingIfNeeded: spare[index].key.slotHash(seed)) & mask
      while slots[slot].number != 0 { slot = (slot + 1) & mask }
      slots[slot] = spare[index]
    }
    spare.removeAll(keepingAtMost: 1 << 18)
  }
}
