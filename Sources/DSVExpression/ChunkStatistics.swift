/// What is known of one column's values in one chunk of rows; what ``PruningPredicate`` reads.
package struct ChunkStatistics: Sendable {
  /// A bound, of the kind in which ``ExpressionColumn`` gives the column's values.
  package enum Bound: Sendable, Equatable {
    /// Also how many elements a list has.
    case int64(Int64)
    case uint64(UInt64)
    case double(Double)
    case bool(Bool)
    case bytes([UInt8])
  }

  package var rowCount: Int
  /// Rows that are null or missing.
  package var nullCount: Int
  /// Rows that are missing; nil if not known.
  package var missingCount: Int?
  /// No value but NaN is smaller; nil if not known. A text's may be cut short.
  package var min: Bound?
  /// No value but NaN is larger; nil if not known. A text's may be cut short and rounded up.
  package var max: Bound?
  /// Whether a value may be NaN, which `min` and `max` leave out; of account for doubles only.
  package var mayHoldNaN: Bool

  package init(
    rowCount: Int, nullCount: Int, missingCount: Int? = nil, min: Bound? = nil, max: Bound? = nil,
    mayHoldNaN: Bool = true
  ) {
    self.rowCount = rowCount
    self.nullCount = nullCount
    self.missingCount = missingCount
    self.min = min
    self.max = max
    self.mayHoldNaN = mayHoldNaN
  }
}
