import DSV
import DSVFormat
import DSVTables
import DSVTesting
import DSVTransforms
import Testing

/// Everything that is said in an encrypted repository is looked for in every byte of its folder.
@Suite struct NeedleTests {
  /// Rows, names and messages with needles in all of them, in a repository that goes through what repositories do.
  private static func fill(_ dataset: Dataset) throws -> Needles {
    var needles = Needles()
    let columns = needles.columns()
    func rows(_ range: Range<Int>) -> [String] { needles.rows(range, columns) }
    let repository = dataset.repository
    let table = needles.word()
    func message() -> CommitMessage { CommitMessage(needles.word(), author: needles.word(), time: 0) }
    func commit(_ lines: [String], _ mode: CommitOptions.Mode, _ table: String) throws {
      var options = CommitOptions()
      (options.mode, options.table, options.badRows) = (mode, table, .quarantine)
      options.key = mode == .replace && table == "data" ? ["id"] : []
      options.schema = table == "typed" ? Needles.typedFields : nil
      let text = lines.map { $0 + "\n" }.joined()
      _ = try repository.commit(rows: Array(text.utf8), message(), options)
    }
    let first = rows(0..<250)
    try commit(first, .replace, "data")
    try commit(rows(250..<310) + [needles.word()], .append, "data")
    try commit(Array(first[..<20]) + rows(310..<330), .upsert, "data")
    try commit(rows(330..<340), .replace, table)
    try commit(needles.typedRows(60), .replace, "typed")
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
    #expect(try Self.fill(sealed).all.map(\.name) == needles.all.map(\.name))
    #expect(needles.all.count >= 1000)
    #expect(try sealed.rows() == plain.rows())
    #expect(try sealed.repository.check().problems == [])
    var haystack = Haystack()
    try haystack.add(folder: sealed.folder.path + "/.dsv")
    let found = haystack.search(needles)
    #expect(found.count == 0, "\(found.names.prefix(5))")
    if TestRepository.isEncrypted { return }
    var control = Haystack()
    try control.add(folder: plain.folder.path + "/.dsv")
    let seen = control.search(needles)
    // What is stored over another object stands in frames that only that one opens.
    #expect(seen.count > needles.all.count * 9 / 10, "\(seen.count) of \(needles.all.count)")
    print(
      "\(needles.all.count) needles, \(haystack.byteCount) bytes: \(found.count) found; plain: \(seen.count)")
  }
}
