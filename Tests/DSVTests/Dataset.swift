import DSV
import DSVFormat
import DSVRecords
import DSVSystem
import DSVTables
import DSVTesting
import DSVVersions

/// A repository in a folder of its own, with rows as lines of JSON.
final class Dataset {
  let folder: TemporaryFolder
  let repository: Repository

  /// - Parameter scannedKeyByteCountMax: for larger key columns an index is kept.
  init(threadCount: Int = 0, scannedKeyByteCountMax: Int? = nil) throws {
    folder = try TemporaryFolder()
    var options = Repository.Options(threadCount: threadCount)
    if let scannedKeyByteCountMax { options.scannedKeyByteCountMax = scannedKeyByteCountMax }
    repository = try Repository.initialize(at: folder.path, options: options)
  }

  /// The files of runs of keys, by name.
  func keyRuns() throws -> [String: [UInt8]] {
    let path = folder.path + "/.dsv/keys"
    guard try FileSystem.exists(path) else { return [:] }
    let names = try FileSystem.list(path).filter { $0.hasSuffix(".run") }
    return Dictionary(
      uniqueKeysWithValues: try names.map { ($0, try FileSystem.read("\(path)/\($0)", limit: 1 << 24)) })
  }

  @discardableResult
  func commit(
    _ lines: [String], _ mode: CommitOptions.Mode = .replace, key: [String] = [], table: String = "data",
    configure: (inout CommitOptions) -> Void = { _ in }
  ) throws -> CommitResult {
    var options = CommitOptions()
    (options.mode, options.key, options.table) = (mode, key, table)
    configure(&options)
    let name = options.format == .csv ? "rows.csv" : "rows.jsonl"
    let text = lines.map { $0 + "\n" }.joined()
    let file = try folder.write(name, text)
    return try repository.commit([file], CommitMessage("\(mode)", author: "test", time: 0), options)
  }

  /// The rows of a version, as they are exported.
  func rows(_ commit: CommitID? = nil, _ options: ExportOptions = ExportOptions()) throws -> [String] {
    guard let commit = try commit ?? repository.head().commit else { return [] }
    let table = try repository.table(nil, of: commit)
    let export = try RowExport(table, options, reader: repository.reader)
    var bytes: [UInt8] = []
    try export.run { bytes.append(contentsOf: $0) }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// The rows of HEAD as values.
  func values(_ commit: CommitID? = nil) throws -> [JSONValue] {
    try rows(commit).map { try JSONValue(parsing: $0) }
  }

  /// The numbers of the versions that led to HEAD, newest first.
  func log() throws -> [String] {
    guard let head = try repository.head().commit else { return [] }
    return try repository.log(from: head).map(\.version)
  }
}
