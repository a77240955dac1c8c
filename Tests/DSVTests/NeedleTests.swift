import DSV
import DSVFormat
import DSVSystem
import DSVTables
import DSVTesting
import DSVTransforms
import Testing

/// Everything that is said in an encrypted repository is looked for in every byte of its folder.
@Suite struct NeedleTests {
  /// 1,000 words and numbers that stand nowhere by chance.
  private struct Needles {
    private(set) var words: [String] = []
    private(set) var numbers: [Int] = []
    private var random = SeededGenerator(seed: 0x6e65_6564_6c65)

    mutating func word() -> String {
      let digits = String(random.next() | 1 << 63, radix: 16)
      words.append("Zq\(digits.prefix(13))")
      return words[words.count - 1]
    }

    /// Below 2^63, and too large to be packed.
    mutating func number() -> Int {
      numbers.append(Int(random.next() >> 1 | 1 << 61))
      return numbers[numbers.count - 1]
    }
  }

  /// Rows, names and messages with needles in all of them, in a repository that goes through what repositories do.
  private static func fill(_ dataset: Dataset) throws -> Needles {
    var needles = Needles()
    let (column, outer, inner) = (needles.word(), needles.word(), needles.word())
    let kinds = (0..<20).map { _ in needles.word() }
    func rows(_ range: Range<Int>) -> [String] {
      range.map { row in
        #"{"id":"\#(needles.word())","\#(column)":\#(needles.number()),"kind":"\#(kinds[row % 20])","#
          + #""\#(outer)":{"\#(inner)":["\#(needles.word())"]},"row":\#(row)}"#
      }
    }
    let repository = dataset.repository
    let table = needles.word()
    func message() -> CommitMessage { CommitMessage(needles.word(), author: needles.word(), time: 0) }
    func commit(_ lines: [String], _ mode: CommitOptions.Mode, _ table: String) throws {
      var options = CommitOptions()
      (options.mode, options.table, options.badRows) = (mode, table, .quarantine)
      options.key = mode == .replace && table == "data" ? ["id"] : []
      let text = lines.map { $0 + "\n" }.joined()
      _ = try repository.commit(rows: Array(text.utf8), message(), options)
    }
    let first = rows(0..<250)
    try commit(first, .replace, "data")
    try commit(rows(250..<310) + [needles.word()], .append, "data")
    try commit(Array(first[..<20]) + rows(310..<330), .upsert, "data")
    try commit(rows(330..<340), .replace, table)
    let (branch, tag, gone) = (needles.word(), needles.word(), needles.word())
    let head = try #require(try repository.head().commit)
    try repository.makeBranch(branch, at: head)
    try repository.makeTag(tag, at: head)
    try repository.makeBranch(gone, at: head)
    try repository.deleteBranch(gone)
    let condition = "row > 5 or kind = '\(needles.word())'"
    let recipe = Recipe(
      table: "data", steps: [Recipe.Step(name: "where", parameters: ["condition": .text(condition)])],
      text: "# \(needles.word())")
    _ = try repository.transform(try repository.resolve("HEAD"), recipe, message())
    _ = try repository.compact(try repository.resolve("HEAD"), message())
    _ = try repository.archive()
    _ = try repository.collectGarbage(keepDays: 0)
    return needles
  }

  @Test(
    "of 1,000 needles none stands in any byte of an encrypted repository, and the same search finds them in a plain one"
  )
  func needles() throws {
    let plain = try Dataset(scannedKeyByteCountMax: 0, key: nil)
    let sealed = try Dataset(scannedKeyByteCountMax: 0, key: .random())
    let needles = try Self.fill(plain)
    #expect(try Self.fill(sealed).words == needles.words)
    #expect(needles.words.count + needles.numbers.count >= 1000)
    #expect(try sealed.rows() == plain.rows())
    #expect(try sealed.repository.check().problems == [])
    let found = try Haystack(sealed.folder.path + "/.dsv").count(needles.words, needles.numbers)
    #expect(found.count == 0, "\(found)")
    if TestRepository.isEncrypted { return }
    let control = try Haystack(plain.folder.path + "/.dsv")
    let seen = control.count(needles.words, needles.numbers)
    let all = needles.words.count + needles.numbers.count
    // What is stored over another object stands in frames that only that one opens.
    #expect(seen.count > all * 9 / 10, "\(seen.count) of \(all)")
    print("\(all) needles, \(found.byteCount) bytes searched, \(found.count) found; plain: \(seen.count)")
  }
}

