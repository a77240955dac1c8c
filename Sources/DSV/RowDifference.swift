public import DSVFormat
import DSVVersions

/// A row that differs between two versions. Reads its values when they are asked for.
///
/// For use only while it is being visited, and on that thread.
public struct RowDifference {
  public enum Kind: String, Sendable {
    case added, removed, changed
  }

  /// A cell that differs, with its values as JSON. A row that does not have the field at all has `null` too.
  public struct Cell: Hashable, Sendable {
    /// The column's dotted name.
    public let column: String
    public let old: String
    public let new: String
  }

  public let table: String
  public let kind: Kind
  /// Where the row is stored in the older and in the newer version: a number that never changes for a stored row.
  public let oldPosition: Int?
  public let newPosition: Int?

  private let differing: [Int]
  private let columns: [[FieldName]]
  private let rowsA: RowLookup
  private let rowsB: RowLookup

  init(
    table: String, _ change: RowChange, _ columns: [[FieldName]], _ rowsA: RowLookup, _ rowsB: RowLookup
  ) {
    (self.table, self.columns, self.rowsA, self.rowsB) = (table, columns, rowsA, rowsB)
    switch change {
    case .added(let row): (kind, oldPosition, newPosition, differing) = (.added, nil, row, [])
    case .removed(let row): (kind, oldPosition, newPosition, differing) = (.removed, row, nil, [])
    case .changed(let old, let new, let columns):
      (kind, oldPosition, newPosition, differing) = (.changed, old, new, columns)
    }
  }

  /// The row in the older version as a JSON object, without signals; `nil` if it was added.
  public func oldRow() throws(DSVError) -> String? {
    if let oldPosition { try rowsA.json(oldPosition) } else { nil }
  }

  /// The row in the newer version as a JSON object, without signals; `nil` if it was removed.
  public func newRow() throws(DSVError) -> String? {
    if let newPosition { try rowsB.json(newPosition) } else { nil }
  }

  /// The row's key as a JSON object, empty if the table has no key.
  public func key() throws(DSVError) -> String {
    if let newPosition { return try rowsB.key(newPosition) }
    return if let oldPosition { try rowsA.key(oldPosition) } else { "{}" }
  }

  /// The cells that differ, of a changed row; of other rows none.
  public func cells() throws(DSVError) -> [Cell] {
    guard let oldPosition, let newPosition else { return [] }
    return try differing.map { (index) throws(DSVError) in
      let path = columns[index]
      return Cell(
        column: path.map(\.text).joined(separator: "."), old: try rowsA.cell(path, oldPosition),
        new: try rowsB.cell(path, newPosition))
    }
  }
}
