/// Finds the commonest two, three and four words in a row. A port of datatrove's `find_top_duplicate`.
///
/// Exact: each n-gram is numbered by where it first stands, and one of n + 1 words is a pair of such a number and a word.
/// A long text is gone through several times, each time for a share of the pairs, so that the table stays in the cache
/// and never takes more than 8 MB.
struct CommonNGrams: ~Copyable {
  struct Slot: BitwiseCopyable {
    /// The pair, plus 1 in its upper half, so that 0 is an empty slot.
    var pair: UInt64
    /// Where the n-gram first stands.
    var first: UInt32
    var count: UInt32
  }

  private struct Best {
    var count: UInt32 = 0
    var first = UInt32.max
  }

  /// How many pairs a table takes, about.
  private static let pairCountMax = 1 << 18

  private var slots = ReusedBuffer<Slot>()
  /// The number of the n-gram that starts at each word, and of the one that is a word longer.
  private var numbers = ReusedBuffer<UInt32>()
  private var longer = ReusedBuffer<UInt32>()

  /// The length in scalars of the commonest n-gram, its words joined by a space, times its count: for n = 2, 3, 4. Of
  /// several, the first to occur counts. Nil where there are fewer words.
  mutating func measure(
    _ words: borrowing ReusedBuffer<UInt32>, _ traits: UnsafePointer<WordTraits>
  ) -> (two: Int?, three: Int?, four: Int?) {
    // What comes next needs the memory itself.
    defer {
      numbers.removeAll(keepingAtMost: 1 << 18)
      longer.removeAll(keepingAtMost: 1 << 18)
    }
    numbers.append(words.base, words.count)
    longer.reserve(words.count)
    return (measure(2, words, traits), measure(3, words, traits), measure(4, words, traits))
  }

  private mutating func measure(
    _ n: Int, _ words: borrowing ReusedBuffer<UInt32>, _ traits: UnsafePointer<WordTraits>
  ) -> Int? {
    let total = words.count - n + 1
    guard total > 0 else { return nil }
    var best = Best()
    let shareCount = (total + Self.pairCountMax - 1) / Self.pairCountMax
    let tableCount = tableSize(shareCount == 1 ? total : Self.pairCountMax)
    for share in 0..<shareCount {
      slots.fill(tableCount, with: Slot(pair: 0, first: 0, count: 0))
      count(n, words, total, share: UInt64(share), of: UInt64(shareCount), &best)
    }
    swap(&numbers, &longer)
    var length = n - 1
    for position in Int(best.first)..<Int(best.first) + n {
      length += Int(traits[Int(words[position])].scalarCount)
    }
    return length * Int(best.count)
  }

  /// Counts those n-grams whose pairs belong to a share.
  private mutating func count(
    _ n: Int, _ words: borrowing ReusedBuffer<UInt32>, _ total: Int, share: UInt64, of shareCount: UInt64,
    _ best: inout Best
  ) {
    var distinctCount = 0
    for position in 0..<total {
      let pair = (UInt64(numbers[position]) &+ 1) << 32 | UInt64(words[position &+ n &- 1])
      let hash = pair &* 0x9E37_79B9_7F4A_7C15
      if shareCount > 1, (hash >> 32) &* shareCount >> 32 != share { continue }
      let mask = slots.count &- 1
      var slot = Int(truncatingIfNeeded: hash >> 32) & mask
      while slots[slot].pair != pair {
        if slots[slot].pair == 0 {
          slots[slot] = Slot(pair: pair, first: UInt32(truncatingIfNeeded: position), count: 0)
          distinctCount &+= 1
          break
        }
        slot = (slot &+ 1) & mask
      }
      slots.base[slot].count &+= 1
      let (count, first) = (slots[slot].count, slots[slot].first)
      (longer.base + position).initialize(to: first)
      if count > best.count || count == best.count && first < best.first {
        best = Best(count: count, first: first)
      }
      if distinctCount &* 4 > slots.count &* 3 { grow() }
    }
  }

  /// Doubles the table: a share may have more pairs than is usual.
  private mutating func grow() {
    var larger = ReusedBuffer<Slot>()
    larger.fill(slots.count * 2, with: Slot(pair: 0, first: 0, count: 0))
    let mask = larger.count - 1
    for index in 0..<slots.count where slots[index].pair != 0 {
      var slot = Int(truncatingIfNeeded: (slots[index].pair &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
      while larger[slot].pair != 0 { slot = (slot &+ 1) & mask }
      larger[slot] = slots[index]
    }
    slots = larger
  }
}

/// How many slots a table for `count` keys has: a power of two, at least one and a half times as many.
func tableSize(_ count: Int) -> Int {
  let wanted = max(count + count >> 1, 15)
  return 1 << (Int.bitWidth - wanted.leadingZeroBitCount)
}
