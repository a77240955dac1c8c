import DSVColumns
import DSVFormat
import DSVTesting
import Testing

/// The memory tier by itself: what stays, what goes, and in which order.
@Suite struct ObjectCacheTests {
  private static func id(_ number: Int) -> ColumnID { testID(UInt64(number)) }

  /// Asks for an object as a reader does: who misses it puts it there. Returns whether it was there.
  @discardableResult
  private static func read(_ cache: ObjectCache, _ number: Int, byteCount: Int = 1) -> Bool {
    if cache.content(id(number)) != nil { return true }
    cache.insert(id(number), .plain([], .chunk), byteCount: byteCount)
    return false
  }

  /// Which of these are there; looking is no use of them.
  private static func held(_ cache: ObjectCache, _ numbers: some Sequence<Int>) -> [Int] {
    numbers.filter { cache.contains(id($0)) }
  }

  @Test("without hits, the oldest goes first, one for each that comes")
  func oldestFirst() {
    let cache = ObjectCache(byteCountMax: 4)
    for number in 0..<4 { Self.read(cache, number) }
    #expect(cache.counts.evictionCount == 0)
    for number in 4..<10 {
      Self.read(cache, number)
      #expect(Self.held(cache, 0...number) == Array(number - 3...number))
    }
    let counts = cache.counts
    #expect(counts.byteCount == 4 && counts.objectCount == 4 && counts.evictionCount == 6)
    #expect(counts.hitCount == 0 && counts.missCount == 10)
  }

  /// The paper's rule step by step. First in, first out would lose 0 at once; by last use 0 would go, not 4, where 6 comes.
  @Test("the hand skips what was hit, forgets the hit, and stays where it is; new ones come in at the head")
  func hand() {
    let cache = ObjectCache(byteCountMax: 4)
    for number in 0..<4 { Self.read(cache, number) }
    #expect(Self.read(cache, 0) && Self.read(cache, 2))
    // The oldest, 0, was hit: skipped. 1 goes; the hand stays at 2.
    Self.read(cache, 4)
    #expect(Self.held(cache, 0..<5) == [0, 2, 3, 4])
    // 2 was hit: skipped. 3 goes, though 0's hit is forgotten: it lies behind the hand.
    Self.read(cache, 5)
    #expect(Self.held(cache, 0..<6) == [0, 2, 4, 5])
    // 4 and 5 came in at the head: the hand has them in front of it.
    Self.read(cache, 6)
    #expect(Self.held(cache, 0..<7) == [0, 2, 5, 6])
    // 5 and 6 are hit: the hand goes over the head and begins again with the oldest, whose hits are forgotten.
    #expect(Self.read(cache, 5) && Self.read(cache, 6))
    Self.read(cache, 7)
    #expect(Self.held(cache, 0..<8) == [2, 5, 6, 7])
    Self.read(cache, 8)
    #expect(Self.held(cache, 0..<9) == [5, 6, 7, 8])
    // So are those of 5 and 6, by the hand that went over them.
    Self.read(cache, 9)
    #expect(Self.held(cache, 0..<10) == [6, 7, 8, 9])
    #expect(cache.counts.evictionCount == 6)
  }

