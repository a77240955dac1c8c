/// Splits English text into the tokens of spaCy's blank English tokenizer (3.8.18), and into lines.
///
/// One a thread: it remembers the tokens of every chunk of text that it has met, up to some 30 MB, and reuses its memory.
/// Time is linear in the text, whatever it holds; memory beyond what it remembers is at most 16 bytes a token of the text
/// being read, and is given back afterwards where it was much.
package struct EnglishTokenizer: ~Copyable {
  private let classes = ScalarClassTable.shared
  private(set) var cache: ChunkCache

  /// Prepares the exceptions, which takes some milliseconds.
  ///
  /// - Parameter remembering: How many distinct chunks of text it may know before it reads a text.
  package init(remembering: Int = 1 << 16) { cache = ChunkCache(limit: remembering) }

  /// Reads the tokens of `text` into `stream`, in place of what it held.
  ///
  /// Word numbers are comparable within this text only. Beyond the first 2^32 − 2 bytes nothing is read.
  package mutating func read(_ text: UnsafeRawBufferPointer, into stream: inout TokenStream) {
    cache.trim()
    readWithoutTrimming(text, into: &stream)
  }

  /// How many bytes the word of that number has.
  package func byteCount(ofWord word: UInt32) -> Int { Int(cache.words.traits[Int(word)].byteCount) }

  /// As `read`, but word numbers stay comparable with those of the text before.
  mutating func readWithoutTrimming(_ text: UnsafeRawBufferPointer, into stream: inout TokenStream) {
    stream.removeAll()
    guard let base = text.baseAddress, text.count > 0 else { return }
    let bytes = base.assumingMemoryBound(to: UInt8.self)
    let count = min(text.count, Int(UInt32.max) - 1)
    var reading = Reading()
    var index = 0
    let kinds = classes.byteKinds
    while index < count {
      if bytes[index] == 0x20, index > 0, index + 1 < count, kinds[Int(bytes[index + 1])] == .plain {
        index += 1
        stream.scalarCount += 1
      } else {
        index = readSpace(bytes, from: index, end: count, &reading, &stream)
        guard index < count else { break }
      }
      let start = index
      while index < count {
        let kind = kinds[Int(bytes[index])]
        if kind == .plain {
          index += 1
        } else if kind == .space {
          break
        } else {
          let scalar = bytes.scalar(at: index, end: count)
          if classes[scalar.value].contains(.space) { break }
          index += scalar.byteCount
        }
      }
      addChunk(bytes, start..<index, &reading, &stream)
    }
    if reading.phrasesPending { applyPhrases(&reading, &stream) }
    endLine(&reading, &stream)
    if !reading.endsInBreak { stream.lineCount += 1 }
  }

  /// Where the reader is in the line and in the stretch of tokens between which there is at most one space.
  private struct Reading {
    var line = TextLine(start: 0, end: 0, firstToken: 0, endToken: 0, chunkCount: 0, marks: [])
    /// The first token of the stretch.
    var stretchStart = 0
    /// Whether exceptions' patterns can change the stretch's tokens.
    var phrasesPending = false
    /// Whether the last token can be in the middle of a pattern.
    var lastStarts = false
    /// Whether the text read so far ends with the end of a line.
    var endsInBreak = false
  }

  @inline(__always)
  private mutating func addChunk(
    _ bytes: UnsafePointer<UInt8>, _ range: Range<Int>, _ reading: inout Reading, _ stream: inout TokenStream
  ) {
    let chunk = cache.chunk(bytes + range.lowerBound, range.count)
    let start = UInt32(truncatingIfNeeded: range.lowerBound)
    if reading.line.chunkCount == 0 {
      reading.line.start = start
      reading.line.firstToken = UInt32(truncatingIfNeeded: stream.tokenBuffer.count)
    }
    reading.line.end = UInt32(truncatingIfNeeded: range.upperBound)
    reading.line.chunkCount &+= 1
    reading.line.marks.formUnion(chunk.marks)
    reading.endsInBreak = false
    stream.dense.append(bytes + range.lowerBound, range.count)
    if !chunk.marks.isDisjoint(with: [.firstContinues, .phrase]) {
      if chunk.marks.contains(.phrase)
        || reading.lastStarts && cache.isPhrasePair(stream.tokenBuffer.last.word, chunk.first)
      {
        reading.phrasesPending = true
      }
    }
    reading.lastStarts = chunk.marks.contains(.lastStarts)
    stream.tokenBuffer.append(Token(word: chunk.first, start: start))
    if chunk.kind == .one {
      stream.scalarCount &+= Int(chunk.scalarCount)
    } else if chunk.kind == .two {
      stream.scalarCount &+= Int(chunk.scalarCount)
      stream.tokenBuffer.append(Token(word: chunk.second, start: start &+ UInt32(chunk.secondStart)))
    } else {
      addRecord(cache.records[Int(chunk.second)], start, &stream)
    }
  }

  /// Adds all but the first token of a chunk, and what it counts.
  private func addRecord(_ record: ChunkRecord, _ start: UInt32, _ stream: inout TokenStream) {
    stream.scalarCount += Int(record.scalarCount)
    stream.hashCount += Int(record.hashCount)
    stream.ellipsisCount += Int(record.ellipsisCount)
    let first = Int(record.firstToken)
    for index in first + 1..<first + Int(record.tokenCount) {
      let token = cache.tokens[index]
      stream.tokenBuffer.append(Token(word: token.word, start: token.start &+ start))
    }
  }

  /// Reads the white space at `index`; returns where it ends.
  @inline(never)
  private func readSpace(
    _ bytes: UnsafePointer<UInt8>, from first: Int, end: Int, _ reading: inout Reading,
    _ stream: inout TokenStream
  ) -> Int {
    var index = first
    while index < end {
      let scalar = bytes.scalar(at: index, end: end)
      let kind = classes[scalar.value]
      guard kind.contains(.space) else { break }
      let isSecondHalf = scalar.value == 0x0A && index > first && bytes[index - 1] == 0x0D
      if kind.contains(.lineBreak), !isSecondHalf {
        if reading.phrasesPending { applyPhrases(&reading, &stream) }
        endLine(&reading, &stream)
        stream.lineCount += 1
      }
      reading.endsInBreak = kind.contains(.lineBreak)
      stream.scalarCount += 1
      index += scalar.byteCount
    }
    // spaCy makes no token of one space after a word.
    if index > first, index > first + 1 || first == 0 || bytes[first] != 0x20 {
      if reading.phrasesPending { applyPhrases(&reading, &stream) }
      reading.lastStarts = false
      stream.tokenBuffer.append(Token(word: 0, start: UInt32(truncatingIfNeeded: first)))
      reading.stretchStart = stream.tokenBuffer.count
    }
    return index
  }

  @inline(never)
  private func applyPhrases(_ reading: inout Reading, _ stream: inout TokenStream) {
    cache.applyPhrases(to: &stream.tokenBuffer, from: reading.stretchStart)
    reading.phrasesPending = false
  }

  private func endLine(_ reading: inout Reading, _ stream: inout TokenStream) {
    guard reading.line.chunkCount > 0 else { return }
    // At the end of the text, white space can come last.
    let count = stream.tokenBuffer.count - (stream.tokenBuffer.last.isSpace ? 1 : 0)
    reading.line.endToken = UInt32(truncatingIfNeeded: count)
    stream.lines.append(reading.line)
    reading.line.chunkCount = 0
    reading.line.marks = []
  }
}
