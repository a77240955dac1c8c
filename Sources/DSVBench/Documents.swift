import DSVFormat
import DSVRecords
import DSVSystem

/// Documents that are made up, the same on every machine: words by Zipf's law, sentences, paragraphs.
struct Documents {
  /// SplitMix64.
  struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
      return z ^ z >> 31
    }
  }

  private static let common = [
    "the", "of", "and", "to", "a", "in", "that", "is", "was", "it", "for", "with", "as", "be", "have", "on",
  ]
  private var random: Generator
  private let words: [String]

  init(seed: UInt64) {
    random = Generator(state: seed)
    var random = Generator(state: 1)
    words =
      Self.common
      + (0..<20_000).map { _ in
        String(
          (0..<Int(random.next() % 9 + 2)).map { _ in Character(UnicodeScalar(UInt8(97 + random.next() % 26)))
          })
      }
  }

  /// Documents whose content is that of row `number` wherever it stands.
  init(row number: Int) {
    self = Documents.base
    random.state = UInt64(number) &* 0x1234_5678_9abc_def1
  }

  private mutating func word() -> String {
    // The logarithm of a uniform number: a word's chance falls as its rank grows.
    let unit = Double(random.next() >> 11) * 0x1p-53
    var (rank, scale) = (0, unit)
    while scale < 0.5, rank < 14 { (rank, scale) = (rank + 1, scale * 2) }
    return words[min(words.count - 1, (1 << rank) - 1 + Int(random.next() % UInt64(1 << rank)))]
  }

  private mutating func sentence() -> String {
    var text = word()
    text = text.prefix(1).uppercased() + text.dropFirst()
    for _ in 0..<Int(random.next() % 18 + 4) { text += " " + word() }
    return text + "."
  }

  mutating func text() -> String {
    let count = Int(random.next() % 24 + 3)
    return (0..<count).map { _ in sentence() }.joined(separator: random.next() % 3 == 0 ? "\n" : " ")
  }

  /// A document as a line of JSON.
  mutating func line(_ number: Int, note: String = "") -> String {
    let kind = ["html", "text", "code"][Int(random.next() % 3)]
    let text = text() + note
    return
      #"{"id":"doc-\#(number)","kind":"\#(kind)","bytes":\#(text.utf8.count),"score":\#(Double(random.next() % 1000) / 8),"#
      + #""text":"\#(text.split(separator: "\n").joined(separator: #"\n"#))"}"# + "\n"
  }

  /// The first `count` of them as JSONL; every `changedEvery`-th ends otherwise.
  static func jsonl(_ count: Int, changedEvery: Int = .max) -> [UInt8] {
    var result: [UInt8] = []
    for number in 0..<count {
      // Each has a seed of its own, so that a change leaves the others alone.
      var documents = Documents(row: number)
      let isChanged = changedEvery != .max && number % changedEvery == 7
      result += documents.line(number, note: isChanged ? " Edited." : "").utf8
    }
    return result
  }

  private static let base = Documents(seed: 0)
}

extension Setting {
  var documentCount: Int { pick(smoke: 200, full: 60_000) }

  /// A file of documents: the corpus if there is one and `isCorpusWanted`, else generated.
  func documentFile(changedEvery: Int = .max, isCorpusWanted: Bool = true) throws -> String {
    if let corpus, isCorpusWanted { return corpus }
    let path = newPath(".jsonl")
    try File(path, .create).write(Documents.jsonl(documentCount, changedEvery: changedEvery), at: 0)
    return path
  }

  /// The lines of a file of documents, up to `byteCount` in all.
  func documentLines(upTo byteCount: Int) throws -> [[UInt8]] {
    let file = try File(try documentFile(), .read)
    let bytes = try file.read(upTo: min(byteCount, try file.byteCount()), at: 0)
    var lines = bytes.split(separator: UInt8(ascii: "\n")).map(Array.init)
    if bytes.last != UInt8(ascii: "\n") { lines.removeLast() }
    return lines
  }

  /// The texts of documents, up to about `byteCount` in all.
  func documentTexts(upTo byteCount: Int) throws -> [[UInt8]] {
    let parser = JSONParser()
    return try documentLines(upTo: byteCount).map { line in
      try line.withUnsafeBytes { line in
        var cursor = EventCursor(try parser.parse(copying: line), at: 1)
        while cursor.peek.kind != .objectEnd {
          let key = cursor.next().text
          if key.elementsEqual("text".utf8), cursor.peek.kind == .string { return Array(cursor.next().text) }
          cursor.skip()
        }
        return []
      }
    }
  }
}
