import DSV
import DSVFormat
import DSVSystem
import Glibc
import Testing

/// A workload is recorded, and a power cut is played at every point of it: what was acknowledged is there, the rest is
/// there whole or not at all, and work goes on without anybody's help.
@Suite(.serialized) struct PowerLossTests {
  /// Commands that between them make every kind of change that dsv makes.
  static func commands(_ scratch: Scratch, _ repository: String) throws -> [(
    name: String, arguments: [String]
  )] {
    let place = ["-C", repository, "--quiet"]
    func file(_ name: String, _ text: String) throws -> String { try scratch.file("\(name).jsonl", text) }
    let index = "\(repository)/.dsv/index/data.mdb"
    return [
      ("init", [Child.command, "init", repository, "--quiet"]),
      (
        "commit", ["commit", try file("1", Rows.text(0..<12, seed: 1)), "--key", "id", "-m", "first"] + place
      ),
      ("append", ["commit", try file("2", Rows.text(20..<24, seed: 2)), "--append", "-m", "more"] + place),
      ("upsert", ["commit", try file("3", Rows.text(2..<5, seed: 3)), "--upsert", "-m", "newer"] + place),
      ("branch", ["branch", "waste"] + place),
      ("checkout", ["checkout", "waste"] + place),
      (
        "waste",
        ["commit", try file("4", Rows.noise(90, byteCount: 20_000, seed: 4)), "--append", "-m", "x"] + place
      ),
      // What has more than a megabyte as it is stored goes to a pack of its own.
      (
        "spill",
        ["commit", try file("5", Rows.noise(91, byteCount: 1_450_000, seed: 5)), "--append", "-m", "y"]
          + place
      ),
      // Long enough for its chunks to be archived over a sample of them.
      (
        "prose",
        ["commit", try file("8", Rows.text(1000..<1800, seed: 10, wordCount: 90)), "--append", "-m", "z"]
          + place
      ),
      ("archive", ["compact", "--archive", "--json"] + place),
      ("return", ["checkout", "main"] + place),
      ("transform", ["transform", "--filter", "quality"] + place),
      ("compact", ["compact", "-m", "without what was dropped", "--json"] + place),
      ("tag", ["tag", "good"] + place),
      ("delete", ["branch", "--delete", "waste"] + place),
      ("wait", ["/bin/sleep", "1.1"]),
      ("gc", ["gc", "--keep-days", "0"] + place),
      ("after", ["commit", try file("6", Rows.text(30..<33, seed: 6)), "--append", "-m", "after"] + place),
      ("damage", ["/usr/bin/truncate", "--size", "5000", index]),
      ("rebuild", ["count"] + place),
      ("last", ["commit", try file("7", Rows.text(40..<42, seed: 7)), "--append", "-m", "last"] + place),
    ].map { ($0.0, $0.1[0].hasPrefix("/") ? $0.1 : [Child.command] + $0.1) }
  }

  /// Runs the workload under the recorder.
  ///
  /// In `folder` there is afterwards the log, and in `0`, `1`, ... what there was after so many commands.
  static func record(_ folder: Scratch) throws -> Recording {
    let library = "\(folder.path)/recorder.so"
    let source = Tree.sources + "/Recorder/recorder.c"
    let built = try Child(
      ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, source],
      program: "/usr/bin/cc",
      scratch: folder.path
    ).wait()
    try #require(built.code == 0, "\(built.errors)")
    let (root, log) = ("\(folder.path)/root", "\(folder.path)/log")
    try FileSystem.makeFolder(root)
    let commands = try commands(folder, "\(root)/repository")
    for (number, command) in commands.enumerated() {
      let variables = ["LD_PRELOAD=\(library)", "DSV_RECORD_ROOT=\(root)", "DSV_RECORD_LOG=\(log)"]
      let end = try Child(variables + command.arguments, program: "/usr/bin/env", scratch: folder.path).wait()
      try #require(end.code == 0, "\(command.name): \(end)")
      // Nothing of these was recorded if they found nothing to do.
      if command.name == "archive" {
        try #require(
          !end.output.contains("\"archived\":0,") && end.output.contains("\"swept\":true"), "\(end)")
      }
      if command.name == "compact" { try #require(end.output.contains("\"version\":\"v8\""), "\(end)") }
      let file = try File(log, .updateOrCreate)
      try file.write(Recording.acknowledgement, at: try file.byteCount())
      try Tree.write(try Tree.read(root), to: "\(folder.path)/\(number + 1)")
    }
    return try Recording(
      try FileSystem.read(log, limit: 1 << 30), commands: commands.map(\.name),
      rootInode: try #require(try FileSystem.status(root)).inode)
  }

