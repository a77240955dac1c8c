package import DSVFormat

/// Gives the rows of a scan, piece by piece: those that a filter keeps.
package final class MatchingRows {
  private let rowCount: Int
  private var pieces: RowFilter.Pieces?
  private var isDone = false

  /// - Parameter filter: `nil` where every row is wanted.
  package init(rowCount: Int, filter: RowFilter?) {
    self.rowCount = rowCount
    pieces = filter?.pieces()
  }

  /// The next rows in order, as runs; may be none. `nil` at the end.
  package func next() throws(DSVError) -> [Range<Int>]? {
    if pieces != nil { return try pieces?.next() }
    guard !isDone, rowCount > 0 else { return nil }
    isDone = true
    return [0..<rowCount]
  }
}
