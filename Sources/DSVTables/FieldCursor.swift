package import DSVColumns
package import DSVFormat

/// Moves through a field's columns, all at the same row.
package final class FieldCursor {
  package let field: TableField
  package let children: [FieldCursor]
  private let values: ColumnCursor
  private let absence: ColumnCursor?
  private let reader: ObjectReader
  private var slice: ColumnSlice?
  /// The rows that are loaded in this column and all below it.
  private var (loadedStart, loadedEnd) = (0, 0)

  /// - Parameters:
  ///   - visits: the rows that will be loaded, in this order, which ascends; `nil` where that is not known.
  ///   - readsBlobs: whether all values will be read, whole.
  package init(
    _ field: TableField, reader: ObjectReader, readAhead: Int = 4, visits: [Int]? = nil,
    readsBlobs: Bool = false
  ) {
    self.field = field
    self.reader = reader
    values = ColumnCursor(
      field.values, layout: field.type.layout, reader: reader, readAhead: readAhead, visits: visits,
      readsBlobs: readsBlobs)
    if case .mixed(let root) = field.absence {
      absence = ColumnCursor(root, layout: .bool, reader: reader, readAhead: 1)
    } else {
      absence = nil
    }
    children = field.children.map {
      FieldCursor($0, reader: reader, readAhead: readAhead, visits: visits, readsBlobs: readsBlobs)
    }
  }

  /// Loads `row`; returns where the loaded values end.
  package func load(at row: Int) throws(DSVError) -> Int {
    if row >= loadedStart, row < loadedEnd { return loadedEnd }
    let slice = try values.slice(at: row)
    self.slice = slice
    var end = slice.endRow
    for child in children { end = min(end, try child.load(at: row)) }
    (loadedStart, loadedEnd) = (row, end)
    return end
  }

  /// The loaded values; `row` of the table is at `row - startRow` of them.
  package var loaded: ColumnSlice {
    guard let slice else { preconditionFailure("nothing is loaded") }
    return slice
  }

  @inline(__always)
  package func isNull(_ row: Int) -> Bool { loaded.array.isNull(row - loaded.startRow) }

  /// Whether the row, whose slot is empty, did not have the field at all.
  package func isMissing(_ row: Int) throws(DSVError) -> Bool {
    switch field.absence {
    case .null: return false
    case .missing: return true
    case .mixed:
      guard let absence else { return false }
      let index = loaded.startNull + loaded.array.nullCount(before: row - loaded.startRow)
      let slice = try absence.slice(at: index)
      return slice.array.bool(index - slice.startRow)
    }
  }

  /// The bytes of a value that is a blob.
  package func blob(_ row: Int) throws(DSVError) -> [UInt8] {
    try reader.blob(BlobReference(loaded.array.bytes(row - loaded.startRow)))
  }
}

extension ArrayView {
  /// How many of the values before `index` are null.
  package func nullCount(before index: Int) -> Int {
    guard let validity else { return 0 }
    var present = 0
    for byte in 0..<index >> 3 { present += validity[byte].nonzeroBitCount }
    if index & 7 != 0 { present += (validity[index >> 3] & (1 << UInt8(index & 7) - 1)).nonzeroBitCount }
    return index - present
  }
}
