package import DSVFormat

/// A key's hash, and the row that has the key.
package struct KeyEntry: Equatable, Sendable {
  package let hash: SipHash.Digest
  package let row: Int

  @inline(__always)
  package init(_ hash: SipHash.Digest, row: Int) { (self.hash, self.row) = (hash, row) }

  /// By hash, and rows with one hash in their order.
  @inline(__always)
  package static func < (a: KeyEntry, b: KeyEntry) -> Bool {
    a.hash == b.hash ? a.row < b.row : a.hash < b.hash
  }
}

/// As many keys as are held in memory at once, which can be looked up once they are sorted.
package struct KeyBatch: Sendable {
  /// 24 MB, and as much again while they are sorted.
  package static let countMax = 1 << 20

  private static let digitBitCount = 16

  /// In order, once ``sort()`` was called.
  package private(set) var entries: [KeyEntry] = []
  /// Where the entries begin whose hashes begin with each number of 16 bits, and where the last of them ends.
  private var starts: [Int32] = []

  package init() {}

  package var isFull: Bool { entries.count >= Self.countMax }

  package mutating func append(_ entry: KeyEntry) { entries.append(entry) }

  package mutating func removeAll() {
    entries.removeAll(keepingCapacity: true)
    starts = []
  }

  @inline(__always)
  private static func digit(_ hash: SipHash.Digest) -> Int { Int(hash.first >> UInt64(64 - digitBitCount)) }

  /// Puts the entries in order: by their first digit, and within it by insertion, as hashes are spread evenly.
  package mutating func sort() {
    var starts = [Int32](repeating: 0, count: 1 << Self.digitBitCount + 1)
    for entry in entries { starts[Self.digit(entry.hash) + 1] += 1 }
    for digit in 1..<starts.count { starts[digit] += starts[digit - 1] }
    var next = starts
    let count = entries.count
    let source = entries
    entries = [KeyEntry](unsafeUninitializedCapacity: count) { target, filledCount in
      guard let base = target.baseAddress else { return }
      for entry in source {
        let digit = Self.digit(entry.hash)
        (base + Int(next[digit])).initialize(to: entry)
        next[digit] += 1
      }
      filledCount = count
      for digit in 0..<starts.count - 1 {
        Self.insertionSort(base + Int(starts[digit]), Int(starts[digit + 1] - starts[digit]))
      }
    }
    self.starts = starts
  }

  private static func insertionSort(_ base: UnsafeMutablePointer<KeyEntry>, _ count: Int) {
    guard count > 1 else { return }
    for end in 1..<count where base[end] < base[end - 1] {
      let entry = base[end]
      var place = end
      while place > 0, entry < base[place - 1] {
        base[place] = base[place - 1]
        place -= 1
      }
      base[place] = entry
    }
  }

  /// Where the entries with this hash are; only after ``sort()``.
  @inline(__always)
  package func range(of hash: SipHash.Digest) -> Range<Int> {
    let digit = Self.digit(hash)
    var start = Int(starts[digit])
    let limit = Int(starts[digit + 1])
    while start < limit, entries[start].hash < hash { start += 1 }
    var end = start
    while end < limit, entries[end].hash == hash { end += 1 }
    return start..<end
  }
}
