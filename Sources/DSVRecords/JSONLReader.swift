import DSVFormat
import Glibc

/// Reads one JSON object a line; blank lines are skipped.
final class JSONLReader {
  /// How much of a row that is too long is kept to show.
  private static let sampleByteCount = 4096

  private let source: String
  private let parser = JSONParser()
  private var window: ByteWindow
  private var line = 0
  private var hasStarted = false
  /// The start of the last row that was too long.
  private var sample = ByteBuffer()

  init(source: String, _ window: consuming ByteWindow) {
    self.source = source
    self.window = window
  }

  func next() throws(DSVError) -> RecordReader.Item {
    if !hasStarted {
      hasStarted = true
      try window.skipByteOrderMark()
    }
    while let row = try nextLine() {
      line += 1
      if row.isTooLong {
        return .badRow(bad(.tooLong, row.bytes, offset: JSONParser.maxByteCount))
      }
      if let item = try parse(row.bytes) { return item }
    }
    return .end
  }

  /// `nil` for a blank line.
  private func parse(_ bytes: UnsafeRawBufferPointer) throws(DSVError) -> RecordReader.Item? {
    do throws(JSONParser.Failure) {
      let events = try parser.parse(padded: bytes)
      let first = events.events[0]
      guard first.kind == .objectBegin else {
        let reason = first.kind == .arrayBegin ? BadRow.Reason.array : .notAnObject
        return .badRow(bad(reason, bytes, offset: first.offset))
      }
      return .record(Record(events: events, line: line))
    } catch {
      switch error.reason {
      case .empty: return nil
      case .memory:
        // Nothing is wrong with the row.
        throw DSVError(.full, "\(TerminalText.escaped(source)):\(line): \(error.reason.message)")
      default:
        let isOpenArray = line == 1 && bytes.first == UInt8(ascii: "[")
        return .badRow(bad(isOpenArray ? .array : error.reason, bytes, offset: error.offset))
      }
    }
  }

  private func bad(_ reason: BadRow.Reason, _ bytes: UnsafeRawBufferPointer, offset: Int) -> BadRow {
    BadRow(source: source, line: line, offset: offset, reason: reason, bytes: bytes)
  }

  /// The bytes of the next line without its end; `nil` behind the last one.
  private func nextLine() throws(DSVError) -> (bytes: UnsafeRawBufferPointer, isTooLong: Bool)? {
    var scanned = 0
    while true {
      let bytes = window.bytes
      if let end = bytes.firstNewline(from: scanned) {
        window.consume(end + 1)
        return trimmed(bytes, end)
      }
      scanned = bytes.count
      if scanned > JSONParser.maxByteCount + 1 { return (try skipLine(), true) }
      if try window.fill() { continue }
      let rest = window.bytes
      guard rest.count > 0 else { return nil }
      window.consume(rest.count)
      return trimmed(rest, rest.count)
    }
  }

  private func trimmed(
    _ bytes: UnsafeRawBufferPointer, _ end: Int
  ) -> (bytes: UnsafeRawBufferPointer, isTooLong: Bool) {
    let count = end > 0 && bytes[end - 1] == 0x0d ? end - 1 : end
    let isTooLong = count > JSONParser.maxByteCount
    let shown = isTooLong ? Self.sampleByteCount : count
    return (UnsafeRawBufferPointer(rebasing: bytes[..<shown]), isTooLong)
  }

  /// Goes behind the end of a line that is too long, holding no more of it than is there.
  private func skipLine() throws(DSVError) -> UnsafeRawBufferPointer {
    sample.removeAll()
    sample.append(UnsafeRawBufferPointer(rebasing: window.bytes[..<Self.sampleByteCount]))
    while true {
      let bytes = window.bytes
      if let end = bytes.firstNewline(from: 0) {
        window.consume(end + 1)
        break
      }
      window.consume(bytes.count)
      if try !window.fill() { break }
    }
    return sample.bytes
  }
}

extension UnsafeRawBufferPointer {
  /// Where the first line feed at or after `start` is.
  func firstNewline(from start: Int) -> Int? {
    guard let baseAddress, start < count else { return nil }
    guard let found = memchr(baseAddress + start, 0x0a, count - start) else { return nil }
    return UnsafeRawPointer(found) - baseAddress
  }
}
