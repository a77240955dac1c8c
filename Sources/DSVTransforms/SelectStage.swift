import DSVExpression
package import DSVFormat
package import DSVTables

/// Keeps the rows for which a condition is true.
package struct SelectStage: Stage {
  private let condition: String
  private let checked: CheckedExpression

  package static let name = "where"
  package var name: String { Self.name }
  package var revision: Int { 1 }

  /// - Parameter fields: of the table that the condition is about.
  package init(_ condition: String, fields: [Field]) throws(DSVError) {
    self.condition = condition
    checked = try CheckedExpression(parsing: condition, fields: fields)
  }

  package var parameters: [String: Parameter] { ["condition": .text(condition)] }
  package var reads: [String] { checked.columns.map { $0.path.joined(separator: ".") } }
  package var writes: Field? { nil }
  package var reasons: [DropReason] { [DropReason(stage: name, rule: "where", condition: condition)] }
  package func check(_ fields: [Field]) throws(DSVError) {}
  package func makeWorker() -> any StageWorker { SelectWorker(checked) }
}

private final class SelectWorker: StageWorker {
  private let filter: BatchFilter

  init(_ condition: CheckedExpression) { filter = BatchFilter(condition) }

  func run(_ batch: StageBatch) throws(DSVError) -> StageOutput {
    var output = StageOutput(rowCount: batch.rows.count, signalCount: 0)
    try filter.forEachOtherRow(batch.rows, batch.columns) { row in
      output.verdicts[row - batch.rows.lowerBound] = 0
    }
    return output
  }
}
