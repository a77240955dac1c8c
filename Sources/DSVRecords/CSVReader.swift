import DSVFormat

/// Reads CSV by RFC 4180 as objects whose keys are the header's names.
///
/// - A quoted cell may hold commas, line ends, and quotes written twice. A quote inside an unquoted cell is
///   text.
/// - An empty cell without quotes is null; `""` is the empty string. `true` and `false` are bools, a JSON
///   number is a number, quoted or not. All else is a string: `007`, `+1`, `1.` and `nan` are.
/// - A line end is `\n` or `\r\n`; a `\r` alone is text. A blank line is skipped, unless there is one column
///   only: then it is a null.
final class CSVReader {
  private let source: String
  private var window: ByteWindow
  private var row = CSVRow()
  private var cells: CSVCells?
  private var line = 1

  init(source: String, _ window: consuming ByteWindow) {
    self.source = source
    self.window = window
  }

  func next() throws(DSVError) -> RecordReader.Item {
    if cells == nil { try readHeader() }
    guard let cells else { return .end }
    while let bytes = try nextRow() {
      defer { line += row.lineCount }
      if bytes.isEmpty, cells.names.count > 1 { continue }
      if let flaw = row.flaw { return .badRow(bad(flaw.reason, bytes, offset: flaw.offset)) }
      let validCount = bytes.validUTF8Count
      guard validCount == bytes.count else { return .badRow(bad(.utf8, bytes, offset: validCount)) }
      guard row.cells.count == cells.names.count else {
        let counts = "the row has \(row.cells.count) cells and the header \(cells.names.count)"
        return .badRow(bad(.columnCount, bytes, offset: 0, message: counts))
      }
      return .record(Record(events: cells.events(of: row.cells, in: bytes), line: line))
    }
    return .end
  }

  private func bad(
    _ reason: BadRow.Reason, _ bytes: UnsafeRawBufferPointer, offset: Int, message: String? = nil
  ) -> BadRow {
    BadRow(source: source, line: line, offset: offset, reason: reason, message: message, bytes: bytes)
  }

  /// The header's names; none for a source without a byte.
  private func readHeader() throws(DSVError) {
    func failure(_ what: String) -> DSVError {
      DSVError(.badInput, "\(TerminalText.escaped(source)):\(line): the CSV header \(what)")
    }
    try window.skipByteOrderMark()
    guard let bytes = try nextRow() else { return }
    if let flaw = row.flaw { throw failure("cannot be read: \(flaw.reason.message)") }
    guard !bytes.isEmpty else { throw failure("is empty") }
    var names: [String] = []
    for (position, cell) in row.cells.enumerated() {
      guard let name = String(validating: cell.text(in: bytes), as: UTF8.self) else {
        throw failure("is not UTF-8 in column \(position + 1)")
      }
      guard !name.isEmpty else { throw failure("has no name for column \(position + 1)") }
      names.append(name)
    }
    guard Set(names.map { FieldName($0) }).count == names.count else { throw failure("names a column twice") }
    line += row.lineCount
    cells = CSVCells(names)
  }

  /// The next row's bytes without the line end, split into ``row``; `nil` behind the last.
  private func nextRow() throws(DSVError) -> UnsafeRawBufferPointer? {
    row.begin()
    while true {
      let bytes = window.bytes
      if row.split(bytes, isAtEnd: window.isAtEnd) {
        window.consume(row.nextOffset)
        return UnsafeRawBufferPointer(rebasing: bytes[..<row.byteCount])
      }
      if window.isAtEnd { return nil }
      guard bytes.count <= JSONParser.maxByteCount else {
        throw DSVError(
          .badInput,
          "\(TerminalText.escaped(source)):\(line): the row that begins here is longer than 256 MiB: "
            + "is a quoted cell not closed?")
      }
      _ = try window.fill()
    }
  }
}
