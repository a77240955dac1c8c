import DSV
import DSVFormat
import DSVSystem
import Glibc
import Testing

/// A small file system of the test's own; gone with it.
final class SmallDisk {
  let path: String
  /// Lives longer than the disk: a folder that something is mounted on cannot be removed.
  private let scratch: Scratch
  private let size: Int

  /// - Returns: `nil` where this may not be made.
  init?(_ scratch: Scratch, byteCount: Int) throws {
    (self.scratch, size) = (scratch, byteCount)
    path = "\(scratch.path)/disk"
    try FileSystem.makeFolder(path)
    guard mount("dsv-test", path, "tmpfs", 0, "size=\(byteCount)") == 0 else { return nil }
  }

  deinit { umount2(path, Int32(MNT_DETACH)) }

  var freeByteCount: Int {
    var status = statvfs()
    return statvfs(path, &status) == 0 ? Int(status.f_bavail) * Int(status.f_bsize) : 0
  }

  private var filler: String { "\(path)/filler" }

  /// Leaves just so many bytes free.
  func fill(leaving byteCount: Int) throws {
    try empty()
    let rest = freeByteCount - byteCount
    try #require(rest <= size, "somebody else has unmounted it")
    if rest > 0 { try File(filler, .create).write([UInt8](repeating: 1, count: rest), at: 0) }
  }

  func empty() throws { try FileSystem.remove(filler) }
}

/// On a disk that is full a command fails, says so, and changes nothing.
@Suite struct FullDiskTests {
  enum Operation: String, CaseIterable {
    case append, spill, upsert, transform, compact, gc

    /// What is tried, in the repository that ``FullDiskTests/makeTemplate()`` makes.
    func arguments(_ scratch: Scratch) throws -> [String] {
      func commit(_ text: String, _ mode: String) throws -> [String] {
        ["commit", try scratch.file("more.jsonl", text), mode, "-m", "more"]
      }
      return switch self {
      case .append: try commit(Rows.noise(200, byteCount: 300_000, seed: 9), "--append")
      case .spill: try commit(Rows.noise(200, byteCount: 1_500_000, seed: 9), "--append")
      case .upsert: try commit(Rows.text(40..<120, seed: 9), "--upsert")
      case .transform: ["transform", "--filter", "quality"]
      case .compact: ["compact", "-m", "more"]
      case .gc: ["gc", "--keep-days", "0"]
      }
    }

    /// At how many levels it fails at least.
    var failedCountMin: Int {
      switch self {
      case .append, .spill: 16
      case .upsert, .transform, .compact: 5
      case .gc: 0
      }
    }
  }

  /// A repository with dropped rows, and with garbage in packs of its own and among what is needed.
  static func makeTemplate() throws -> [String: [UInt8]] {
    let scratch = try Scratch()
    do {
      let repository = try Repository.initialize(at: scratch.repository, options: .init(threadCount: 0))
      var options = CommitOptions()
      options.key = ["id"]
      let message = CommitMessage("test", author: "test", time: 1)
      _ = try repository.commit([try scratch.file("1.jsonl", Rows.text(0..<80, seed: 1))], message, options)
      try repository.filterTest()
      try repository.commitTest(try scratch.file("3.jsonl", Rows.text(80..<90, seed: 3)), .append)
      try repository.makeBranch("waste", at: try repository.resolve("main").commit)
      try repository.checkout(try repository.resolve("waste"))
      try repository.commitTest(
        try scratch.file("2.jsonl", Rows.noise(1000, byteCount: 1_500_000, seed: 2)), .append)
      try repository.checkout(try repository.resolve("main"))
      try repository.deleteBranch("waste")
      // What a branch led to in this second is kept.
      Clock.sleep(nanoseconds: 1_100_000_000)
    }
    return try Tree.read(scratch.repository)
  }

