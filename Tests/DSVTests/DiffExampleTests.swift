import DSV
import DSVTesting
import Testing

/// The README's example of comparing versions in a program, with nothing imported but `DSV`.
@Suite struct DiffExampleTests {
  @Test("a program sees each row that differs, with its cells before and after")
  func example() throws {
    let folder = try TemporaryFolder()
    let repository = try TestRepository.initialize(at: folder.path)
    var options = CommitOptions()
    options.key = ["id"]
    let files = [
      #"{"id":1,"t":"a"}"# + "\n" + #"{"id":2,"t":"b"}"# + "\n" + #"{"id":3,"t":"c"}"# + "\n",
      #"{"id":3,"t":"c"}"# + "\n" + #"{"id":1,"t":"x"}"# + "\n" + #"{"id":4,"t":"d"}"# + "\n",
    ]
    for (number, text) in files.enumerated() {
      _ = try repository.commit(
        [try folder.write("\(number).jsonl", text)], CommitMessage("rows", author: "test", time: 0), options)
    }
    var lines: [String] = []
    func print(_ parts: Any...) { lines.append(parts.map { "\($0)" }.joined(separator: " ")) }

    // BEGIN
    let (old, new) = (try repository.resolve("v1").commit, try repository.resolve("v2").commit)
    let result = try repository.diff(old, new) { (row) throws(DSVError) in
      switch row.kind {
      case .added: print("+", try row.newRow() ?? "")
      case .removed: print("-", try row.oldRow() ?? "")
      case .changed:
        for cell in try row.cells() { print("~", try row.key(), cell.column, cell.old, "->", cell.new) }
      }
    }
    print(result.total.changed, "rows changed,", result.total.moved, "moved")
    // END
    #expect(
      lines.sorted() == [
        #"+ {"id":4,"t":"d"}"#, #"- {"id":2,"t":"b"}"#, "1 rows changed, 0 moved",
        #"~ {"id":1} t "a" -> "x""#,
      ])
    // Of the two rows that both have only one is unchanged: it alone cannot have moved.
    #expect(result.total.changed == 1 && result.total.moved == 0)
  }
}
