import DSV
import DSVFormat
import DSVSystem
import Testing

/// Each durable step of an operation on a whole repository is made to fail.
@Suite struct FaultTests {
  enum Operation: String, CaseIterable {
    case append, spillingAppend, transform, gc, tag, compact, archive

    /// What the repository is made for.
    var template: KillTests.Operation {
      switch self {
      case .gc: .gc
      case .compact: .compact
      case .archive: .archive
      case .append, .spillingAppend, .transform, .tag: .commit
      }
    }

    func perform(_ repository: Repository, _ scratch: Scratch) throws(DSVError) {
      switch self {
      case .append: try repository.commitTest("\(scratch.path)/more.jsonl", .append)
      case .spillingAppend: try repository.commitTest("\(scratch.path)/large.jsonl", .append)
      case .transform: try repository.filterTest()
      case .gc: _ = try repository.collectGarbage(keepDays: 0)
      case .compact: try repository.compactTest()
      case .archive: _ = try repository.archive()
      case .tag: try repository.makeTag("new", at: try repository.resolve("main").commit)
      }
    }
  }

  @Test(
    "whatever step fails, the old state is whole, the error is the right one, and it can be done again",
    arguments: Operation.allCases, [Faults.Outcome.inputOutput, .diskFull])
  func sweep(operation: Operation, outcome: Faults.Outcome) throws {
    let template = try KillTests.makeTemplate(operation.template)
    let scratch = try Scratch(inMemory: true)
    _ = try scratch.file("more.jsonl", Rows.text(100..<110, seed: 4))
    _ = try scratch.file("large.jsonl", Rows.noise(100, byteCount: 2_000_000, seed: 4))
    try Tree.write(template, to: scratch.repository)
    let old = try Picture(try Repository.test(at: scratch.repository))
    try operation.perform(try Repository.test(at: scratch.repository), scratch)
    let new = try Picture(try Repository.test(at: scratch.repository))

    for isForever in [false, true] {
      var step = 0
      while true {
        let context: Comment = "step \(step) of \(operation), \(outcome), forever: \(isForever)"
        try Tree.write(template, to: scratch.repository)
        let repository = try Repository.test(at: scratch.repository)
        Faults.arm(under: scratch.repository, first: step, isForever: isForever, outcome: outcome)
        var failure: DSVError?
        do throws(DSVError) { try operation.perform(repository, scratch) } catch { failure = error }
        let stepCount = Faults.disarm(under: scratch.repository)
        if let failure {
          let code: DSVError.Code = if case .failure(28) = outcome { .full } else { .io }
          #expect(failure.code == code, "\(context): \(failure)")
          #expect(try Picture(repository) == old, context)
        }
        let found = try Picture(try Repository.test(at: scratch.repository))
        #expect(found == (failure == nil ? new : old), context)
        #expect(try repository.check().problems == [], context)

        // The same repository object, and one that is opened now, both go on.
        if failure != nil {
          try operation.perform(
            step % 2 == 0 ? repository : try Repository.test(at: scratch.repository), scratch)
        }
        #expect(try Picture(try Repository.test(at: scratch.repository)) == new, context)
        #expect(try Repository.test(at: scratch.repository).check().problems == [], context)
        #expect(try FileSystem.list("\(scratch.repository)/.dsv/tmp") == [], context)
        if stepCount <= step { break }
        step += 1
      }
      #expect(step >= (operation == .gc ? 3 : 4), "\(operation): \(step) steps")
    }
  }

  @Test("whatever step of a gc fails, all can be read although nothing can be written from then on")
  func readAfterCollection() throws {
    let template = try KillTests.makeTemplate(.gc)
    let scratch = try Scratch(inMemory: true)
    try Tree.write(template, to: scratch.repository)
    let old = try Picture(try Repository.test(at: scratch.repository))
    var step = 0
    while true {
      try Tree.write(template, to: scratch.repository)
      let repository = try Repository.test(at: scratch.repository)
      Faults.arm(under: scratch.repository, first: step, outcome: .diskFull)
      _ = Result { try repository.collectGarbage(keepDays: 0) }
      let stepCount = Faults.disarm(under: scratch.repository)
      // What LMDB has written of a change that then failed makes the index be looked at.
      try FileSystem.remove("\(scratch.repository)/.dsv/index.stamp")
      Faults.arm(under: scratch.repository, first: 0, isForever: true, outcome: .diskFull)
      defer { Faults.disarm(under: scratch.repository) }
      #expect(try Picture(repository) == old, "step \(step)")
      #expect(try Picture(try Repository.test(at: scratch.repository)) == old, "step \(step), opened anew")
      if stepCount <= step { break }
      step += 1
    }
    #expect(step > 5)
  }
}