  /// Runs the command; its end has to be good.
  @discardableResult
  static func succeed(_ arguments: [String], _ scratch: Scratch, _ context: Comment) throws -> String {
    let end = try Child.run(arguments, scratch: scratch.path)
    #expect(end.code == 0, "\(arguments) \(context): \(end)")
    return end.output
  }

  /// Its live rows and its versions.
  private static func shown(_ place: [String], _ scratch: Scratch, _ context: Comment) throws -> String {
    try succeed(["export"] + place, scratch, context) + succeed(["log", "--json"] + place, scratch, context)
  }

  /// How much is left free. DSV_DISK_STEP says in what steps, for a long run: it ends once no level is too little.
  static let levels: [Int] =
    if let step = Machine.environment("DSV_DISK_STEP").flatMap({ Int($0) }) {
      Array(stride(from: 0, to: 4 << 20, by: step))
    } else {
      // Around what a publication has to find free for index and reflog, too.
      [0, 4096, 8192, 16_384, 61_440] + (0..<10).map { 131_072 + $0 * 8192 } + [260_000, 2_200_000]
    }
  private static let doneCountMax = 16

  @Test(
    "on a full disk a command fails and changes nothing, and goes on once there is room",
    arguments: Operation.allCases)
  func fullDisk(operation: Operation) throws {
    let scratch = try Scratch()
    let template = try Self.makeTemplate()
    guard let disk = try SmallDisk(scratch, byteCount: 12 << 20) else {
      // Others than root have the test of a limit on files instead.
      if Machine.environment("CI") != nil { Issue.record("a tmpfs cannot be mounted: run the tests as root") }
      return
    }
    let repository = "\(disk.path)/repository"
    let place = ["-C", repository, "--quiet"]
    let command = try operation.arguments(scratch) + place
    // Unmounted with the last use of it, if it were not for this.
    defer { withExtendedLifetime(disk) {} }
    var (failedCount, doneCount) = (0, 0)
    for free in Self.levels {
      let context: Comment = "with \(free) bytes free"
      try disk.empty()
      try Tree.write(template, to: repository)
      let old = try Self.shown(place, scratch, context)
      try disk.fill(leaving: free)
      let end = try Child.run(command, scratch: scratch.path)
      if end.code == 0 {
        doneCount += 1
      } else {
        failedCount += 1
        #expect(end.code == 1 && end.errors.contains("full"), "\(context): \(end)")
        #expect(try Self.shown(place, scratch, context) == old, context)
      }
      try Self.succeed(["fsck"] + place, scratch, context)
      try Self.collect(disk, place, scratch, context)

      try disk.empty()
      try Self.succeed(["gc", "--keep-days", "0"] + place, scratch, context)
      if end.code != 0 { try Self.succeed(command, scratch, context) }
      #expect(try (Self.shown(place, scratch, context) == old) == (operation == .gc), context)
      // Not by this process: what it has open, those that it starts have for a moment, too, and its room comes back only then.
      try Self.succeed(["fsck"] + place, scratch, context)
      #expect(try FileSystem.list("\(repository)/.dsv/tmp") == [], context)
      if doneCount == Self.doneCountMax { break }
    }
    print("\(operation): \(failedCount) levels were too little, \(doneCount) were not")
    #expect(
      failedCount >= operation.failedCountMin && doneCount >= 1,
      "\(failedCount) failed, \(doneCount) did not")
  }

  /// gc changes nothing that is shown, and frees room.
  private static func collect(
    _ disk: SmallDisk, _ place: [String], _ scratch: Scratch, _ context: Comment
  ) throws {
    let now = try shown(place, scratch, context)
    let collected = try Child.run(["gc", "--keep-days", "0"] + place, scratch: scratch.path)
    #expect(collected.code == 0, "\(context), \(disk.freeByteCount) left: \(collected)")
    #expect(try shown(place, scratch, context) == now, context)
  }

  @Test(
    "gc needs room for what is live in a pack with garbage, and no more; with less it says so and changes nothing"
  )
  func roomForGC() throws {
    let scratch = try Scratch()
    let source = try Scratch()
    do {
      let repository = try Repository.initialize(at: source.repository, options: .init(threadCount: 0))
      try repository.commitTest(try source.file("1.jsonl", Rows.text(0..<400, seed: 1)), .replace)
      try repository.makeBranch("waste", at: try repository.resolve("main").commit)
      try repository.checkout(try repository.resolve("waste"))
      // Too little for a pack of its own.
      try repository.commitTest(
        try source.file("2.jsonl", Rows.noise(1000, byteCount: 500_000, seed: 2)), .append)
      try repository.checkout(try repository.resolve("main"))
      try repository.deleteBranch("waste")
      Clock.sleep(nanoseconds: 1_100_000_000)
    }
    let template = try Tree.read(source.repository)
    try #require(template.keys.count { $0.hasPrefix(".dsv/packs/") } == 1)
    guard let disk = try SmallDisk(scratch, byteCount: 12 << 20) else { return }
    defer { withExtendedLifetime(disk) {} }
    let repository = "\(disk.path)/repository"
    let place = ["-C", repository, "--quiet"]
    let collect = ["gc", "--keep-days", "0"] + place
    var liveByteCount = 0
    // The first time with all the room there is.
    for free in [nil, 0, 1] as [Int?] {
      let context: Comment = "\(free.map { $0 * liveByteCount } ?? -1) bytes free"
      try disk.empty()
      try Tree.write(template, to: repository)
      // Whatever is published leaves room for the index.
      try Self.succeed(["tag", "kept"] + place, scratch, context)
      let old = try Self.shown(place, scratch, context)
      if let free { try disk.fill(leaving: free * (liveByteCount + 4095) / 4096 * 4096) }
      let end = try Child.run(collect, scratch: scratch.path)
      let packs = try FileSystem.byteCount(under: "\(repository)/.dsv/packs")
      if free == 0 {
        #expect(end.code == 1 && end.errors.contains("full"), "\(context): \(end)")
        #expect(packs > liveByteCount + 300_000)
      } else {
        #expect(end.code == 0 && end.errors == "", "\(context): \(end)")
        if free == nil { liveByteCount = packs }
        #expect(packs == liveByteCount)
      }
      #expect(try Self.shown(place, scratch, context) == old, context)
      try Self.succeed(["fsck"] + place, scratch, context)
    }
    #expect(liveByteCount > 10_000)
  }

  @Test("where files may not grow, a command fails and changes nothing")
  func fileLimit() throws {
    let scratch = try Scratch()
    let template = try KillTests.makeTemplate(.append)
    let more = try scratch.file("more.jsonl", Rows.text(200..<230, seed: 9))
    var failedCount = 0
    for kilobytes in stride(from: 0, through: 64, by: 8) {
      let context: Comment = "files of at most \(kilobytes) KiB"
      try Tree.write(template, to: scratch.repository)
      let old = try Picture(try Repository.test(at: scratch.repository))
      let script =
        "ulimit -f \(kilobytes * 2); exec '\(Child.command)' commit '\(more)' --append -m x -C '\(scratch.repository)'"
      let end = try Child(["-c", script], program: "/bin/sh", scratch: scratch.path).wait()
      if end.code != 0 {
        failedCount += 1
        // What it says goes to a file, too: at 0 it cannot even say so.
        #expect(
          end.code == 1
            && (kilobytes == 0 || end.errors.contains("be so long") || end.errors.contains("failed")),
          "\(context): \(end)")
        let repository = try Repository.test(at: scratch.repository)
        #expect(try Picture(repository) == old, context)
        #expect(try repository.check().problems == [], context)
        try repository.commitTest(more, .append)
      }
      let repository = try Repository.test(at: scratch.repository)
      #expect(try repository.info().versionCount == 2, context)
      #expect(try repository.check().problems == [], context)
    }
    #expect(failedCount >= 2)
  }
}
