package import DSVFormat
package import DSVTables

/// One step of a transform: what it reads, what it writes, and with what.
///
/// A stage must be a pure function of the rows and its parameters: its result is named in the commit by its name,
/// revision and parameters, and nothing else. Filters and signals look at one row at a time.
package protocol Stage: Sendable {
  /// Stable: it stands in commits.
  var name: String { get }
  /// Changes whenever some row's result can change.
  var revision: Int { get }
  /// Everything that it runs with, defaults included.
  var parameters: [String: Parameter] { get }
  /// The dotted names of the columns that it reads. Each batch brings them in this order.
  var reads: [String] { get }
  /// The column that it writes, a struct of signals; `nil` for a stage that only selects.
  var writes: Field? { get }
  /// Why it may drop rows. A verdict is an index into this.
  var reasons: [DropReason] { get }

  /// What runs it; one a thread.
  func makeWorker() -> any StageWorker

  /// Checks that the stage can run on a table of these fields.
  func check(_ fields: [Field]) throws(DSVError)
}

/// Runs a stage on one thread.
package protocol StageWorker: AnyObject {
  /// Judges and measures rows.
  func run(_ batch: StageBatch) throws(DSVError) -> StageOutput
}

/// Rows for a stage, loaded.
package struct StageBatch {
  /// Positions in the table.
  package let rows: Range<Int>
  /// The columns that the stage reads, loaded at `rows`.
  package let columns: [FieldCursor]
  /// Whether a row is live; a stage sees no others.
  package let isLive: (Int) -> Bool
}

/// What a stage made of a batch.
package struct StageOutput: Sendable {
  /// Each signal of each row, row after row; of rows that are not live nothing that counts.
  package var signals: [Double]
  /// For each row an index into the stage's reasons, or ``kept``.
  package var verdicts: [Int]

  package static let kept = -1
  /// The runner's own: of rows that were not live before.
  static let notLive = -2

  package init(rowCount: Int, signalCount: Int) {
    signals = [Double](repeating: .nan, count: rowCount * signalCount)
    verdicts = [Int](repeating: Self.kept, count: rowCount)
  }

  /// Calls `body` with each verdict and how many rows in succession have it.
  func forEachRun(_ body: (_ verdict: Int, _ count: Int) throws(DSVError) -> Void) throws(DSVError) {
    var start = 0
    while start < verdicts.count {
      var end = start + 1
      while end < verdicts.count, verdicts[end] == verdicts[start] { end += 1 }
      try body(verdicts[start], end - start)
      start = end
    }
  }
}

/// A value that a recipe gives to a stage.
package enum Parameter: Hashable, Sendable {
  case text(String)
  case number(Double)
  case flag(Bool)
  case table([String: Parameter])

  /// Compact JSON, keys in the order of their bytes.
  package var json: String {
    switch self {
    case .text(let text): JSONText.quoted(text)
    case .number(let number):
      number == number.rounded() && abs(number) < 1e15 ? String(Int64(number)) : "\(number)"
    case .flag(let flag): flag ? "true" : "false"
    case .table(let table):
      "{"
        + table.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map {
          JSONText.quoted($0.key) + ":" + $0.value.json
        }
        .joined(separator: ",") + "}"
    }
  }
}

/// Text as JSON writes it.
package enum JSONText {
  package static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
