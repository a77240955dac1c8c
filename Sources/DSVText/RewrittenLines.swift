/// FineWeb's measures of the text as C4 left it. A port of `FineWebQualityFilter` of datatrove 0.10.1.
struct RewrittenLines: ~Copyable {
  private var spans = RepeatedSpans()
  private let classes = ScalarClassTable.shared
  /// How many lines are not blank.
  private(set) var lineCount = 0
  /// How many of them end with terminal punctuation.
  private(set) var punctuatedCount = 0
  /// How many of them have 30 scalars or fewer.
  private(set) var shortCount = 0
  /// How many line feeds there are.
  private(set) var lineFeedCount = 0
  /// The length in scalars without the line feeds.
  private(set) var scalarCount = 0
  /// The length in scalars of the lines that occurred before.
  var repeatedScalars: Int { spans.repeatedScalars }

  /// Measures the lines of `rewrite`, which was made of `text`.
  mutating func measure(_ text: UnsafePointer<UInt8>, _ rewrite: borrowing C4Rewrite) {
    spans.removeAll()
    (lineCount, punctuatedCount, shortCount, lineFeedCount, scalarCount) = (0, 0, 0, 0, 0)
    // The whole is stripped, so blank lines at its two ends vanish.
    var first = 0
    var last = rewrite.lines.count - 1
    while first <= last, isBlank(text, rewrite, first) { first += 1 }
    while last >= first, isBlank(text, rewrite, last) { last -= 1 }
    guard first <= last else { return }
    lineFeedCount = last - first
    for index in first...last {
      let line = rewrite.lines[index]
      let bytes = line.isEdited ? UnsafePointer(rewrite.edited.base) : text
      var (start, end) = (line.start, line.end)
      if line.isEdited {
        let stripped = bytes.stripped(start..<end)
        if index == first { start = stripped.lowerBound }
        if index == last { end = stripped.upperBound }
        if stripped.isEmpty {
          scalarCount += bytes.scalarCount(in: start..<end)
          continue
        }
      }
      add(bytes, start..<end)
    }
  }

  private mutating func add(_ bytes: UnsafePointer<UInt8>, _ range: Range<Int>) {
    let length = bytes.scalarCount(in: range)
    lineCount += 1
    scalarCount += length
    if length <= 30 { shortCount += 1 }
    let last = bytes.scalar(before: range.upperBound, start: range.lowerBound)
    if classes[last.value].contains(.terminal) { punctuatedCount += 1 }
    spans.add(bytes, range)
  }

  /// Only a line without its citations can be blank.
  private func isBlank(_ text: UnsafePointer<UInt8>, _ rewrite: borrowing C4Rewrite, _ index: Int) -> Bool {
    let line = rewrite.lines[index]
    return line.isEdited && UnsafePointer(rewrite.edited.base).stripped(line.start..<line.end).isEmpty
  }
}
