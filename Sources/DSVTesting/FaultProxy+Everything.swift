package import DSVFormat
package import DSVRemote
import Synchronization

// A world where almost nothing gets through, and who is patient enough for it.

extension FaultProxy {
  /// All that may happen to any request.
  package static let faults = [
    "500", "503", "429", "409", "412", "reset", "lost", "truncated", "corrupted", "corrupted-upload",
    "bare-403", "bare-404", "skewed", "moved", "expired", "slow", "stuck",
  ]

  /// Begins a plan in which each request meets each fault with a probability.
  ///
  /// What takes a second each time is done a few times. What a client has one remedy for is done once to each request that differs.
  /// - Parameters:
  ///   - server: where it has no other credentials, none expire.
  ///   - sparesParts: only whole values come damaged. Nothing vouches for lists and parts of values: that is for who asks for them.
  package func planEverything(
    chance: Double = 0.2, seed: Int, before server: S3Server, sparesParts: Bool = false
  ) throws(DSVError) {
    let faults = Self.faults.compactMap { fault in
      switch fault {
      case "expired" where server.otherCredentials.isEmpty: nil as String?
      case "corrupted" where sparesParts: "corrupted-value"
      default: fault
      }
    }
    let list = faults.map { "\"\($0)\"" }.joined(separator: ", ")
    try plan(
      #"{"faults": [\#(list)], "chance": \#(chance), "seed": \#(seed), "most": {"slow": 1, "stuck": 2}}"#)
  }

  /// Of a plan that has ended: the faults that were to be done, and never were.
  package static func missing(in counts: Counts, before server: S3Server) -> [String] {
    faults.filter { fault in
      counts["fault \(fault)"] + counts["fault \(fault)-value"] == 0
        && (!server.otherCredentials.isEmpty || fault != "expired")
    }
  }
}

extension S3Server {
  /// A bucket, open for who goes on until a call gets through ``FaultProxy/planEverything(chance:seed:before:)``.
  package func openPatiently(_ place: S3Place) throws(DSVError) -> S3Bucket {
    var policy = RetryPolicy.forTests
    // Nine of ten requests fail.
    (policy.attemptCountMax, policy.strangeAttemptCountMax, policy.longestDelay) = (400, 400, 0.004)
    var settings = Curl.Settings()
    // A busy machine must not be taken for a stuck one: what was left alone there is done late, perhaps after what came next.
    settings.lowSpeedSeconds = 3
    let all = [credentials] + otherCredentials
    let readCount = Atomic<Int>(0)
    return try open(place, policy: policy, settings: settings) { world in
      // Each time that they are read there are others: also where several calls find at once that theirs have expired.
      world.credentials = { () throws(DSVError) in
        all[readCount.add(1, ordering: .relaxed).oldValue % all.count]
      }
    }
  }
}
