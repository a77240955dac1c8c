/// A batch of one column's rows, where they lie in memory; what ``ExpressionEvaluator`` reads.
///
/// Everything is borrowed for the length of one call. Bitmaps have a bit a row, the least significant
/// first, and as many whole bytes as that takes.
package struct ExpressionColumn {
  /// The values, row by row. What stands where a row is null does not matter.
  package enum Values {
    /// int8 to int64, uint8 to uint32, date and timestamp, each widened.
    case int64(UnsafePointer<Int64>)
    case uint64(UnsafePointer<UInt64>)
    /// float16 to float64, widened.
    case double(UnsafePointer<Double>)
    /// A bitmap of bool.
    case bits(UnsafePointer<UInt8>)
    /// utf8, json and binary: row `i` is the bytes `offsets[i] ..< offsets[i + 1]` of `data`, so there is
    /// one offset more than rows, and none is smaller than the one before.
    case bytes(offsets: UnsafePointer<UInt32>, data: UnsafePointer<UInt8>)
    /// How many elements each row's list has.
    case listLengths(UnsafePointer<Int64>)
    /// For a column of which only the presence is needed.
    case none
  }

  package var values: Values
  /// 1 where the row has a value; nil if every row does.
  package var validity: UnsafePointer<UInt8>?
  /// 1 where the field was absent, which makes the row null too; nil if it never was.
  package var missing: UnsafePointer<UInt8>?

  package init(
    _ values: Values, validity: UnsafePointer<UInt8>? = nil, missing: UnsafePointer<UInt8>? = nil
  ) {
    self.values = values
    self.validity = validity
    self.missing = missing
  }
}

/// The rows of a batch for which an expression is true.
package struct Selection: Sendable {
  /// A bit a row, the least significant first; bits past the last row are 0.
  package internal(set) var words: [UInt64] = []
  /// How many rows are selected.
  package internal(set) var count = 0

  package init() {}

  /// Whether row `row` of the batch is selected.
  package func contains(_ row: Int) -> Bool { words[row >> 6] >> UInt64(row & 63) & 1 == 1 }

  /// Calls `body` with each row of the batch, of `rowCount`, that is not selected, in order.
  @inline(__always)
  package func forEachOtherRow(_ rowCount: Int, _ body: (Int) -> Void) {
    for (index, word) in words.enumerated() {
      let count = min(64, rowCount - index << 6)
      guard count > 0 else { return }
      var rest = ~word & (count == 64 ? .max : 1 << UInt64(count) - 1)
      while rest != 0 {
        body(index << 6 + rest.trailingZeroBitCount)
        rest &= rest - 1
      }
    }
  }

  /// Calls `body` with each selected row of the batch, in order.
  package func forEachRow(_ body: (Int) -> Void) {
    for (index, word) in words.enumerated() {
      var rest = word
      while rest != 0 {
        body(index << 6 + rest.trailingZeroBitCount)
        rest &= rest - 1
      }
    }
  }
}