/// Every byte of a folder's files, and what zstd frames in them hold.
private struct Haystack {
  private var pieces: [[UInt8]] = []

  init(_ folder: String) throws { try add(folder) }

  private mutating func add(_ folder: String) throws {
    for name in try FileSystem.list(folder) {
      let path = "\(folder)/\(name)"
      guard let status = try FileSystem.status(path) else { continue }
      if status.isFolder {
        try add(path)
      } else {
        let bytes = try FileSystem.read(path, limit: 1 << 30)
        pieces.append(Array(name.utf8))
        pieces.append(bytes)
        addFrames(bytes)
      }
    }
  }

  /// Decodes whatever looks like a frame of zstd.
  private mutating func addFrames(_ bytes: [UInt8]) {
    let zstd = Zstd()
    for start in bytes.indices.dropLast(12) where bytes[start...].starts(with: [0x28, 0xb5, 0x2f, 0xfd]) {
      guard let (end, count) = Self.frame(bytes, start) else { continue }
      var plain = [UInt8](repeating: 0, count: count)
      let isRight = bytes[start..<end].withUnsafeBytes { frame in
        plain.withUnsafeMutableBytes { (try? zstd.decompress(frame, into: $0, of: "a frame")) != nil }
      }
      if isRight { pieces.append(plain) }
    }
  }

  /// Where a frame ends, and how long what it holds is (RFC 8878).
  private static func frame(_ bytes: [UInt8], _ start: Int) -> (end: Int, count: Int)? {
    let flags = bytes[start + 4]
    let isSingle = flags >> 5 & 1 == 1
    let sizeByteCount = [isSingle ? 1 : 0, 2, 4, 8][Int(flags >> 6)]
    var offset = start + 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][Int(flags & 3)]
    func number(_ count: Int) -> Int? {
      guard offset + count <= bytes.count else { return nil }
      defer { offset += count }
      return bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    guard sizeByteCount > 0, sizeByteCount < 8, var size = number(sizeByteCount) else { return nil }
    if sizeByteCount == 2 { size += 256 }
    guard size <= 1 << 24 else { return nil }
    while let block = number(3) {
      offset += block >> 1 & 3 == 1 ? 1 : block >> 3
      if block & 1 == 1 { return offset <= bytes.count ? (offset + Int(flags >> 2 & 1) * 4, size) : nil }
    }
    return nil
  }

  /// How many of these stand somewhere.
  func count(_ words: [String], _ numbers: [Int]) -> (count: Int, byteCount: Int, first: [String]) {
    var wanted: [UInt64: [[UInt8]]] = [:]
    let needles =
      words.map { Array($0.utf8) }
      + numbers.map { number in withUnsafeBytes(of: number.littleEndian) { Array($0) } }
    for needle in needles { wanted[Self.start(needle), default: []].append(needle) }
    var found: Set<[UInt8]> = []
    var byteCount = 0
    for piece in pieces {
      byteCount += piece.count
      var window: UInt64 = 0
      for (index, byte) in piece.enumerated() {
        window = window >> 8 | UInt64(byte) << 56
        guard index >= 7, let candidates = wanted[window] else { continue }
        for needle in candidates where piece[(index - 7)...].starts(with: needle) { found.insert(needle) }
      }
    }
    return (found.count, byteCount, found.prefix(5).map { String(decoding: $0, as: UTF8.self) })
  }

  private static func start(_ needle: [UInt8]) -> UInt64 {
    needle[..<8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
