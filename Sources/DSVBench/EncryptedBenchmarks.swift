import DSV
import DSVSystem
import DSVVersions

/// What encryption costs: the same work as in plain repositories, on the same rows.
extension RepositoryBenchmarks {
  private static func initialize(at path: String, threadCount: Int? = nil) throws -> Repository {
    try Repository.initialize(
      at: path, encryptedWith: .random(), options: Repository.Options(threadCount: threadCount))
  }

  static let commitEncrypted = Benchmark("commit-encrypted", atMost: .init(share: 1.15, name: "commit")) {
    setting in
    try committing(setting, threadCount: nil)
  }

  static let commitEncryptedSingleThread = Benchmark("commit-encrypted-1-thread") { setting in
    try committing(setting, threadCount: 0)
  }

  private static func committing(
    _ setting: Setting, threadCount: Int?
  ) throws -> () throws -> Benchmark.Outcome {
    let file = try setting.documentFile()
    return {
      let path = setting.newPath()
      let repository = try initialize(at: path, threadCount: threadCount)
      let message = CommitMessage("a benchmark", author: "dsv-bench", time: 0)
      let result = try repository.commit([file], message)
      try FileSystem.removeTree(path)
      let byteCount = try FileSystem.status(file)?.byteCount ?? 0
      return Benchmark.Outcome(byteCount: byteCount, checksum: UInt64(result.rowCount))
    }
  }

  static let scanEncrypted = Benchmark("scan-encrypted", atMost: .init(share: 1.35, name: "scan")) {
    setting in
    let repository = try initialize(at: setting.newPath())
    let message = CommitMessage("a benchmark", author: "dsv-bench", time: 0)
    _ = try repository.commit([try setting.documentFile()], message)
    let table = try repository.version().table()
    return { try outcome(try table.scan()) }
  }
}
