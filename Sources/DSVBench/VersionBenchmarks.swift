import DSV
import DSVFormat
import DSVSystem
import DSVVersions

/// What should cost the same whatever the table's size: comparing versions that differ in a row, branches, tags,
/// checkouts. Each is measured at several numbers of rows of ten short columns; the bytes told are the rows.
enum VersionBenchmarks {
  static let all =
    [10_000, 100_000, 1_000_000, 10_000_000].map(diffOneRow)
    + [10_000, 1_000_000].flatMap { rowCount in
      [
        diffOnePercent(rowCount),
        named("branch", rowCount) { (repository, name, commit) in try repository.makeBranch(name, at: commit)
        },
        named("tag", rowCount) { (repository, name, commit) in try repository.makeTag(name, at: commit) },
        checkout(rowCount),
      ]
    }

  /// One cell of one row is changed, by committing the whole file again.
  static func diffOneRow(_ rowCount: Int) -> Benchmark {
    diff("diff-1-row-\(rowCount)", rowCount, every: .max)
  }

  /// One cell is changed in one row of a hundred.
  static func diffOnePercent(_ rowCount: Int) -> Benchmark {
    diff("diff-1%-\(rowCount)", rowCount, every: 100)
  }

  private static func diff(_ name: String, _ rowCount: Int, every step: Int) -> Benchmark {
    Benchmark(name) { setting in
      let count = setting.pick(smoke: 200, full: rowCount)
      let step = min(step, count)
      let (repository, old, byteCount) = try committed(setting, count)
      let file = setting.newPath(".jsonl")
      try ShortRows.write(0..<count, .edit, step: step, to: file)
      let new = try repository.commit([file], message, options).commit
      return {
        let total = try repository.diff(old, new).total
        guard total.changed == count / step, total.cells == total.changed, total.added + total.removed == 0
        else {
          throw DSVError(.corrupt, "\(name): \(total)")
        }
        return Benchmark.Outcome(byteCount: byteCount, checksum: UInt64(total.changed))
      }
    }
  }

  private static func named(
    _ kind: String, _ rowCount: Int, make: @escaping @Sendable (Repository, String, CommitID) throws -> Void
  ) -> Benchmark {
    Benchmark("\(kind)-\(rowCount)") { setting in
      let (repository, commit, byteCount) = try committed(setting, setting.pick(smoke: 200, full: rowCount))
      var number = 0
      return {
        number += 1
        try make(repository, "name\(number)", commit)
        return Benchmark.Outcome(byteCount: byteCount, checksum: 1)
      }
    }
  }

  private static func checkout(_ rowCount: Int) -> Benchmark {
    Benchmark("checkout-\(rowCount)") { setting in
      let (repository, commit, byteCount) = try committed(setting, setting.pick(smoke: 200, full: rowCount))
      try repository.makeBranch("other", at: commit)
      var number = 0
      return {
        number += 1
        try repository.checkout(try repository.resolve(number % 2 == 1 ? "other" : "main"))
        return Benchmark.Outcome(byteCount: byteCount, checksum: 1)
      }
    }
  }

  private static let message = CommitMessage("a benchmark", author: "dsv-bench", time: 0)

  private static var options: CommitOptions {
    var options = CommitOptions()
    options.key = ["id"]
    return options
  }

  private static func committed(_ setting: Setting, _ rowCount: Int) throws -> (Repository, CommitID, Int) {
    let file = setting.newPath(".jsonl")
    try ShortRows.write(0..<rowCount, to: file)
    let repository = try Repository.initialize(at: setting.newPath())
    let commit = try repository.commit([file], message, options).commit
    let byteCount = try File(file, .read).byteCount()
    try FileSystem.remove(file)
    return (repository, commit, byteCount)
  }
}
