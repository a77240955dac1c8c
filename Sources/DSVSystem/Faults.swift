package import DSVFormat
import Glibc
import Synchronization

/// The seam at which tests make the operating system fail. Does nothing, and costs one atomic load, unless armed.
///
/// A plan names a folder, so that tests which run side by side do not disturb each other. Every change to
/// the disk below that folder (create, write, sync, rename, truncate, remove) is one step of the plan.
package final class Faults: Sendable {
  /// What happens at the step that is chosen.
  package enum Outcome: Sendable {
    case failure(errno: Int32)
    /// The process kills itself with SIGKILL before the step is done.
    case kill

    package static let inputOutput = failure(errno: EIO)
    package static let diskFull = failure(errno: ENOSPC)
  }

  /// Where and when to fail, and how many steps there have been.
  private struct Plan {
    let folder: String
    let first: Int
    let isForever: Bool
    let outcome: Outcome
    var stepCount = 0
  }

  private static let isArmed = Atomic<Bool>(false)
  private static let plans = Mutex<[Plan]>([])

  /// Begins to count the steps below `folder`, and fails the one numbered `first` (from 0).
  ///
  /// - Parameters:
  ///   - first: pass `.max` to count only.
  ///   - isForever: fail every later step too.
  package static func arm(
    under folder: String, first: Int, isForever: Bool = false, outcome: Outcome = .inputOutput
  ) {
    plans.withLock { plans in
      plans.removeAll { $0.folder == folder }
      plans.append(Plan(folder: folder, first: first, isForever: isForever, outcome: outcome))
      isArmed.store(true, ordering: .releasing)
    }
  }

  /// Ends the plan for `folder`; returns how many steps there were.
  @discardableResult
  package static func disarm(under folder: String) -> Int {
    plans.withLock { plans in
      defer {
        plans.removeAll { $0.folder == folder }
        if plans.isEmpty { isArmed.store(false, ordering: .releasing) }
      }
      return plans.first { $0.folder == folder }?.stepCount ?? 0
    }
  }

  /// Counts one step on `path`; returns the `errno` to fail with, or 0.
  package static func step(_ path: String) -> Int32 {
    guard isArmed.load(ordering: .acquiring) else { return 0 }
    return plans.withLock { plans in
      guard let index = plans.firstIndex(where: { path.hasPrefix($0.folder) }) else { return 0 }
      let number = plans[index].stepCount
      plans[index].stepCount += 1
      let plan = plans[index]
      guard number == plan.first || plan.isForever && number > plan.first else { return 0 }
      switch plan.outcome {
      case .failure(let code): return code
      case .kill:
        kill(getpid(), SIGKILL)
        return EIO
      }
    }
  }

  /// Counts one step and throws if it is to fail.
  package static func check(_ call: String, _ path: String) throws(DSVError) {
    let code = step(path)
    if code != 0 { throw .system(code, call, path) }
  }
}
