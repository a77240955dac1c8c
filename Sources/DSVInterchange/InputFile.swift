package import DSVFormat
package import DSVRecords
package import DSVStore
import DSVSystem

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
  /// How far the current reading has come.
  package private(set) var offset = 0

  /// - Parameters:
  ///   - format: `nil` to go by the path's ending, `.csv` or anything else for JSONL.
  ///   - makeSpool: makes the temporary file for a pipe.
  package init(
    _ path: String, format: RecordFormat?, makeSpool: @escaping () throws(DSVError) -> TemporaryFile
  ) throws(DSVError) {
    self.path = path
    self.makeSpool = makeSpool
    self.format = format ?? (path.lowercased().hasSuffix(".csv") ? .csv : .jsonl)
    file = path == "-" ? .standardInput : try File(path, .read)
    status = try file.status()
    if status.isFolder { throw DSVError(.badInput, "\(path): it is a folder; name the files in it") }
    // Standard input may be a file that somebody has begun to read: it counts as a pipe.
    byteCount = status.isRegular && path != "-" ? status.byteCount : nil
  }

  /// Begins to read, from the first row.
  package func records() throws(DSVError) -> RecordReader {
    offset = 0
    if byteCount != nil {
      return RecordReader(source: path, format: format) { [self] (buffer) throws(DSVError) in
        let count = try file.read(into: buffer, at: offset)
        offset += count
        return count
      }
    }
    if let spool {
      return RecordReader(source: path, format: format) { [self] (buffer) throws(DSVError) in
        let count = try spool.file.read(into: buffer, at: offset)
        offset += count
        return count
      }
    }
    let spool = try makeSpool()
    self.spool = spool
    return RecordReader(source: path, format: format) { [self] (buffer) throws(DSVError) in
      let bytes = try file.readNext(upTo: min(buffer.count, 1 << 20))
      buffer.copyBytes(from: bytes)
      try spool.file.write(bytes, at: offset)
      offset += bytes.count
      return bytes.count
    }
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
