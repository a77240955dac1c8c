import DSVFormat
import DSVStore
import DSVSystem
import Testing

/// Every durable step of the workload is made to fail, or to be the process's last.
@Suite struct FaultTests {
  /// Runs the workload until it fails; returns how many operations were acknowledged.
  static func run(at root: String) -> (Int, DSVError?) {
    for number in 0..<Workload.operationCount {
      do throws(DSVError) { try Workload.perform(number, at: root) } catch { return (number, error) }
    }
    return (Workload.operationCount, nil)
  }

  @Test("the workload does what its model says")
  func model() throws {
    let scratch = try Scratch()
    for number in 0..<Workload.operationCount {
      try Workload.perform(number, at: scratch.root)
      #expect(Workload.matches(try Workload.observe(scratch.root), after: number + 1), "operation \(number)")
    }
    #expect(try Workload.observe(scratch.root).live == Workload.state(after: Workload.operationCount).live)
  }

  @Test(
    "whatever step fails, what was acknowledged is there, and the repository goes on",
    arguments: [Faults.Outcome.inputOutput, .diskFull], [false, true])
  func sweep(outcome: Faults.Outcome, isForever: Bool) throws {
    var step = 0
    while true {
      let scratch = try Scratch()
      Faults.arm(under: scratch.root, first: step, isForever: isForever, outcome: outcome)
      let (count, error) = Self.run(at: scratch.root)
      let stepCount = Faults.disarm(under: scratch.root)
      if stepCount <= step { break }
      if let error, case .failure(let code) = outcome {
        #expect(error.code == .full || error.code == .io, "step \(step): \(error), errno \(code)")
      }
      if error == nil {
        #expect(try Workload.observe(scratch.root) == Workload.state(after: count), "step \(step)")
      }
      try Workload.checkBrokenOff(after: count, at: scratch.root, "step \(step), \(outcome), \(isForever)")
      step += 1
    }
    #expect(step > 60, "steps: \(step)")
    print("fault sweep: \(step) steps, \(outcome), forever: \(isForever)")
  }

  @Test("whatever step of making the index again fails, nothing is lost")
  func rebuildSweep() throws {
    let scratch = try Scratch()
    for number in 0..<4 { try Workload.perform(number, at: scratch.root) }
    let state = try Workload.observe(scratch.root)
    for step in 0..<100 {
      let store = try scratch.open()
      Faults.arm(under: scratch.root, first: step)
      let result = Result { try store.rebuildIndex() }
      let stepCount = Faults.disarm(under: scratch.root)
      #expect(try Workload.observe(scratch.root) == state, "step \(step)")
      #expect(try store.ref("heads/main") == state.main, "step \(step)")
      try store.session().publish { (publication) throws(DSVError) in
        try publication.move(
          RefMove("x", expected: .anything, new: step % 2 == 0 ? .symbolic("y") : nil, action: ""))
      }
      if stepCount <= step {
        #expect(throws: Never.self) { try result.get() }
        return
      }
    }
    Issue.record("the sweep has no end")
  }

  @Test(
    "killed at any step, what was acknowledged is there", arguments: Array(stride(from: 0, to: 130, by: 5)))
  func kill(first: Int) async throws {
    for step in first..<first + 5 {
      let scratch = try Scratch()
      await #expect(processExitsWith: .signal(9)) {
        [root = scratch.root as String, step = step as Int] in
        Faults.arm(under: root, first: step, outcome: .kill)
        for number in 0..<Workload.operationCount {
          try Workload.perform(number, at: root)
          try FileSystem.replace("\(FileSystem.parent(of: root))/acknowledged", with: [UInt8(number + 1)])
        }
        Faults.arm(under: root, first: 0, outcome: .kill)
        try FileSystem.makeFolder("\(root)/end")
      }
      let count = try? FileSystem.read("\(scratch.path)/acknowledged", limit: 1)[0]
      try Workload.checkBrokenOff(after: Int(count ?? 0), at: scratch.root, "step \(step)")
    }
  }
}
