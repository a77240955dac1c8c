import DSV
import DSVFormat
import DSVSystem
import Testing

/// Each allocation that LMDB asks for is made to fail.
@Suite struct AllocationTests {
  /// A library that is loaded before the C library, and makes one fail.
  private static func library(_ scratch: Scratch) throws -> String {
    let library = "\(scratch.path)/allocations.so"
    let built = try Child(
      [
        "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library,
        Tree.sources + "/Allocations/allocations.c",
      ], program: "/usr/bin/cc", scratch: scratch.path
    ).wait()
    try #require(built.code == 0, "\(built.errors)")
    return library
  }

  @Test(
    "whatever memory LMDB is refused, a command does its work, or says so and changes nothing",
    arguments: [(KillTests.Operation.append, false), (.append, true), (.gc, false)])
  func sweep(operation: KillTests.Operation, isForever: Bool) throws {
    let template = try KillTests.makeTemplate(operation)
    let scratch = try Scratch(inMemory: true)
    let library = try Self.library(scratch)
    let input = try scratch.file("more.jsonl", Rows.text(100..<103, seed: 4))
    let command = [Child.command] + operation.arguments(scratch.repository, input, round: 0)
    try Tree.write(template, to: scratch.repository)
    let old = try Picture(try Repository.test(at: scratch.repository))
    let mark = "\(scratch.path)/failed"
    var (number, failedCount) = (0, 0)
    while true {
      let context: Comment = "allocation \(number) of \(operation), forever: \(isForever)"
      try Tree.write(template, to: scratch.repository)
      let variables =
        [
          "LD_PRELOAD=\(library)", "DSV_FAIL_ALLOCATION=\(number)", "DSV_FAILED_ALLOCATION=\(mark)",
        ] + (isForever ? ["DSV_FAIL_LATER=1"] : [])
      let end = try Child(variables + command, program: "/usr/bin/env", scratch: scratch.path).wait()
      let hasFailed = try FileSystem.exists(mark)
      try FileSystem.remove(mark)
      if end.code != 0 {
        failedCount += 1
        #expect(end.code == 1 && end.errors.contains(#""code":"io""#), "\(context): \(end)")
        #expect(hasFailed, "\(context): \(end)")
        #expect(try Picture(try Repository.test(at: scratch.repository)) == old, context)
        let again = try Child.run(Array(command.dropFirst()), scratch: scratch.path)
        #expect(again.code == 0, "\(context): \(again)")
      }
      let repository = try Repository.test(at: scratch.repository)
      #expect(
        try repository.info().versionCount == old.versionCount + (operation == .append ? 1 : 0), context)
      #expect(try repository.check().problems == [], context)
      #expect(try FileSystem.list("\(scratch.repository)/.dsv/tmp") == [], context)
      if !hasFailed { break }
      number += 1
    }
    #expect(number > 20 && failedCount > 10, "\(number) allocations, \(failedCount) failures")
  }
}
