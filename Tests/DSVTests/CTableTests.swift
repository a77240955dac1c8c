import CArrow
import DSV
import DSVC
import DSVFormat
import DSVSystem
import DSVTesting
import Testing

/// What a program in another language calls.
@Suite struct CTableTests {
  /// What a function said went wrong.
  private static func text(_ answer: UnsafeMutablePointer<CChar>?) -> String? {
    defer { freeText(answer) }
    return answer.map { String(cString: $0) }
  }

  @Test("an encrypted repository opens with its key file; without it, or with another, it says so")
  func keyFile() throws {
    let folder = try TemporaryFolder(inMemory: true)
    let (path, right, wrong) = (
      "\(folder.path)/repository", "\(folder.path)/right.key", "\(folder.path)/wrong.key"
    )
    let key = RepositoryKey.random()
    try FileSystem.replace(right, with: Array(try #require(key.text).utf8) + [10])
    try FileSystem.replace(wrong, with: Array(try #require(RepositoryKey.random().text).utf8))
    let repository = try Repository.initialize(
      at: path, encryptedWith: key, options: .init(threadCount: 0))
    _ = try repository.commit(rows: Array(#"{"n":7}"#.utf8), CommitMessage("one"))
    repository.close()

    var handle: UnsafeMutableRawPointer?
    #expect(try #require(Self.text(openTable(path, nil, nil, nil, &handle))).contains("encrypted"))
    #expect(Self.text(openTable(path, nil, nil, wrong, &handle)) != nil)
    #expect(try #require(Self.text(openTable(path, nil, nil, path, &handle))).contains("folder"))
    #expect(handle == nil)
    #expect(Self.text(openTable(path, nil, nil, right, &handle)) == nil)
    let opened = try #require(handle)
    defer { closeTable(opened) }
    var (schema, array) = (ArrowSchema(), ArrowArray())
    #expect(Self.text(takeRows(opened, [0], 1, nil, &schema, &array)) == nil)
    #expect(array.length == 1)
    let column = try #require(array.children[0]).pointee
    #expect(try #require(column.buffers[1]).load(as: Int64.self) == 7)
    array.release(&array)
    schema.release(&schema)
    #expect(try #require(Self.text(takeRows(opened, [1], 1, nil, &schema, &array))).contains("row"))
  }
}