  /// What each version is after so many commands; `nil` before there is a repository.
  static func pictures(_ folder: String, _ commandCount: Int) throws -> [Picture?] {
    try [nil] + (1...commandCount).map { try Picture(try Repository.test(at: "\(folder)/\($0)/repository")) }
  }

  /// What is wrong with a state in which `before` was acknowledged and `after` may have been done; `nil` if nothing is.
  static func problem(_ root: String, before: Picture?, after: Picture?, input: String) -> String? {
    do throws(DSVError) {
      let path = "\(root)/repository"
      var repository: Repository
      do throws(DSVError) {
        repository = try Repository.test(at: path)
      } catch {
        guard before == nil, error.code == .notFound else { throw error }
        repository = try Repository.initialize(at: path, options: .init(threadCount: 0))
      }
      let found = try Picture(repository)
      let isEmpty = before == nil && found == Picture.empty
      guard isEmpty || found == before || found == after else {
        return "it holds \(found.versions.keys.sorted())"
      }
      if let problem = try repository.check().problems.first { return problem }
      let result = try repository.commitTest(input, .append)
      guard result.version == "v\(found.versionCount + 1)" else { return "the next is \(result.version)" }
      _ = try repository.collectGarbage(keepDays: 0)
      // As the next process finds it.
      repository = try Repository.test(at: path)
      if let problem = try repository.check().problems.first { return "later: \(problem)" }
      var last = try Picture(repository)
      guard last.versions.removeValue(forKey: result.version) != nil else { return "the new version is gone" }
      if last.versions != found.versions { return "later it holds \(last.versions.keys.sorted())" }
      let left = try FileSystem.list("\(path)/.dsv/tmp")
      return left.isEmpty ? nil : "left behind: \(left)"
    } catch {
      return "\(error)"
    }
  }

