/// Measures how much of a text is in n-grams of 5 to 10 words that occurred before. A port of datatrove's
/// `find_all_duplicate`.
///
/// An n-gram is its words joined by nothing; after one that occurred before, the search goes on behind it. N-grams are
/// compared by a 61-bit hash (see `WordHash`), but most are told apart sooner: one of 16 bytes or more occurs once if its
/// first 16 bytes do.
struct RepeatedNGrams: ~Copyable {
  /// How many bytes of an n-gram are looked at first.
  private static let headByteCount = 16
  /// Beyond so many words, one size is measured after the other, which needs a sixth of the memory.
  private static let manyWords = 1 << 17

  /// One table after the other, for each size; 0 is an empty slot.
  private var slots = ReusedBuffer<UInt64>()
  /// Where each word starts in the text without white space; and where the last one ends.
  private var starts = ReusedBuffer<UInt32>()
  /// How often heads occur, up to twice; heads that share a place count together, which costs time only.
  private var headCounts = ReusedBuffer<UInt8>()
  private var headPlaces = ReusedBuffer<UInt32>()
  private let seed = HashSeed.shared

  /// The summed length in scalars of the n-grams that occurred before, for each size from 5 to 10.
  ///
  /// - Parameter dense: The words joined by nothing.
  mutating func measure(
    _ words: borrowing ReusedBuffer<UInt32>, _ traits: UnsafePointer<WordTraits>,
    dense: borrowing ReusedBuffer<UInt8>
  ) -> InlineArray<6, Int> {
    var lengths = InlineArray<6, Int>(repeating: 0)
    guard words.count >= 5 else { return lengths }
    countHeads(words, traits, dense)
    if words.count <= Self.manyWords {
      measure(extras: 0..<6, words, traits, &lengths)
    } else {
      for extra in 0..<6 { measure(extras: extra..<extra + 1, words, traits, &lengths) }
    }
    slots.removeAll(keepingAtMost: 1 << 19)
    headCounts.removeAll(keepingAtMost: 1 << 19)
    headPlaces.removeAll(keepingAtMost: 1 << 18)
    starts.removeAll(keepingAtMost: 1 << 18)
    return lengths
  }

  /// Measures n-grams of 5 and so many extra words, with one table for each size.
  private mutating func measure(
    extras: Range<Int>, _ words: borrowing ReusedBuffer<UInt32>, _ traits: UnsafePointer<WordTraits>,
    _ lengths: inout InlineArray<6, Int>
  ) {
    let size = tableSize(words.count)
    slots.fill(extras.count * size, with: 0)
    let slots = slots.base
    let known = 4 + extras.lowerBound
    var resume = InlineArray<6, Int>(repeating: 0)
    for start in 0...words.count - 5 {
      let most = min(extras.upperBound, words.count &- start &- 4)
      if isUnique(start) || most <= extras.lowerBound { continue }
      var hash: UInt64 = 0
      for offset in 0..<known { hash = traits[Int(words[start &+ offset])].hash.appended(to: hash) }
      for extra in extras.lowerBound..<most {
        hash = traits[Int(words[start &+ 4 &+ extra])].hash.appended(to: hash)
        guard start >= resume[extra] else { continue }
        let table = slots + (extra &- extras.lowerBound) &* size
        if Self.insert(hash &+ 1, into: table, mask: size &- 1) { continue }
        resume[extra] = start &+ 5 &+ extra
        for offset in 0..<5 &+ extra {
          lengths[extra] &+= Int(traits[Int(words[start &+ offset])].scalarCount)
        }
      }
    }
  }

  /// Whether no n-gram that starts at that word equals another one, for certain.
  @inline(__always)
  private func isUnique(_ start: Int) -> Bool {
    Int(starts[start &+ 5] &- starts[start]) >= Self.headByteCount && headCounts[Int(headPlaces[start])] == 1
  }

  /// Counts the first bytes of what follows each word's start.
  private mutating func countHeads(
    _ words: borrowing ReusedBuffer<UInt32>, _ traits: UnsafePointer<WordTraits>,
    _ dense: borrowing ReusedBuffer<UInt8>
  ) {
    // A larger table tells more heads apart; where there are many words that is not worth its memory.
    let size = tableSize(words.count) * (words.count <= Self.manyWords ? 4 : 1)
    headCounts.fill(size, with: 0)
    headPlaces.removeAll()
    headPlaces.reserve(words.count)
    starts.removeAll()
    starts.reserve(words.count + 1)
    let raw = UnsafeRawPointer(dense.base)
    var start = 0
    for position in 0..<words.count {
      var place = 0
      if start &+ Self.headByteCount <= dense.count {
        let low = raw.loadUnaligned(fromByteOffset: start, as: UInt64.self)
        let high = raw.loadUnaligned(fromByteOffset: start &+ 8, as: UInt64.self)
        place = Int(truncatingIfNeeded: fold(low ^ seed.first, high ^ seed.second)) & (size &- 1)
        headCounts[place] = headCounts[place] == 0 ? 1 : 2
      }
      headPlaces.append(UInt32(truncatingIfNeeded: place))
      starts.append(UInt32(truncatingIfNeeded: start))
      start &+= Int(traits[Int(words[position])].byteCount)
    }
    starts.append(UInt32(truncatingIfNeeded: start))
  }

  /// Inserts `key`, which is not 0; returns whether it is new.
  @inline(__always)
  private static func insert(_ key: UInt64, into slots: UnsafeMutablePointer<UInt64>, mask: Int) -> Bool {
    var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
    while slots[slot] != key {
      if slots[slot] == 0 {
        slots[slot] = key
        return true
      }
      slot = (slot &+ 1) & mask
    }
    return false
  }
}
