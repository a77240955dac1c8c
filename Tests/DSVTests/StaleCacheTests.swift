import DSV
import DSVFormat
import DSVSystem
import DSVTesting
import Testing

/// What a process that has lived for long remembers, and others have deleted.
@Suite struct StaleCacheTests {
  @Test("a commit that gc has deleted is not built on, nor named, by a process that has read it before")
  func collectedCommit() throws {
    let dataset = try Dataset()
    let repository = dataset.repository
    try dataset.commit([#"{"a":1}"#])
    try repository.makeBranch("side", at: try repository.resolve("main").commit)
    try repository.checkout(try repository.resolve("side"))
    try dataset.commit([#"{"a":2}"#])
    let lost = try dataset.commit([#"{"a":3}"#]).commit
    _ = try dataset.rows(lost)
    try repository.checkout(try repository.resolve("main"))
    let main = try repository.resolve("main").commit
    let side = try repository.resolve("v3")
    try repository.deleteBranch("side")
    // What a branch led to in this second is kept.
    Clock.sleep(nanoseconds: 1_100_000_000)
    #expect(try repository.collectGarbage(keepDays: 0).deletedObjectCount > 0)
    func gone(_ body: () throws -> Void) {
      #expect { try body() } throws: { ($0 as? DSVError)?.code == .notFound }
    }
    gone { _ = try repository.revert(lost, CommitMessage("undo")) }
    gone { try repository.makeBranch("again", at: lost) }
    gone { try repository.makeTag("again", at: lost) }
    gone { try repository.checkout(side) }
    #expect(try repository.resolve("main").commit == main && repository.check().problems == [])
  }
}