  /// Whether the index in a state is to look as dsv left it, which its times on the disk may say or not.
  static func restamp(_ folder: String) throws(DSVError) {
    guard let status = try FileSystem.status("\(folder)/index/data.mdb"),
      try FileSystem.exists("\(folder)/index.stamp")
    else { return }
    var stamp = try FileSystem.read("\(folder)/index.stamp", limit: 1 << 20)
    func bytes(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    guard stamp.count == 56, Array(stamp[16..<24]) == bytes(UInt64(status.byteCount)),
      Array(stamp[48...]) == bytes(Hash64.of(Array(stamp[..<48])))
    else { return }
    for (offset, value) in [(24, UInt64(status.modified)), (32, UInt64(status.changed)), (40, status.inode)] {
      stamp.replaceSubrange(offset..<offset + 8, with: bytes(value))
    }
    stamp.replaceSubrange(48..., with: bytes(Hash64.of(Array(stamp[..<48]))))
    try File("\(folder)/index.stamp", .update).write(stamp, at: 0)
  }

  /// Plays states of a part of the cuts, until so many different ones were seen; writes down each.
  static func play(_ folder: String, part: Int, of partCount: Int, stateCount: Int) throws {
    let recording = try read(folder)
    let cut = PowerCut(recording)
    let pictures = try pictures(folder, recording.commandCount)
    let log = try File("\(folder)/\(part).states", .create)
    let cuts = (0...recording.events.count).filter { $0 % partCount == part }
    var seen = Set<Int>()
    var variant = 0
    while seen.count < stateCount {
      for at in cuts where seen.count < stateCount {
        // A first round with few states takes cuts from everywhere.
        if stateCount < cuts.count * 4, (at / partCount &+ variant &* 7) % 4 != 0 { continue }
        let state = cut.state(at: at, variant: variant)
        let count = cut.acknowledgedCounts[at]
        var hasher = Hasher()
        hasher.combine(state)
        hasher.combine(count)
        guard seen.insert(hasher.finalize()).inserted else { continue }
        try log.say("cut \(at) (\(recording.label(before: at))), variant \(variant)\t")
        let problem = try check(state, in: "\(folder)/copy\(part)", variant, pictures, count, folder)
        try log.say("\(problem ?? "fine")\n")
      }
      variant += 1
    }
  }

  static func check(
    _ state: PowerCut.State, in copy: String, _ variant: Int, _ pictures: [Picture?], _ count: Int,
    _ folder: String
  ) throws -> String? {
    try state.write(to: copy)
    if variant & 1 == 1 { try restamp("\(copy)/repository/.dsv") }
    return problem(
      copy, before: pictures[count], after: pictures[min(count + 1, pictures.count - 1)],
      input: "\(folder)/next.jsonl")
  }

  static func read(_ folder: String) throws -> Recording {
    let scratch = try Scratch()
    return try Recording(
      try FileSystem.read("\(folder)/log", limit: 1 << 30), commands: try commands(scratch, "").map(\.name),
      rootInode: try #require(try FileSystem.status("\(folder)/root")).inode)
  }

  @Test("no power cut loses what was acknowledged, or leaves work half done or a repository that needs help")
  func powerLoss() async throws {
    let scratch = try Scratch(inMemory: true)
    let recording = try Self.record(scratch)
    _ = try scratch.file("next.jsonl", Rows.text(500..<501, seed: 8))
    try Self.checkCompleteness(recording, scratch)
    let total = Machine.environment("DSV_POWER_STATES").flatMap { Int($0) } ?? 500
    let partCount = 2
    await withTaskGroup { group in
      for part in 0..<partCount {
        group.addTask {
          await #expect(processExitsWith: .success) {
            [
              folder = scratch.path as String, part = part as Int, partCount = partCount as Int,
              count = (total / partCount) as Int
            ] in
            try PowerLossTests.play(folder, part: part, of: partCount, stateCount: count)
          }
        }
      }
    }
    var fineCount = 0
    for part in 0..<partCount {
      let log = String(
        decoding: try FileSystem.read("\(scratch.path)/\(part).states", limit: 1 << 30), as: UTF8.self)
      for line in log.split(separator: "\n") {
        if line.hasSuffix("\tfine") { fineCount += 1 } else { Issue.record("\(line)") }
      }
    }
    print("power cuts: \(fineCount) states of \(recording.events.count) events are fine")
    #expect(fineCount == total / partCount * partCount)
  }

  /// What the recording comes to is what lies on the disk: nothing was changed behind the recorder's back.
  static func checkCompleteness(_ recording: Recording, _ scratch: Scratch) throws {
    let cut = PowerCut(recording)
    let played = cut.state(at: recording.events.count, variant: 0)
    let real = try Tree.read("\(scratch.path)/root")
    #expect(Set(played.files.keys) == Set(real.keys))
    // LMDB's table of readers is written through memory.
    let mapped = played.files.keys.filter { $0.hasSuffix("/lock.mdb") }
    for (path, bytes) in played.files where !mapped.contains(path) { #expect(real[path] == bytes, "\(path)") }
    #expect(recording.mapped.count == mapped.count)
  }

  /// Syncs that may be left out, and why.
  static let harmless: [String: String] = {
    let replaced = "a new index that is lost, or part of it, is verified, found wanting, and made again"
    let readers = "LMDB begins its table of readers anew when nobody uses it"
    let twice = "the whole file is synced after LMDB has closed it"
    return [
      "init: write repository/.dsv.X/index/data.mdb": twice,
      "init: sync repository/.dsv.X/index/lock.mdb": readers,
      "init: sync repository/.dsv.X/index": replaced,
      "rebuild: write repository/.dsv/index.new/data.mdb": twice,
      "rebuild: sync repository/.dsv/index.new/lock.mdb": readers,
    ]
  }()

  /// Syncs of which it is chance whether a state that shows the lack of them is among those that are played. Of a rebuild's two
  /// renames one has to be lost. A new index that is lost is made again, which shows only where the next commit's pack is
  /// half there by then: of a pack that was never published the records are taken then, and its header is told of as damaged.
  static let foundByChance: Set = [
    "rebuild: sync repository/.dsv", "rebuild: sync repository/.dsv/index.new",
  ]

  /// Plays states as if a sync had not been in the code, until one is wrong; writes down what was.
  static func playWithout(_ label: String, _ folder: String, to log: File) throws {
    let recording = try read(folder)
    let (whole, cut) = (PowerCut(recording), PowerCut(recording, ignoring: label))
    let pictures = try pictures(folder, recording.commandCount)
    let cuts = (0...recording.events.count).filter { whole.pending(at: $0) != cut.pending(at: $0) }
    for variant in [-3, -2, -1, 1, 8, 9, 10, 11] {
      // Right behind the sync, and then ever farther.
      for at in Set(
        cuts.prefix(12) + stride(from: 0, to: cuts.count, by: 1 + cuts.count / 24).map { cuts[$0] }
      ).sorted() {
        // The sharpest: what the sync was to keep is lost, and nothing else.
        let extra = Set(cut.pending(at: at)).subtracting(whole.pending(at: at))
        let state =
          variant < 0
          ? cut.state(at: at, losing: extra, keepsLengths: variant == -3)
          : cut.state(at: at, variant: variant)
        let count = cut.acknowledgedCounts[at]
        if let problem = try check(state, in: "\(folder)/copy", variant, pictures, count, folder) {
          return try log.say("cut \(at), variant \(variant): \(problem)\n")
        }
      }
    }
    try log.say("nothing\n")
  }

  @Test("a sync that is left out is found")
  func missingSyncs() async throws {
    let scratch = try Scratch(inMemory: true)
    let recording = try Self.record(scratch)
    _ = try scratch.file("next.jsonl", Rows.text(500..<501, seed: 8))
    var found: [[String]] = []
    while found.count < recording.syncLabels.count {
      await #expect(processExitsWith: .success) {
        [folder = scratch.path as String, first = found.count as Int] in
        // LMDB trusts its pages; that it dies of some is one way to find that they were not synced.
        for number in [SIGBUS, SIGSEGV, SIGABRT] { signal(number) { _ in _exit(0) } }
        let log = try File("\(folder)/labels", .updateOrCreate)
        try log.truncate(to: 0)
        for label in try PowerLossTests.read(folder).syncLabels.dropFirst(first) {
          try log.say("\(label)\t")
          try PowerLossTests.playWithout(label, folder, to: log)
        }
      }
      let log = String(decoding: try FileSystem.read("\(scratch.path)/labels", limit: 1 << 30), as: UTF8.self)
      let lines = log.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
      try #require(!lines.isEmpty)
      found += lines.map { $0.count == 2 ? $0 : $0 + ["it crashed"] }
    }
    #expect(found.map { $0[0] } == recording.syncLabels)
    for line in found where !Self.foundByChance.contains(line[0]) {
      #expect((line[1] == "nothing") == (Self.harmless[line[0]] != nil), "\(line)")
    }
    if let keep = Machine.environment("DSV_TEST_LOG") {
      let text = found.map { $0.joined(separator: "\t") + "\n" }.joined()
      try FileSystem.replace("\(keep).syncs", with: Array(text.utf8), isDurable: false)
    }
  }
}
