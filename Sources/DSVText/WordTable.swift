/// What a word is, whatever the text around it.
struct WordFlags: OptionSet, BitwiseCopyable {
  let rawValue: UInt16

  /// Some scalar is a letter to CPython.
  static let hasLetter = WordFlags(rawValue: 1 << 0)
  /// Some scalar is outside datatrove's `PUNCTUATION_SET`.
  static let hasNonSymbol = WordFlags(rawValue: 1 << 1)
  /// It is one scalar, and that ends a sentence for spaCy.
  static let endsSentence = WordFlags(rawValue: 1 << 2)
  /// Every scalar is punctuation: spaCy's `is_punct`.
  static let punctuation = WordFlags(rawValue: 1 << 3)
  /// Some exception's pattern of several words starts with it.
  static let startsPhrase = WordFlags(rawValue: 1 << 4)
  /// Some exception's pattern has it after its first word.
  static let continuesPhrase = WordFlags(rawValue: 1 << 5)
}

/// One distinct word, 32 bytes.
struct WordTraits: BitwiseCopyable {
  var hash: WordHash
  var scalarCount: UInt32
  var byteCount: UInt32
  var flags: WordFlags
  /// One bit for each of Gopher's stop words, of which a word is at most one.
  var stopWord: UInt8
}

/// Numbers distinct words, and remembers what each one is.
///
/// Word 0 is any token of white space.
struct WordTable: ~Copyable {
  /// Gopher's stop words, in the order of their bits.
  static let stopWords: [StaticString] = ["the", "be", "to", "of", "and", "that", "have", "with"]

  private let classes = ScalarClassTable.shared
  private var index = StringIndex(slotCount: 1 << 14)
  private(set) var traits = ReusedBuffer<WordTraits>(capacity: 1 << 13)
  private var permanentKeys: [StringKey] = []
  private var stopKeys: [StringKey] = []

  init() {
    stopKeys = Self.stopWords.map { StringKey($0.utf8Start, $0.utf8CodeUnitCount, HashSeed.shared) }
    let space: StaticString = " "
    _ = number(space.utf8Start, 1)
  }

  var count: Int { index.count }

  /// The number of the word of `count` bytes at `bytes`.
  mutating func number(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> UInt32 {
    let key = index.key(bytes, count)
    let known = index.count
    let number = index.insert(key)
    if number == known { traits.append(describe(bytes, count, key)) }
    return UInt32(truncatingIfNeeded: number)
  }

  /// Adds `flag` to the word of that number.
  mutating func mark(_ word: UInt32, _ flag: WordFlags) {
    traits[Int(word)].flags.insert(flag)
  }

  /// Makes the words that it knows now permanent.
  mutating func keepPermanently() { permanentKeys = index.keys() }

  /// Forgets every word but the permanent ones, whose numbers and flags stay.
  mutating func removeAll() {
    index.removeAll(slotCount: 1 << 14, keepingAtMost: 1 << 18)
    for key in permanentKeys { _ = index.insert(key) }
    traits.truncate(to: permanentKeys.count)
  }

  private func describe(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ key: StringKey) -> WordTraits {
    var all = ScalarClass(rawValue: .max)
    var flags: WordFlags = []
    var scalarCount: UInt32 = 0
    var position = 0
    while position < count {
      let scalar = bytes.scalar(at: position, end: count)
      let kind = classes[scalar.value]
      all.formIntersection(kind)
      if kind.contains(.letter) { flags.insert(.hasLetter) }
      if !kind.contains(.symbol) { flags.insert(.hasNonSymbol) }
      position += scalar.byteCount
      scalarCount &+= 1
    }
    if all.contains(.punctuation) { flags.insert(.punctuation) }
    if scalarCount == 1, all.contains(.sentenceEnd) { flags.insert(.endsSentence) }
    let stopWord = stopKeys.firstIndex(of: key).map { UInt8(1) << UInt8($0) } ?? 0
    return WordTraits(
      hash: WordHash(bytes, count), scalarCount: scalarCount, byteCount: UInt32(truncatingIfNeeded: count),
      flags: flags, stopWord: stopWord)
  }
}
