package import DSVFormat

/// Words and numbers that stand nowhere by chance: what is said in a repository, to be looked for in its bytes.
///
/// The same ones each time, so that two repositories hold the same.
package struct Needles: Sendable {
  /// One of them, and the bytes that give it away: any of its forms does.
  package struct Needle: Sendable {
    package let name: String
    package let forms: [[UInt8]]
  }

  package private(set) var all: [Needle] = []
  private var random = SeededGenerator(seed: 0x6e65_6564_6c65)

  package init() {}

  package mutating func word() -> String {
    let digits = String(random.next() | 1 << 63, radix: 16)
    let word = "Zq\(digits.prefix(13))"
    all.append(Needle(name: word, forms: [Array(word.utf8)]))
    return word
  }

  /// Among others of its kind too far from them to be packed: from 2^61 to 2^63.
  package mutating func number() -> UInt64 { add(random.next() >> 1 | 1 << 61) }

  /// Near to others of its kind, so that a column of such is packed.
  package mutating func packedNumber() -> UInt64 { add(0x3b1d_5c77_0000_0000 | random.next() & 0xffff_ffff) }

  package mutating func double() -> Double {
    let value = 1 + Double(random.next() >> 12) * 0x1p-52
    all.append(
      Needle(name: "\(value)", forms: [Self.bytes(value.bitPattern.littleEndian), Array("\(value)".utf8)]))
    return value
  }

  /// Two numbers of 32 bits that stand side by side in a list; each by itself would be found by chance.
  package mutating func pair() -> [Float] {
    let pair = (0..<2).map { _ in 1 + Float(random.next() >> 41) * 0x1p-23 }
    let form = pair.flatMap { Self.bytes($0.bitPattern.littleEndian) }
    all.append(Needle(name: "\(pair)", forms: [form, Array("\(pair[0]),\(pair[1])".utf8)]))
    return pair
  }

  /// Something else that may not be found, of at least 8 bytes.
  package mutating func add(_ name: String, _ bytes: [UInt8]) {
    all.append(Needle(name: name, forms: [bytes]))
  }

  /// In the form of whole numbers, times, decimals and bounds, in that of keys, and as text.
  private mutating func add(_ number: UInt64) -> UInt64 {
    all.append(
      Needle(
        name: "\(number)",
        forms: [Self.bytes(number.littleEndian), Self.bytes(number.bigEndian), Array("\(number)".utf8)]))
    return number
  }

  private static func bytes<Value: BitwiseCopyable>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value) { Array($0) }
  }
}

extension Needles {
  /// The names of a table's columns, and the few words that one of them repeats.
  package struct Columns: Sendable {
    package let (word, number, near, real, outer, inner): (String, String, String, String, String, String)
    let kinds: [String]
  }

  package mutating func columns() -> Columns {
    Columns(
      word: word(), number: word(), near: word(), real: word(), outer: word(), inner: word(),
      kinds: (0..<20).map { _ in word() })
  }

  /// Rows with needles in texts, whole numbers spread and packed, fractions, lists and structs; beside them "row" and "kind".
  package mutating func rows(_ range: Range<Int>, _ columns: Columns) -> [String] {
    range.map { row in
      let (id, text, list) = (word(), word(), word())
      return #"{"id":"\#(id)","\#(columns.number)":\#(number()),"kind":"\#(columns.kinds[row % 20])","#
        + #""\#(columns.near)":\#(packedNumber()),"\#(columns.real)":\#(double()),"#
        + #""\#(columns.word)":"of \#(text)","\#(columns.outer)":{"\#(columns.inner)":["\#(list)"]},"row":\#(row)}"#
    }
  }

  /// What ``typedRows(_:)`` makes.
  package static let typedFields = [
    Field("unsigned", .uint64), Field("decimal", .decimal128(precision: 38, scale: 2)),
    Field("time", .timestamp(.nanosecond, zone: nil)), Field("same", .int64),
    Field("pair", .list(.float32)),
  ]

  /// Rows with needles in the types that no row of JSON has by itself, and a number that is the same in all.
  package mutating func typedRows(_ count: Int) -> [String] {
    let same = number()
    return (0..<count).map { _ in
      let (decimal, pair) = (number(), self.pair())
      return
        #"{"unsigned":\#(number()),"decimal":"\#(decimal / 100).\#(decimal % 100 / 10)\#(decimal % 10)","#
        + #""time":\#(number()),"same":\#(same),"pair":[\#(pair[0]),\#(pair[1])]}"#
    }
  }
}
