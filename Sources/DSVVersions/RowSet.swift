/// A set of rows: a bitmap of which only the pages that hold a row are there.
///
/// One bit for each row of the table at most, 4 KiB for each row of the set at most.
struct RowSet {
  private static let pageRowCount = 1 << 15
  private static let pageWordCount = pageRowCount / 64
  private var pages: [Int: [UInt64]] = [:]
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func insert(_ row: Int) { insert(1 << UInt64(row & 63), word: row >> 6) }

  /// Inserts `row + i` for every bit `i` of `mask`.
  mutating func insert(_ mask: UInt64, at row: Int) {
    let shift = UInt64(row & 63)
    insert(mask << shift, word: row >> 6)
    if shift > 0 { insert(mask >> (64 - shift), word: row >> 6 + 1) }
  }

  mutating func insert(_ rows: Range<Int>) {
    var row = rows.lowerBound
    while row < rows.upperBound {
      let end = min(rows.upperBound, (row | 63) + 1)
      insert((end - row == 64 ? .max : 1 << UInt64(end - row) - 1) << UInt64(row & 63), word: row >> 6)
      row = end
    }
  }

  private mutating func insert(_ bits: UInt64, word: Int) {
    if bits == 0 { return }
    let (page, index) = (word / Self.pageWordCount, word % Self.pageWordCount)
    let new = bits & ~(pages[page]?[index] ?? 0)
    pages[page, default: [UInt64](repeating: 0, count: Self.pageWordCount)][index] |= bits
    count += new.nonzeroBitCount
  }

  struct Iterator: IteratorProtocol {
    private let pages: [(number: Int, words: [UInt64])]
    private var (page, word) = (0, -1)
    private var bits: UInt64 = 0

    fileprivate init(_ pages: [Int: [UInt64]]) {
      self.pages = pages.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    mutating func next() -> Int? {
      while bits == 0 {
        word += 1
        if word == RowSet.pageWordCount { (page, word) = (page + 1, 0) }
        guard page < pages.count else {
          word = -1
          return nil
        }
        bits = pages[page].words[word]
      }
      defer { bits &= bits - 1 }
      return pages[page].number * RowSet.pageRowCount + word * 64 + bits.trailingZeroBitCount
    }
  }

  /// The rows in order.
  func makeIterator() -> Iterator { Iterator(pages) }

  func contains(_ row: Int) -> Bool {
    let word = row >> 6
    guard let page = pages[word / Self.pageWordCount] else { return false }
    return page[word % Self.pageWordCount] >> UInt64(row & 63) & 1 == 1
  }

  func count(in rows: Range<Int>) -> Int {
    if isEmpty || rows.isEmpty { return 0 }
    var sum = 0
    let wanted = rows.lowerBound / Self.pageRowCount...(rows.upperBound - 1) / Self.pageRowCount
    for (number, page) in pages where wanted.contains(number) {
      for (index, bits) in page.enumerated() where bits != 0 {
        let start = number * Self.pageRowCount + index * 64
        var bits = bits
        if start < rows.lowerBound {
          if rows.lowerBound - start >= 64 { continue }
          bits &= .max << UInt64(rows.lowerBound - start)
        }
        if start + 64 > rows.upperBound {
          if rows.upperBound <= start { continue }
          bits &= .max >> UInt64(start + 64 - rows.upperBound)
        }
        sum += bits.nonzeroBitCount
      }
    }
    return sum
  }

  /// Calls `body` with each row that `other` does not have, in order.
  func forEachRow<E: Error>(without other: RowSet = RowSet(), _ body: (Int) throws(E) -> Void) throws(E) {
    for (number, page) in pages.sorted(by: { $0.key < $1.key }) {
      let out = other.pages[number]
      for index in page.indices {
        var bits = page[index] & ~(out?[index] ?? 0)
        while bits != 0 {
          try body(number * Self.pageRowCount + index * 64 + bits.trailingZeroBitCount)
          bits &= bits - 1
        }
      }
    }
  }
}
