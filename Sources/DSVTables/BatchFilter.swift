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

  /// Evaluates the first of `rows`, as many as fit into a batch.
  ///
  /// - Parameter cells: the condition's columns, in its order, loaded at `rows`.
  /// - Returns: the rows of which the condition is true, as runs, and where the batch ended.
  func select(
    _ rows: Range<Int>, _ cells: [FieldCursor]
  ) throws(DSVError) -> (runs: [Range<Int>], end: Int) {
    let end = try evaluate(rows, cells)
    var runs: [Range<Int>] = []
    selection.forEachRow { index in
      let row = rows.lowerBound + index
      if let last = runs.last, last.upperBound == row {
        runs[runs.count - 1] = last.lowerBound..<row + 1
      } else {
        runs.append(row..<row + 1)
      }
    }
    return (runs, end)
  }

  /// Calls `body` with each row of which the condition is not true.
  ///
  /// - Parameter cells: the condition's columns, in its order, loaded at `rows`.
  package func forEachOtherRow(
    _ rows: Range<Int>, _ cells: [FieldCursor], _ body: (Int) -> Void
  ) throws(DSVError) {
    var start = rows.lowerBound
    while start < rows.upperBound {
      let end = try evaluate(start..<rows.upperBound, cells)
      selection.forEachOtherRow(end - start) { body(start + $0) }
      start = end
    }
  }

  /// Fills `selection` with the first of `rows`; returns where it ends.
  private func evaluate(_ rows: Range<Int>, _ cells: [FieldCursor]) throws(DSVError) -> Int {
    let start = rows.lowerBound
    var end = min(rows.upperBound, start + ExpressionEvaluator.batchRowLimit)
    for (input, cell) in zip(inputs, cells) { end = try input.batchEnd(cell, start..<end) }
    for (input, cell) in zip(inputs, cells) { try input.load(cell, start..<end) }
    evaluator.select(inputs.map(\.column), rowCount: end - start, into: &selection)
    return end
  }
}
