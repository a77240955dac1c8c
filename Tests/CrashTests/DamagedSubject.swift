import DSV
import DSVFormat
import DSVSystem
import Testing

/// A repository that is damaged: each kind has files that the others have not.
enum DamagedSubject: String, CaseIterable, Codable {
  /// Everything is on the disk, in clear.
  case plain
  /// With a keyring of two keys.
  case encrypted
  /// With a remote in a folder, a policy, and chunks that are only there.
  case remote

  /// Those that the environment names; by default all.
  static let tested: [DamagedSubject] =
    if let names = Machine.environment("DSV_DAMAGE_SUBJECTS"), !names.isEmpty {
      names.split(separator: " ").compactMap { DamagedSubject(rawValue: String($0)) }
    } else {
      allCases
    }

  func open(_ path: String, _ key: RepositoryKey?) throws(DSVError) -> Repository {
    var options = Repository.Options(threadCount: 0)
    options.key = key
    return try Repository.open(at: path, options: options)
  }

  /// What opens the repository that was made in a folder.
  func key(in folder: String) throws(DSVError) -> RepositoryKey? {
    self == .encrypted ? try RepositoryKey(file: "\(folder)/key") : nil
  }

  /// Makes it; returns its files. What they need besides is left in the folder.
  func make(in folder: Scratch, isSmall: Bool = false) throws -> [String: [UInt8]] {
    let scratch = try Scratch()
    do {
      var options = Repository.Options(threadCount: 0)
      if isSmall { options.scannedKeyByteCountMax = 0 }
      if self == .encrypted {
        let key = RepositoryKey.random()
        try FileSystem.replace(
          "\(folder.path)/key", with: Array((try #require(key.text) + "\n").utf8), isDurable: false)
        options.key = key
      }
      let repository = try Repository.initialize(
        at: scratch.repository, encryptedWith: options.key, options: options)
      try isSmall ? fillLittle(repository, scratch) : fill(repository, scratch)
      if self == .encrypted { _ = try repository.addKey(.random()) }
      if self == .remote {
        // What later versions have nothing of.
        for seed in 20..<23 as Range<UInt64> {
          let file = try scratch.file("\(seed).jsonl", Rows.text(0..<20, seed: seed))
          try repository.commitTest(file, .replace, table: "extra")
        }
        _ = try repository.addRemote("origin", url: "file://\(folder.path)/remote")
        _ = try repository.push()
        var settings = TierSettings()
        settings.policy = try TierPolicy("v*..main~1 to cold")
        try repository.setTiers(settings)
        try repository.demote(try repository.versions(named: ["v*..main~1"]))
      }
    }
    if self == .remote {
      // What is fetched for a read is remembered, and what was read is counted.
      let promoted = "\(scratch.repository)/.dsv/tiers/promoted"
      var number = 1
      while try FileSystem.status(promoted)?.byteCount ?? 0 == 0 {
        let repository = try open(scratch.repository, nil)
        _ = try Picture.export(repository, try repository.resolve("v\(number)").commit)
        repository.close()
        number += 1
      }
      try #require(try open(scratch.repository, nil).check().elsewhereCount > 0)
    }
    return try Tree.read(scratch.repository).filter { !$0.key.contains("index.damaged") }
  }

  /// Several commits of two tables: whole, appended, upserted, filtered; nested columns; a large value.
  private func fill(_ repository: Repository, _ scratch: Scratch) throws {
    var options = CommitOptions()
    options.key = ["id"]
    let message = CommitMessage("test", author: "test", time: 1)
    _ = try repository.commit([try scratch.file("1.jsonl", Rows.text(0..<60, seed: 1))], message, options)
    try repository.commitTest(try scratch.file("2.jsonl", Rows.text(60..<75, seed: 2)), .append)
    // What is appended a row at a time builds on what was there.
    for row in 90..<93 {
      try repository.commitTest(
        try scratch.file("\(row).jsonl", Rows.text(row..<row + 1, seed: 9)), .append)
    }
    try #require(try repository.store.deepestBase() == 4)
    try repository.commitTest(try scratch.file("3.jsonl", Rows.text(50..<80, seed: 3)), .upsert)
    try repository.commitTest(
      try scratch.file("4.jsonl", Rows.noise(1, byteCount: 300_000, seed: 4)), .replace, table: "large")
    try repository.makeTag("large", at: try repository.resolve("main").commit)
    try repository.filterTest(table: "data")
    try repository.makeBranch("side", at: try repository.resolve("main~1").commit)
    // A session of more than a megabyte has a pack of its own.
    try repository.commitTest(
      try scratch.file("5.jsonl", Rows.noise(2, byteCount: 1_450_000, seed: 5)), .replace, table: "large")
    try #require(try FileSystem.list("\(scratch.repository)/.dsv/packs").count >= 2)
  }

  /// As ``fill(_:_:)``, a few kilobytes, and with an index of keys.
  private func fillLittle(_ repository: Repository, _ scratch: Scratch) throws {
    var options = CommitOptions()
    options.key = ["id"]
    let message = CommitMessage("test", author: "test", time: 1)
    _ = try repository.commit([try scratch.file("1.jsonl", Rows.text(0..<12, seed: 1))], message, options)
    for row in 20..<23 {
      try repository.commitTest(
        try scratch.file("\(row).jsonl", Rows.text(row..<row + 1, seed: 9)), .append)
    }
    // What comes now goes to a new pack.
    try repository.repair()
    try repository.commitTest(try scratch.file("3.jsonl", Rows.text(8..<16, seed: 3)), .upsert)
    try repository.makeTag("tag", at: try repository.resolve("main").commit)
    try repository.filterTest(table: "data")
    try repository.makeBranch("side", at: try repository.resolve("main~1").commit)
  }
}
