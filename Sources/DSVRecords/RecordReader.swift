package import DSVFormat

/// Fills the given bytes from the start and returns how many it filled; 0 is the end.
package typealias ByteSource = (UnsafeMutableRawBufferPointer) throws(DSVError) -> Int

/// One row as a JSON object's events.
package struct Record {
  /// The whole object. Valid until the reader's next call, and as long as the reader lives.
  package let events: Events
  /// The line where the row begins, from 1.
  package let line: Int

  /// The row as it stands in the file, without its line end.
  package var bytes: UnsafeRawBufferPointer { events.source }
}

/// Reads the rows of a JSONL or CSV file, whatever the size of the pieces in which its bytes come.
///
/// A byte order mark at the start is skipped, `\n` and `\r\n` end lines, and the last line may lack its end.
/// Memory is bounded by the longest row, which may have 256 MiB. One value a thread.
package final class RecordReader {
  /// What comes next.
  package enum Item {
    case record(Record)
    /// A row that cannot be read; reading goes on behind it.
    case badRow(BadRow)
    case end
  }

  private enum Lines {
    case jsonl(JSONLReader)
    case csv(CSVReader)
  }

  private let lines: Lines

  /// - Parameters:
  ///   - source: the name that messages use.
  ///   - pull: gives the bytes in order, in pieces of any size.
  package init(source: String, format: RecordFormat, pull: @escaping ByteSource) {
    lines = Self.lines(source, format, ByteWindow(pull))
  }

  private init(_ lines: Lines) { self.lines = lines }

  /// A reader of bytes that are in memory, which are copied.
  package convenience init(source: String, format: RecordFormat, bytes: UnsafeRawBufferPointer) {
    self.init(Self.lines(source, format, ByteWindow(all: bytes)))
  }

  /// A reader for which another thread calls `pull`, before the bytes are needed.
  package static func readingAhead(
    source: String, format: RecordFormat,
    pull: @escaping @Sendable (UnsafeMutableRawBufferPointer) throws(DSVError) -> Int
  ) -> RecordReader {
    RecordReader(lines(source, format, ByteWindow(ReadAhead(pull))))
  }

  private static func lines(_ source: String, _ format: RecordFormat, _ window: consuming ByteWindow) -> Lines
  {
    switch format {
    case .jsonl: .jsonl(JSONLReader(source: source, window))
    case .csv: .csv(CSVReader(source: source, window))
    }
  }

  /// The next row, bad row, or the end. The events of the row before it are no longer valid.
  ///
  /// - Throws: what the source throws, and `badInput` for a file that cannot be gone on with: a CSV header
  ///   that is missing or names a column twice, a CSV row that is longer than 256 MiB;
  ///   `full` if there is no memory for a row.
  package func next() throws(DSVError) -> Item {
    switch lines {
    case .jsonl(let reader): try reader.next()
    case .csv(let reader): try reader.next()
    }
  }
}
