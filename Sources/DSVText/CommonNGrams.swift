/// Finds the commonest two, three and four words in a row. A port of datatrove's `find_top_duplicate`.
///
/// Exact: each n-gram is numbered, and one of n + 1 words is a pair of such a number and a word.
struct CommonNGrams: ~Copyable {
  struct Slot: BitwiseCopyable {
    /// The pair, plus 1 in its upper half, so that 0 is an empty slot.
    var pair: UInt64
    var number: UInt32
    var count: UInt32
  }

  private var slots = ReusedBuffer<Slot>()
  /// The number of the n-gram that starts at each word.
  private var numbers = ReusedBuffer<UInt32>()

  /// The length in scalars of the commonest n-gram, its words joined by a space, times its count: for n = 2, 3, 4. Of
  /// several, the first to occur counts. Nil where there are fewer words.
  mutating func measure(
    _ words: borrowing ReusedBuffer<UInt32>, _ traits: UnsafePointer<WordTraits>
  ) -> (two: Int?, three: Int?, four: Int?) {
    numbers.removeAll(keepingAtMost: 1 << 20)
    numbers.reserve(words.count)
    for position in 0..<words.count { numbers.append(words[position]) }
    let found = (measure(2, words, traits), measure(3, words, traits), measure(4, words, traits))
    slots.removeAll(keepingAtMost: 1 << 20)
    return found
  }

  private mutating func measure(
    _ n: Int, _ words: borrowing ReusedBuffer<UInt32>, _ traits: UnsafePointer<WordTraits>
  ) -> Int? {
    let total = words.count - n + 1
    guard total > 0 else { return nil }
    let mask = tableSize(total) - 1
    slots.fill(mask + 1, with: Slot(pair: 0, number: 0, count: 0))
    let slots = slots.base
    let numbers = numbers.base
    var distinct: UInt32 = 0
    var best = (count: 0 as UInt32, number: 0 as UInt32, position: 0)
    for position in 0..<total {
      let pair = (UInt64(numbers[position]) &+ 1) << 32 | UInt64(words[position &+ n &- 1])
      var slot = Int(truncatingIfNeeded: (pair &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
      while slots[slot].pair != pair {
        if slots[slot].pair == 0 {
          slots[slot] = Slot(pair: pair, number: distinct, count: 0)
          distinct &+= 1
          break
        }
        slot = (slot &+ 1) & mask
      }
      slots[slot].count &+= 1
      let (count, number) = (slots[slot].count, slots[slot].number)
      numbers[position] = number
      if count > best.count || count == best.count && number < best.number {
        best = (count, number, position)
      }
    }
    var length = n - 1
    for position in best.position..<best.position + n {
      length += Int(traits[Int(words[position])].scalarCount)
    }
    return length * Int(best.count)
  }
}

/// How many slots a table for `count` keys has: a power of two, at least one and a half times as many.
func tableSize(_ count: Int) -> Int {
  let wanted = max(count + count >> 1, 15)
  return 1 << (Int.bitWidth - wanted.leadingZeroBitCount)
}
