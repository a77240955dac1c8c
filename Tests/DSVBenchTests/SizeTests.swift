import DSV
import Foundation
import Testing

@testable import DSVBench

/// What does not flicker: how many objects and bytes some work leaves behind. Times are compared by hand.
@Suite struct SizeTests {
  let folder = FileManager.default.temporaryDirectory.appending(path: "dsv-sizes-\(UUID().uuidString)").path
  let sample = URL(filePath: #filePath).appending(path: "../../../fixtures/sample").standardized.path
  let message = CommitMessage("sizes", author: "test", time: 0)

  func withRepository(_ body: (Repository) throws -> Void) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(try Repository.initialize(at: folder))
  }

  @Test("the sample takes little more than a third of its size, and nothing when it is committed again")
  func sampleSize() throws {
    try withRepository { repository in
      let first = try repository.commit([sample + "/documents.jsonl"], message)
      #expect((900_000..<1_200_000).contains(first.newByteCount), "\(first.newByteCount)")
      let objectCount = try repository.info().objectCount
      #expect((30..<120).contains(objectCount), "\(objectCount)")
      let again = try repository.commit([sample + "/documents.jsonl"], message)
      #expect(!again.isNew && again.root == first.root)
      #expect(try repository.info().objectCount == objectCount)
    }
  }

  @Test("rows that are appended cost what they hold, and no column that stays as it was is written again")
  func appendSize() throws {
    try withRepository { repository in
      _ = try repository.commit([sample + "/documents.jsonl"], message)
      let objectCount = try repository.info().objectCount
      var options = CommitOptions()
      options.mode = .append
      let next = try repository.commit([sample + "/more.jsonl"], message, options)
      // 271 kB of rows, and the last chunk of each column anew.
      #expect(next.newByteCount < 200_000, "\(next.newByteCount)")
      #expect(try repository.info().objectCount - objectCount < 40)
    }
  }

  @Test("commits of rows of one to three KB take less than 12 KiB each, in a bounded number of files")
  func singleLongRows() throws {
    try withRepository { repository in
      var options = CommitOptions()
      options.mode = .append
      let rows = SingleRowBenchmarks.rows(200)
      let file = folder + "/row.jsonl"
      let before = try repository.info().byteCount
      for row in rows {
        try Data(row).write(to: URL(filePath: file))
        _ = try repository.commit([file], message, options)
      }
      _ = try repository.collectGarbage(keepDays: 0)
      let perCommit = (try repository.info().byteCount - before) / rows.count
      #expect((1000..<12 << 10).contains(perCommit), "\(perCommit)")
      let files = FileManager.default.subpaths(atPath: folder + "/.dsv") ?? []
      #expect(files.count < 20, "\(files)")
    }
  }

  @Test("a hundred commits of one row stay small")
  func singleRows() throws {
    try withRepository { repository in
      let file = folder + "/row.jsonl"
      try Data(#"{"id":1,"text":"one row"}"#.utf8).write(to: URL(filePath: file))
      var options = CommitOptions()
      options.mode = .append
      let before = try repository.info()
      for _ in 0..<100 { _ = try repository.commit([file], message, options) }
      let after = try repository.info()
      #expect(after.objectCount - before.objectCount <= 400)
      #expect(after.byteCount - before.byteCount < 300_000, "\(after.byteCount - before.byteCount)")
    }
  }
}
