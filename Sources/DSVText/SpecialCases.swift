/// spaCy's exceptions: strings that are split in a given way, whatever the patterns say.
struct SpecialCases: ~Copyable {
  private var index = StringIndex(slotCount: 1 << 12)
  private var firstWord: [Int] = []
  private var words: [UInt32] = []
  /// The longest exception, in bytes: no other string needs to be looked up.
  private(set) var longest = 0

  /// Reads the list, and numbers its words in `table`.
  init(numberingIn table: inout WordTable) {
    for rule in Self.rules() {
      let string = rule.flatMap(\.self)
      longest = max(longest, string.count)
      let known = index.count
      guard string.withUnsafeBufferPointer({ Self.insert($0, into: &index) }) == known else { continue }
      firstWord.append(words.count)
      words += rule.map { word in
        word.withUnsafeBufferPointer { bytes in
          bytes.baseAddress.map { table.number($0, bytes.count) } ?? 0
        }
      }
    }
    firstWord.append(words.count)
  }

  var count: Int { index.count }

  /// The words of the exception of that number.
  func words(of number: Int) -> ArraySlice<UInt32> { words[firstWord[number]..<firstWord[number + 1]] }

  /// The number of the exception that is the `count` bytes at `bytes`, if there is one.
  func find(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int? {
    guard count > 0, count <= longest else { return nil }
    return index.find(index.key(bytes, count))
  }

  private static func insert(_ bytes: UnsafeBufferPointer<UInt8>, into index: inout StringIndex) -> Int {
    guard let base = bytes.baseAddress else { return -1 }
    return index.insert(index.key(base, bytes.count))
  }

  /// Each exception as its words; those with an apostrophe also with U+2019 in its place.
  static func rules() -> [[[UInt8]]] {
    let list = EnglishExceptions.list
    let bytes = UnsafeBufferPointer(start: list.utf8Start, count: list.utf8CodeUnitCount)
    var rules: [[[UInt8]]] = []
    for entry in bytes.split(whereSeparator: { $0 == 0x20 || $0 == 0x0A }) {
      let rule = splitAtBars(Array(entry))
      rules.append(rule)
      if entry.contains(UInt8(ascii: "'")) {
        rules.append(rule.map { $0.flatMap { $0 == UInt8(ascii: "'") ? [0xE2, 0x80, 0x99] : [$0] } })
      }
    }
    return rules
  }

  /// Splits at each U+00A6.
  private static func splitAtBars(_ entry: [UInt8]) -> [[UInt8]] {
    var words: [[UInt8]] = [[]]
    var position = 0
    while position < entry.count {
      if entry[position] == 0xC2, position + 1 < entry.count, entry[position + 1] == 0xA6 {
        words.append([])
        position += 2
      } else {
        words[words.count - 1].append(entry[position])
        position += 1
      }
    }
    return words
  }
}