  @Test("where all were hit, a round forgets it and the oldest goes")
  func allHit() {
    let cache = ObjectCache(byteCountMax: 4)
    for number in 0..<4 { Self.read(cache, number) }
    for number in (0..<4).reversed() { #expect(Self.read(cache, number)) }
    Self.read(cache, 4)
    #expect(Self.held(cache, 0..<5) == [1, 2, 3, 4])
  }

  @Test("a scan of what is read once does not push out what is read again and again")
  func scan() {
    let cache = ObjectCache(byteCountMax: 100)
    let hot = 0..<20
    for number in hot { Self.read(cache, number) }
    for number in hot { #expect(Self.read(cache, number)) }
    // Between two looks at the same hot object 200 others come by: more than there is room for. By last use, as by age, the hot
    // one would be gone.
    var missCount = 0
    for number in 0..<4000 {
      Self.read(cache, 1000 + number)
      if number % 10 == 9, !Self.read(cache, number / 10 % hot.count) { missCount += 1 }
    }
    #expect(missCount == 0)
    #expect(Self.held(cache, hot) == Array(hot))
    #expect(cache.byteCount == 100)
    #expect(cache.counts.evictionCount == 4020 - 100)
  }

  @Test(
    "no more bytes than were allowed are held, whatever comes; what is too large for a quarter is not taken")
  func byteBound() {
    let cache = ObjectCache(byteCountMax: 1000)
    var random = DSVTesting.SeededGenerator(seed: 5)
    for _ in 0..<5000 {
      Self.read(cache, random.below(300), byteCount: random.oneIn(20) ? 250 : random.below(250))
      #expect(cache.byteCount <= 1000)
    }
    #expect(cache.byteCount > 500)
    let before = cache.counts
    cache.insert(Self.id(1000), .plain([], .chunk), byteCount: 251)
    #expect(cache.counts == before && !cache.contains(Self.id(1000)))
    let none = ObjectCache(byteCountMax: 0)
    Self.read(none, 1)
    #expect(none.counts.objectCount == 0)
    cache.removeAll()
    #expect(cache.counts.byteCount == 0 && cache.counts.objectCount == 0)
    #expect(cache.counts.evictionCount == before.evictionCount && cache.counts.hitCount == before.hitCount)
  }

  // MARK: - Against a model

  /// SIEVE as its paper tells it, in a list: the newest first.
  private struct Model {
    struct Entry {
      let number: Int
      let byteCount: Int
      var isVisited = false
    }

    let byteCountMax: Int
    var entries: [Entry] = []
    /// The object the hand is at; `nil`: at the oldest.
    var hand: Int?
    var evictionCount = 0

    var byteCount: Int { entries.reduce(0) { $0 + $1.byteCount } }

    mutating func hit(_ number: Int) -> Bool {
      guard let index = entries.firstIndex(where: { $0.number == number }) else { return false }
      entries[index].isVisited = true
      return true
    }

    mutating func insert(_ number: Int, byteCount: Int, insteadOf old: Int?) {
      guard byteCount * 4 <= byteCountMax, !entries.contains(where: { $0.number == number }) else { return }
      if let old, let index = entries.firstIndex(where: { $0.number == old }) { take(index) }
      while self.byteCount + byteCount > byteCountMax { evict() }
      entries.insert(Entry(number: number, byteCount: byteCount), at: 0)
    }

    private mutating func evict() {
      var index = entries.firstIndex { $0.number == hand } ?? entries.count - 1
      while entries[index].isVisited {
        entries[index].isVisited = false
        index = index == 0 ? entries.count - 1 : index - 1
      }
      hand = entries[index].number
      evictionCount += 1
      take(index)
    }

    /// Where the hand was at it, it is at the next newer one.
    private mutating func take(_ index: Int) {
      if entries[index].number == hand { hand = index == 0 ? nil : entries[index - 1].number }
      entries.remove(at: index)
    }
  }

  @Test("random traces leave in it what a model of SIEVE has", arguments: 0..<20)
  func model(seed: Int) {
    var random = DSVTesting.SeededGenerator(seed: UInt64(seed))
    let byteCountMax = 20 + random.below(200)
    let cache = ObjectCache(byteCountMax: byteCountMax)
    var model = Model(byteCountMax: byteCountMax)
    let objectCount = 10 + random.below(100)
    var hitCount = 0
    for step in 0..<1000 {
      // The lower numbers more often.
      let number = random.below(1 + random.below(objectCount))
      let isThere = cache.content(Self.id(number)) != nil
      #expect(isThere == model.hit(number), "seed \(seed), step \(step)")
      if isThere { hitCount += 1 }
      if !isThere || random.oneIn(30) {
        let byteCount = random.below(byteCountMax / 3)
        let old = random.oneIn(10) ? random.below(objectCount) : nil
        cache.insert(
          Self.id(number), .plain([], .chunk), byteCount: byteCount, insteadOf: old.map(Self.id))
        model.insert(number, byteCount: byteCount, insteadOf: old)
      }
      if random.oneIn(400) {
        cache.removeAll()
        (model.entries, model.hand) = ([], nil)
      }
      #expect(
        Self.held(cache, 0..<objectCount) == model.entries.map(\.number).sorted(),
        "seed \(seed), step \(step)")
    }
    #expect(cache.byteCount == model.byteCount && cache.byteCount <= byteCountMax)
    #expect(cache.counts.evictionCount == model.evictionCount && model.evictionCount > 0, "seed \(seed)")
    #expect(cache.counts.hitCount == hitCount && hitCount > 0)
    #expect(cache.counts.missCount == 1000 - hitCount)
  }
}
