public import DSVFormat

/// How far a long operation has come.
public struct Progress: Sendable {
  public enum Unit: String, Sendable {
    case bytes, rows, objects
  }
  /// What is being done: `reading rows.jsonl`.
  public let phase: String
  public let done: Int
  /// `nil` where the end is not known.
  public let total: Int?
  public let unit: Unit

  package init(phase: String, done: Int, total: Int?, unit: Unit) {
    (self.phase, self.done, self.total, self.unit) = (phase, done, total, unit)
  }
}

/// Called again and again during a long operation. What it throws ends the operation, which then has changed nothing:
/// that is how a user interrupts one.
public typealias ProgressHandler = @Sendable (Progress) throws(DSVError) -> Void
