/// Finds the cells of one CSV row in bytes that may still be growing.
struct CSVRow {
  /// Where a cell's text is, in bytes from the row's start, without its quotes.
  struct Cell {
    let start: Int
    let end: Int
    let isQuoted: Bool
    /// Whether quotes inside are written twice.
    let hasQuotes: Bool
  }

  /// What is wrong with the row, and where in it.
  struct Flaw {
    let reason: BadRow.Reason
    let offset: Int
  }

  private enum State {
    case cellStart, unquoted, quoted, closingQuote, behindFlaw
  }

  private(set) var cells: [Cell] = []
  private(set) var flaw: Flaw?
  /// Bytes of the row without its line end.
  private(set) var byteCount = 0
  /// Where the next row begins.
  private(set) var nextOffset = 0
  /// Lines that the row takes.
  private(set) var lineCount = 0

  private var state = State.cellStart
  private var position = 0
  private var cellStart = 0
  private var hasQuotes = false

  /// Forgets the row before.
  mutating func begin() {
    cells.removeAll(keepingCapacity: true)
    flaw = nil
    lineCount = 0
    state = .cellStart
    position = 0
  }

  /// Goes on where it stopped; false if the row does not end in `bytes`.
  ///
  /// - Parameter bytes: from the row's start. Each call has at least the bytes of the call before.
  mutating func split(_ bytes: UnsafeRawBufferPointer, isAtEnd: Bool) -> Bool {
    while true {
      let hasRowEnded: Bool? =
        switch state {
        case .cellStart: splitCellStart(bytes)
        case .unquoted: splitUnquoted(bytes)
        case .quoted: splitQuoted(bytes)
        case .closingQuote: splitClosingQuote(bytes)
        case .behindFlaw: splitBehindFlaw(bytes)
        }
      if hasRowEnded == true { return true }
      if hasRowEnded == nil { return isAtEnd && finish(bytes) }
    }
  }

  /// Each of these answers whether the row has ended; `nil` if it takes more bytes to tell.
  private mutating func splitCellStart(_ bytes: UnsafeRawBufferPointer) -> Bool? {
    guard position < bytes.count else { return nil }
    let isQuoted = bytes[position] == 0x22
    if isQuoted { position += 1 }
    cellStart = position
    hasQuotes = false
    state = isQuoted ? .quoted : .unquoted
    return false
  }

  private mutating func splitUnquoted(_ bytes: UnsafeRawBufferPointer) -> Bool? {
    while true {
      position = bytes.firstIndex(of: 0x2c, or: 0x0a, from: position)
      guard position < bytes.count else { return nil }
      if bytes[position] == 0x0a { break }
      cells.append(Cell(start: cellStart, end: position, isQuoted: false, hasQuotes: false))
      position += 1
      guard position < bytes.count, bytes[position] != 0x22 else {
        state = .cellStart
        return false
      }
      cellStart = position
    }
    let end = position > cellStart && bytes[position - 1] == 0x0d ? position - 1 : position
    cells.append(Cell(start: cellStart, end: end, isQuoted: false, hasQuotes: false))
    endRow(at: end, next: position + 1)
    return true
  }

  private mutating func splitQuoted(_ bytes: UnsafeRawBufferPointer) -> Bool? {
    position = bytes.firstIndex(of: 0x22, or: 0x0a, from: position)
    guard position < bytes.count else { return nil }
    if bytes[position] == 0x0a { lineCount += 1 } else { state = .closingQuote }
    position += 1
    return false
  }

  /// `position` is behind a quote in a quoted cell.
  private mutating func splitClosingQuote(_ bytes: UnsafeRawBufferPointer) -> Bool? {
    guard position < bytes.count else { return nil }
    let end = position - 1
    switch bytes[position] {
    case 0x22:
      hasQuotes = true
      position += 1
      state = .quoted
      return false
    case 0x2c:
      cells.append(Cell(start: cellStart, end: end, isQuoted: true, hasQuotes: hasQuotes))
      position += 1
      state = .cellStart
      return false
    case 0x0d where position + 1 == bytes.count: return nil
    case 0x0a: return endRowBehindQuote(at: end, lineEndByteCount: 1)
    case 0x0d where bytes[position + 1] == 0x0a: return endRowBehindQuote(at: end, lineEndByteCount: 2)
    default:
      flaw = Flaw(reason: .strayQuote, offset: position)
      state = .behindFlaw
      return false
    }
  }

  private mutating func endRowBehindQuote(at end: Int, lineEndByteCount: Int) -> Bool {
    cells.append(Cell(start: cellStart, end: end, isQuoted: true, hasQuotes: hasQuotes))
    endRow(at: position, next: position + lineEndByteCount)
    return true
  }

  private mutating func splitBehindFlaw(_ bytes: UnsafeRawBufferPointer) -> Bool? {
    position = bytes.firstIndex(of: 0x0a, or: 0x0a, from: position)
    guard position < bytes.count else { return nil }
    endRow(at: bytes[position - 1] == 0x0d ? position - 1 : position, next: position + 1)
    return true
  }

  /// Ends the row where the bytes end; false if there is no row left.
  private mutating func finish(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count > 0 else { return false }
    var end = bytes.count
    if bytes[end - 1] == 0x0d, state == .unquoted || state == .closingQuote { end -= 1 }
    switch state {
    case .cellStart: cells.append(Cell(start: end, end: end, isQuoted: false, hasQuotes: false))
    case .unquoted: cells.append(Cell(start: cellStart, end: end, isQuoted: false, hasQuotes: false))
    case .closingQuote:
      cells.append(Cell(start: cellStart, end: end - 1, isQuoted: true, hasQuotes: hasQuotes))
    case .quoted: flaw = Flaw(reason: .unclosedQuote, offset: cellStart - 1)
    case .behindFlaw: break
    }
    endRow(at: end, next: bytes.count)
    return true
  }

  private mutating func endRow(at end: Int, next: Int) {
    byteCount = end
    nextOffset = next
    lineCount += 1
  }
}

extension CSVRow.Cell {
  /// The cell's bytes; quotes that are written twice still are.
  func raw(in row: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: row[start..<end])
  }

  /// The cell's text in memory of its own.
  func text(in row: UnsafeRawBufferPointer) -> [UInt8] {
    guard hasQuotes else { return Array(raw(in: row)) }
    var text = ByteBuffer()
    text.appendUnquoted(raw(in: row))
    return text.array
  }
}

extension ByteBuffer {
  /// Appends a quoted cell's inside with each pair of quotes as one.
  mutating func appendUnquoted(_ inside: UnsafeRawBufferPointer) {
    var start = 0
    while start < inside.count {
      let quote = inside.firstIndex(of: 0x22, or: 0x22, from: start)
      let end = min(quote + 1, inside.count)
      append(UnsafeRawBufferPointer(rebasing: inside[start..<end]))
      start = quote + 2
    }
  }
}
