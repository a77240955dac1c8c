/// Turns the cells of a CSV row into the events of an object. The keys are made once.
final class CSVCells {
  let names: [String]
  private var keys = ByteBuffer()
  /// Cells with quotes in them, unescaped; of one row.
  private var unquoted = ByteBuffer()
  private let tape: UnsafeMutableBufferPointer<Event>

  init(_ names: [String]) {
    self.names = names
    for name in names { keys.append(name) }
    tape = .allocate(capacity: names.count * 2 + 2)
    tape.initialize(repeating: Event(.null))
    tape[0] = Event(.objectBegin, length: names.count, payload: UInt64(tape.count))
    tape[tape.count - 1] = Event(.objectEnd, length: names.count)
    var offset = 0
    for (position, name) in names.enumerated() {
      let count = name.utf8.count
      tape[position * 2 + 1] = Self.text(
        .key, UnsafeRawBufferPointer(rebasing: keys.bytes[offset..<offset + count]))
      offset += count
    }
  }

  deinit { tape.deallocate() }

  /// The row as an object's events; as many cells as names. Valid until the next call.
  func events(of cells: [CSVRow.Cell], in row: UnsafeRawBufferPointer) -> Events {
    unquoted.removeAll()
    // Unescaping only shortens, so that what is appended below never moves.
    if cells.contains(where: \.hasQuotes) { _ = unquoted.reserve(row.count) }
    for (position, cell) in cells.enumerated() {
      tape[position * 2 + 2] = event(of: cell, in: row)
    }
    return Events(UnsafeBufferPointer(tape), source: row)
  }

  private func event(of cell: CSVRow.Cell, in row: UnsafeRawBufferPointer) -> Event {
    let raw = cell.raw(in: row)
    if cell.hasQuotes {
      let start = unquoted.count
      unquoted.appendUnquoted(raw)
      return Self.text(
        .string, UnsafeRawBufferPointer(rebasing: unquoted.bytes[start...]), offset: cell.start)
    }
    guard let first = raw.first else {
      return cell.isQuoted ? Self.text(.string, raw, offset: cell.start) : Event(.null, offset: cell.start)
    }
    switch first {
    case 0x74 where raw.isEqual("true"): return Event(.true, length: 4, offset: cell.start)
    case 0x66 where raw.isEqual("false"): return Event(.false, length: 5, offset: cell.start)
    case 0x2d, 0x30...0x39:
      return NumberText.event(raw, offset: cell.start) ?? Self.text(.string, raw, offset: cell.start)
    default: return Self.text(.string, raw, offset: cell.start)
    }
  }

  private static func text(_ kind: EventKind, _ bytes: UnsafeRawBufferPointer, offset: Int = 0) -> Event {
    Event(
      kind, length: bytes.count, offset: offset, payload: UInt64(UInt(bitPattern: bytes.baseAddress)))
  }
}
