/// What was seen at one place of a row: the counts that a type is inferred from.
struct KindNode: BitwiseCopyable {
  var nullCount = 0
  var boolCount = 0
  /// Integers within 64 bits with sign.
  var int64Count = 0
  /// Integers beyond that and within 64 bits without sign.
  var uint64Count = 0
  var doubleCount = 0
  var bigNumberCount = 0
  var stringCount = 0
  var objectCount = 0
  var arrayCount = 0
  /// Strings that stand for a float: `NaN`, `Infinity`, `-Infinity`.
  var floatWordCount = 0

  var minInt64 = Int64.max
  var maxInt64 = Int64.min
  var maxUInt64: UInt64 = 0
  /// The largest magnitude of a double.
  var maxMagnitude = 0.0
  var minElementCount = Int.max
  var maxElementCount = 0

  var nameOffset = 0
  var nameByteCount = 0
  let level: Int32
  /// Indexes of nodes; −1 is none.
  var parent: Int32 = -1
  var firstChild: Int32 = -1
  var lastChild: Int32 = -1
  var nextSibling: Int32 = -1
  var element: Int32 = -1
  var childCount: Int32 = 0
  /// Whether values here are too deep, or have too many keys, to be taken apart.
  var isWhole = false

  init(level: Int32) { self.level = level }

  var canDescend: Bool { !isWhole && level < Int32(KindSummary.maxLevel) }

  var numberCount: Int { int64Count + uint64Count + doubleCount + bigNumberCount }

  /// Values seen, nulls among them.
  var valueCount: Int { nullCount + boolCount + numberCount + stringCount + objectCount + arrayCount }

  /// How many of bool, number, string, object and array were seen.
  var kindCount: Int {
    (boolCount > 0 ? 1 : 0) + (numberCount > 0 ? 1 : 0) + (stringCount > 0 ? 1 : 0)
      + (objectCount > 0 ? 1 : 0) + (arrayCount > 0 ? 1 : 0)
  }

  /// Whether every integer is a double's value exactly: at most 2^53 in magnitude.
  var areIntegersExactDoubles: Bool { areIntegers(within: 1 << 53) }

  /// Whether no integer's magnitude is above `limit`.
  func areIntegers(within limit: Int64) -> Bool {
    uint64Count == 0 && (int64Count == 0 || (minInt64 >= -limit && maxInt64 <= limit))
  }

  mutating func observe(scalar event: Event) {
    switch event.kind {
    case .string:
      stringCount += 1
      if event.length <= 9 { observe(shortText: event.text) }
    case .int64:
      int64Count += 1
      if event.int64 < minInt64 { minInt64 = event.int64 }
      if event.int64 > maxInt64 { maxInt64 = event.int64 }
    case .double:
      doubleCount += 1
      if event.double.magnitude > maxMagnitude { maxMagnitude = event.double.magnitude }
    case .null: nullCount += 1
    case .true, .false: boolCount += 1
    case .uint64:
      uint64Count += 1
      maxUInt64 = max(maxUInt64, event.uint64)
    default: bigNumberCount += 1
    }
  }

  mutating func observe(arrayOf elementCount: Int) {
    arrayCount += 1
    minElementCount = min(minElementCount, elementCount)
    maxElementCount = max(maxElementCount, elementCount)
  }

  /// Adds what another node saw at the same place.
  mutating func merge(_ other: KindNode) {
    nullCount += other.nullCount
    boolCount += other.boolCount
    int64Count += other.int64Count
    uint64Count += other.uint64Count
    doubleCount += other.doubleCount
    bigNumberCount += other.bigNumberCount
    stringCount += other.stringCount
    objectCount += other.objectCount
    arrayCount += other.arrayCount
    floatWordCount += other.floatWordCount
    minInt64 = min(minInt64, other.minInt64)
    maxInt64 = max(maxInt64, other.maxInt64)
    maxUInt64 = max(maxUInt64, other.maxUInt64)
    maxMagnitude = max(maxMagnitude, other.maxMagnitude)
    minElementCount = min(minElementCount, other.minElementCount)
    maxElementCount = max(maxElementCount, other.maxElementCount)
    isWhole = isWhole || other.isWhole
  }

  private mutating func observe(shortText text: UnsafeRawBufferPointer) {
    if FloatWord.value(text) != nil { floatWordCount += 1 }
  }
}

/// The words that stand for floats which JSON has no number for.
enum FloatWord {
  /// The value of `NaN`, `Infinity` or `-Infinity`, spelt just so.
  static func value(_ text: UnsafeRawBufferPointer) -> Double? {
    switch text.count {
    case 3 where text.isEqual("NaN"): .nan
    case 8 where text.isEqual("Infinity"): .infinity
    case 9 where text.isEqual("-Infinity"): -.infinity
    default: nil
    }
  }
}
