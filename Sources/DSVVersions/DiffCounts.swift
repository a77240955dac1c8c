/// How many rows and cells differ between two versions of a table.
///
/// A row of either version is counted in one of `added`, `removed`, `changed` and `moved`, or is the same in both.
public struct DiffCounts: Hashable, Sendable {
  public var added = 0
  public var removed = 0
  /// Rows of the same key with other values, wherever they stand: a row that an upsert replaced is one of them.
  /// In a table without a key: rows whose signals alone differ.
  public var changed = 0
  /// Rows that both versions have unchanged but that stand elsewhere among the unchanged ones: as few as there can be
  /// for the rest to be in one order.
  public var moved = 0
  /// Cells that differ in changed rows.
  public var cells = 0
  public var schema: [SchemaChange] = []

  package init() {}

  public var isEmpty: Bool { self == DiffCounts() }
}

/// One row that differs. Rows are positions in the stored tables.
package enum RowChange {
  case added(rowB: Int)
  case removed(rowA: Int)
  /// `columns` are indexes into ``TableDiff/columns``.
  case changed(rowA: Int, rowB: Int, columns: [Int])
}
