package import DSVFormat
package import DSVRecords
package import DSVStore
import DSVSystem
import Synchronization

/// Rows that can be read more than once: those of a file, of a pipe, which is kept in a temporary file as it is read, or of
/// bytes in memory.
package final class InputFile {
  private enum Source {
    /// A file that is no pipe, and what it was like when it was opened.
    case file(File, FileStatus)
    case pipe(File)
    case bytes([UInt8])
    case spool(Spool)
  }

  /// A file of at most so many bytes is read at once: another thread, and its blocks, would cost more than they give.
  private static let wholeByteCountMax = 1 << 18

  /// As the user named it; `-` is standard input.
  package let path: String
  package let format: RecordFormat
  /// `nil` for a pipe.
  package let byteCount: Int?
  private let source: Source
  private var spool: Spool?
  private let makeSpool: () throws(DSVError) -> Spool
  /// How far the current reading has come: another thread reads a file that is no pipe.
  private var position = Position()

  /// - Parameters:
  ///   - format: `nil` to go by the path's ending, `.csv` or anything else for JSONL.
  ///   - makeSpool: makes the temporary file for a pipe.
  package init(
    _ path: String, format: RecordFormat?, makeSpool: @escaping () throws(DSVError) -> Spool
  ) throws(DSVError) {
    self.path = path
    self.makeSpool = makeSpool
    self.format = format ?? RecordFormat(fileName: path)
    let file = path == "-" ? .standardInput : try File(path, .read)
    let status = try file.status()
    if status.isFolder { throw DSVError(.badInput, "\(path): it is a folder; name the files in it") }
    if format == nil, status.isRegular, path != "-" { try Self.checkReadable(file) }
    // Standard input may be a file that somebody has begun to read: it counts as a pipe.
    let isFile = status.isRegular && path != "-"
    source = isFile ? .file(file, status) : .pipe(file)
    byteCount = isFile ? status.byteCount : nil
  }

  /// Rows that are in memory; messages call them `name`.
  package init(_ bytes: [UInt8], name: String, format: RecordFormat) {
    (path, self.format, byteCount, source) = (name, format, bytes.count, .bytes(bytes))
    makeSpool = { () throws(DSVError) in preconditionFailure("only a pipe is kept") }
  }

  /// Rows that were put aside; messages call them `name`.
  package init(_ spool: Spool, name: String, format: RecordFormat) {
    (path, self.format, byteCount, source) = (name, format, nil, .spool(spool))
    makeSpool = { () throws(DSVError) in preconditionFailure("only a pipe is kept") }
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
    switch source {
    case .bytes(let bytes): return records(of: bytes)
    case .file(let file, let status) where status.byteCount <= Self.wholeByteCountMax:
      return records(of: try file.read(upTo: status.byteCount, at: 0))
    case .file(let file, _):
      return records { (buffer, offset) throws(DSVError) in try file.read(into: buffer, at: offset) }
    case .spool(let spool):
      return records { (buffer, offset) throws(DSVError) in try spool.read(into: buffer, at: offset) }
    case .pipe(let file): return try records(ofPipe: file)
    }
  }

  private func records(of bytes: [UInt8]) -> RecordReader {
    position.offset.store(bytes.count, ordering: .relaxed)
    return bytes.withBytes { RecordReader(source: path, format: format, bytes: $0) }
  }

  private func records(ofPipe file: File) throws(DSVError) -> RecordReader {
    if let spool {
      return records { (buffer, offset) throws(DSVError) in try spool.read(into: buffer, at: offset) }
    }
    let spool = try makeSpool()
    self.spool = spool
    return RecordReader(source: path, format: format) { [self] (buffer) throws(DSVError) in
      let bytes = try file.readNext(upTo: min(buffer.count, 1 << 20))
      buffer.copyBytes(from: bytes)
      try spool.append(bytes)
      position.offset.add(bytes.count, ordering: .relaxed)
      return bytes.count
    }
  }

  private func records(
    _ read: @escaping @Sendable (UnsafeMutableRawBufferPointer, Int) throws(DSVError) -> Int
  ) -> RecordReader {
    .readingAhead(
      source: path, format: format,
      pull: { [position] (buffer) throws(DSVError) in
        let count = try read(buffer, position.offset.load(ordering: .relaxed))
        position.offset.add(count, ordering: .relaxed)
        return count
      })
  }

  /// Makes sure that the file is still what was read first.
  package func checkUnchanged() throws(DSVError) {
    guard case .file(let file, let status) = source else { return }
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
