package import DSVExpression
package import DSVFormat

/// Evaluates a condition over loaded rows.
package final class BatchFilter {
  private let evaluator: ExpressionEvaluator
  private let inputs: [FilterInput]
  private var selection = Selection()

  package init(_ condition: CheckedExpression) {
    evaluator = ExpressionEvaluator(condition)
    inputs = condition.columns.map { FilterInput(type: $0.type, need: $0.need) }
  }

  /// Calls `body` with each row and whether the condition is true of it.
  ///
  /// - Parameter cells: the condition's columns, in its order, loaded at `rows`.
  package func forEachRow(
    _ rows: Range<Int>, _ cells: [FieldCursor], _ body: (Int, Bool) throws(DSVError) -> Void
  ) throws(DSVError) {
    var start = rows.lowerBound
    while start < rows.upperBound {
      var end = min(rows.upperBound, start + ExpressionEvaluator.batchRowLimit)
      for (input, cell) in zip(inputs, cells) { end = try input.batchEnd(cell, start..<end) }
      for (input, cell) in zip(inputs, cells) { try input.load(cell, start..<end) }
      evaluator.select(inputs.map(\.column), rowCount: end - start, into: &selection)
      for row in start..<end { try body(row, selection.contains(row - start)) }
      start = end
    }
  }
}
