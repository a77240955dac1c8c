import DSV
import DSVFormat
import DSVRecords
import DSVStore
import DSVSystem
import DSVTables
import DSVTesting
import DSVVersions

/// Repositories as the tests make and open them: encrypted ones if `DSV_TEST_ENCRYPTED` is set, for all that is tested of plain
/// ones is to be so of them too.
enum TestRepository {
  static let isEncrypted = Machine.environment("DSV_TEST_ENCRYPTED") != nil
  static let key = RepositoryKey(text: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")!

  static let keyring = try! Keyring(new: key.value)

  static func initialize(
    at path: String, options: Repository.Options = Repository.Options()
  ) throws(DSVError) -> Repository {
    // One keyring for all: so that equal content has equal roots.
    try Repository.initialize(
      at: path, encryptedWith: isEncrypted ? key : nil, options: options, keyring: isEncrypted ? keyring : nil
    )
  }

  static func open(
    at path: String, options: Repository.Options = Repository.Options()
  ) throws(DSVError) -> Repository {
    var options = options
    options.key = key
    return try Repository.open(at: path, options: options)
  }
}

/// A repository in a folder of its own, with rows as lines of JSON.
final class Dataset {
  let folder: TemporaryFolder
  let repository: Repository

  /// - Parameter scannedKeyByteCountMax: for larger key columns an index is kept.
  init(threadCount: Int = 0, scannedKeyByteCountMax: Int? = nil, key: RepositoryKey? = nil) throws {
    folder = try TemporaryFolder()
    var options = Repository.Options(threadCount: threadCount)
    if let scannedKeyByteCountMax { options.scannedKeyByteCountMax = scannedKeyByteCountMax }
    repository =
      if let key {
        try Repository.initialize(at: folder.path, encryptedWith: key, options: options)
      } else {
        try TestRepository.initialize(at: folder.path, options: options)
      }
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
