import DSVFormat
import DSVStore
import DSVSystem
import DSVTesting
import Testing

/// A repeatable source of random numbers.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Hash64.of(state)
  }
}

/// Whatever is damaged in a repository is found, mended or harmless; nothing crashes and nothing reads wrong.
@Suite struct DamageTests {
  /// The files of a small repository, by path below its root.
  let files: [String: [UInt8]]
  static let objectCount: UInt64 = 24

  init() throws {
    let scratch = try Scratch()
    do {
      let store = try scratch.create()
      for number in 0..<Self.objectCount {
        try store.publishTest(number, ref: "heads/\(number % 5)", byteCount: Int(number * 7))
      }
      let session = try store.session()
      for number: UInt64 in 1000..<1300 {
        try session.put(testID(number), testObject(number, byteCount: 1).1)
      }
      try session.publish { (_) throws(DSVError) in }
    }
    files = try Self.read(scratch.root, "")
  }

  static func read(_ root: String, _ folder: String) throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for name in try FileSystem.list("\(root)/\(folder)") {
      let path = folder.isEmpty ? name : "\(folder)/\(name)"
      if try FileSystem.status("\(root)/\(path)")?.isFolder == true {
        files.merge(try read(root, path)) { $1 }
      } else {
        files[path] = try FileSystem.read("\(root)/\(path)", limit: .max)
      }
    }
    return files
  }

  static func write(_ files: [String: [UInt8]], to root: String) throws {
    try FileSystem.removeTree(root)
    for folder in ["", "/packs", "/index", "/locks", "/tmp"] { try FileSystem.makeFolder(root + folder) }
    for (path, bytes) in files { try File("\(root)/\(path)", .create).write(bytes, at: 0) }
  }

  /// How a damaged repository answered.
  enum Answer: String {
    /// Opening threw.
    case refused
    /// All is there, and nothing was said.
    case unharmed
    /// All is there, for the index was rebuilt.
    case mended
    /// Something is missing or unreadable, and that was said.
    case reported
    /// Something is missing and nothing was said, or something reads wrong.
    case silent
  }

  static func answer(_ scratch: Scratch) -> Answer {
    do throws(DSVError) {
      let notes = scratch.notes.count
      let store = try TestStore.open(at: scratch.root) { scratch.hear($0) }
      var isWhole = true
      var isReported = false
      for number in Array(0..<objectCount) + Array(1000..<1300) {
        let (id, object) = testObject(number, byteCount: number < 1000 ? Int(number * 7) : 1)
        do throws(DSVError) {
          if try store.read(id) != object { return .silent }
        } catch {
          isWhole = false
          if error.code == .corrupt { isReported = true }
        }
      }
      if try !refsAreRight(store) { isWhole = false }
      if try !store.checkPacks().problems.isEmpty { isReported = true }
      let wasMended = scratch.notes.count > notes
      if isWhole { return isReported ? .reported : wasMended ? .mended : .unharmed }
      return isReported || wasMended ? .reported : .silent
    } catch {
      return .refused
    }
  }

  static func refsAreRight(_ store: Store) throws(DSVError) -> Bool {
    guard try store.ref("HEAD") == .symbolic("heads/main"), try store.refs().count == 6,
      try store.versionCount == objectCount, try store.reflog().count == objectCount + 1
    else { return false }
    for branch: UInt64 in 0..<5 {
      let last = (0..<objectCount).last { $0 % 5 == branch } ?? 0
      if try store.ref("heads/\(branch)") != .commit(testID(last)) { return false }
    }
    for number in 0..<objectCount {
      if try store.commit(number: Int(number) + 1) != testID(number) { return false }
    }
    return true
  }

  @Test("an undamaged copy answers that it is unharmed")
  func undamaged() throws {
    let scratch = try Scratch()
    try Self.write(files, to: scratch.root)
    #expect(Self.answer(scratch) == .unharmed)
    #expect(Self.answer(scratch) == .unharmed)
  }

  @Test("flipped bits anywhere are found, mended or harmless", arguments: 0..<4)
  func flips(part: UInt64) throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededGenerator(state: seed)
    let count = Machine.environment("DSV_TEST_FLIPS").flatMap { Int($0) } ?? 120
    var answers: [String: Int] = [:]
    let paths = files.keys.sorted().filter { files[$0] != [] }
    let scratch = try Scratch()
    for _ in 0..<count {
      let path = paths[Int.random(in: paths.indices, using: &random)]
      var damaged = files
      let offset = Int.random(in: 0..<(files[path]?.count ?? 1), using: &random)
      let bit = Int.random(in: 0..<8, using: &random)
      damaged[path]?[offset] ^= 1 << bit
      try Self.write(damaged, to: scratch.root)
      let answer = Self.answer(scratch)
      #expect(answer != .silent, "seed \(seed): \(path), byte \(offset), bit \(bit)")
      answers["\(path) \(answer)", default: 0] += 1
    }
    print("flips, seed \(seed): \(answers.sorted { $0.key < $1.key })")
  }

  @Test(
    "an index with several bytes, a sector or whole pages wrong never crashes nor reads wrong",
    arguments: 0..<4)
  func indexDamage(kind: Int) throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededGenerator(state: seed)
    let count = Machine.environment("DSV_TEST_FLIPS").flatMap { Int($0) } ?? 60
    var answers: [Answer: Int] = [:]
    let scratch = try Scratch()
    let path = "index/data.mdb"
    let original = try #require(files[path])
    for _ in 0..<count {
      var bytes = original
      let page = Int.random(in: 0..<bytes.count / 4096, using: &random) * 4096
      switch kind {
      case 0:
        let offset = Int.random(in: 0..<2048, using: &random) * 2
        for index in 0..<2 { bytes[page + offset + index] = UInt8.random(in: 0 ... .max, using: &random) }
      case 1:
        let sector = page + Int.random(in: 0..<8, using: &random) * 512
        for index in sector..<sector + 512 { bytes[index] = 0 }
      case 2:
        let other = Int.random(in: 0..<bytes.count / 4096, using: &random) * 4096
        for index in 0..<4096 { bytes.swapAt(page + index, other + index) }
      default:
        // The header of a page or the table records of a meta page, where all that LMDB follows is.
        for _ in 0..<2 {
          bytes[page + Int.random(in: 0..<160, using: &random)] ^= UInt8(
            1 << Int.random(in: 0..<8, using: &random))
        }
      }
      var damaged = files
      damaged[path] = bytes
      try Self.write(damaged, to: scratch.root)
      let answer = Self.answer(scratch)
      #expect(
        answer == .unharmed || answer == .mended, "seed \(seed), kind \(kind), page \(page / 4096): \(answer)"
      )
      answers[answer, default: 0] += 1
      try TestStore.open(at: scratch.root).publishTest(5000, byteCount: 10)
      #expect(
        try TestStore.open(at: scratch.root).checkPacks().problems == [],
        "seed \(seed), kind \(kind), page \(page)")
    }
    print("index damage, kind \(kind), seed \(seed): \(answers)")
  }

  @Test("every file, cut short or gone, is found, mended or harmless")
  func truncations() throws {
    let scratch = try Scratch()
    for path in files.keys.sorted() {
      let byteCount = files[path]?.count ?? 0
      for length in [nil, 0, 1, 15, 31, 4096, byteCount / 2, byteCount - 1] {
        var damaged = files
        if let length, !(0..<byteCount ~= length) { continue }
        damaged[path] = length.flatMap { damaged[path]?.prefix($0) }.map { Array($0) }
        try Self.write(damaged, to: scratch.root)
        let answer = Self.answer(scratch)
        #expect(answer != .silent, "\(path) cut to \(length.map { "\($0)" } ?? "nothing")")
        if path.hasPrefix("index") { #expect(answer == .unharmed || answer == .mended, "\(path) \(answer)") }
      }
    }
  }

  @Test("an older copy of the index is not taken for the present one")
  func oldIndex() throws {
    let scratch = try Scratch()
    try Self.write(files, to: scratch.root)
    try TestStore.open(at: scratch.root).publishTest(77)
    try FileSystem.replace("\(scratch.root)/index/data.mdb", with: try #require(files["index/data.mdb"]))
    let store = try scratch.open()
    #expect(scratch.notes.count == 1)
    #expect(try store.ref("heads/main") == .commit(testID(77)))
  }
}
