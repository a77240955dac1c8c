package import DSVFormat
package import DSVRecords
package import DSVStore
import DSVSystem
import Synchronization

/// A file of rows that can be read more than once: a pipe is kept in a temporary file as it is read.
package final class InputFile {
  /// As the user named it; `-` is standard input.
  package let path: String
  package let format: RecordFormat
  /// `nil` for a pipe.
  package let byteCount: Int?
  private let file: File
  private let status: FileStatus
  private var spool: TemporaryFile?
  private let makeSpool: () throws(DSVError) -> TemporaryFile
  /// How far the current reading has come: another thread reads a file that is no pipe.
  private var position = Position()

  /// - Parameters:
  ///   - format: `nil` to go by the path's ending, `.csv` or anything else for JSONL.
  ///   - makeSpool: makes the temporary file for a pipe.
  package init(
    _ path: String, format: RecordFormat?, makeSpool: @escaping () throws(DSVError) -> TemporaryFile
  ) throws(DSVError) {
    self.path = path
    self.makeSpool = makeSpool
    self.format = format ?? RecordFormat(fileName: path)
    file = path == "-" ? .standardInput : try File(path, .read)
    status = try file.status()
    if status.isFolder { throw DSVError(.badInput, "\(path): it is a folder; name the files in it") }
    if format == nil, status.isRegular, path != "-" { try Self.checkReadable(file) }
    // Standard input may be a file that somebody has begun to read: it counts as a pipe.
    byteCount = status.isRegular && path != "-" ? status.byteCount : nil
  }

  /// What files begin with that are no text, and how their rows can be had.
  private static let otherFormats: [(start: [UInt8], name: String, advice: String)] = [
    ([0x1f, 0x8b], "gzip", "zcat FILE | dsv commit -"),
    ([0x28, 0xb5, 0x2f, 0xfd], "zstd", "zstdcat FILE | dsv commit -"),
    ([0x42, 0x5a, 0x68], "bzip2", "bzcat FILE | dsv commit -"),
    ([0xfd, 0x37, 0x7a, 0x58, 0x5a], "xz", "xzcat FILE | dsv commit -"),
    ([0x50, 0x4b, 0x03, 0x04], "zip", "unzip -p FILE | dsv commit -"),
    (Array("PAR1".utf8), "Parquet", "write its rows as JSONL or CSV first"),
    (Array("ARROW1".utf8), "Arrow", "write its rows as JSONL or CSV first"),
  ]

  private static func checkReadable(_ file: File) throws(DSVError) {
    let start = try file.read(upTo: 8, at: 0)
    for other in otherFormats where start.starts(with: other.start) {
      throw DSVError(
        .badInput, "\(file.path): it is \(other.name), and rows come as JSONL or CSV: \(other.advice)")
    }
    if file.path.lowercased().hasSuffix(".tsv") {
      throw DSVError(
        .badInput, "\(file.path): values with tabs between are not read; make it CSV, or say --format")
    }
  }

  /// How far the current reading has come, in bytes.
  package var offset: Int { position.offset.load(ordering: .relaxed) }

  /// Begins to read, from the first row. Nobody reads the rows of an earlier call any more.
  package func records() throws(DSVError) -> RecordReader {
    // Its own: the thread of an earlier reading may still be at it.
    position = Position()
    if byteCount != nil { return records(of: file) }
    if let spool { return records(of: spool.file) }
    let spool = try makeSpool()
    self.spool = spool
    return RecordReader(source: path, format: format) { [self] (buffer) throws(DSVError) in
      let bytes = try file.readNext(upTo: min(buffer.count, 1 << 20))
      buffer.copyBytes(from: bytes)
      try spool.file.write(bytes, at: offset)
      position.offset.add(bytes.count, ordering: .relaxed)
      return bytes.count
    }
  }

  private func records(of file: File) -> RecordReader {
    .readingAhead(
      source: path, format: format,
      pull: { [position] (buffer) throws(DSVError) in
        let count = try file.read(into: buffer, at: position.offset.load(ordering: .relaxed))
        position.offset.add(count, ordering: .relaxed)
        return count
      })
  }

  /// Makes sure that the file is still what was read first.
  package func checkUnchanged() throws(DSVError) {
    guard byteCount != nil else { return }
    let now = try file.status()
    guard now.byteCount == status.byteCount, now.modified == status.modified else {
      throw DSVError(.badInput, "\(path): it was changed while it was read")
    }
  }
}

/// How far a file was read, for whoever watches.
private final class Position: Sendable {
  let offset = Atomic(0)
}
