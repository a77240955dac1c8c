import DSVColumns
import DSVFormat
import DSVTables
import DSVVersions

/// Makes sure that a table's key names each live row once, and finds the rows that new ones replace.
///
/// Works on 128-bit hashes of the keys, a part of them at a time, and compares the keys themselves where hashes meet:
/// at most some 130 MB for any number of rows. Reads the key's columns of all rows.
struct KeyCheck {
  /// How many hashes are held at once.
  static let partCountMax = 2 << 20

  private let table: Table
  private let key: [String]
  private let reader: ObjectReader
  private let fields: [TableField]
  /// The key's columns twice, so that any two rows can be compared; each stays near the rows that it was at.
  private let (left, right): ([FieldCursor], [FieldCursor])

  init(_ table: Table, key: [String], reader: ObjectReader) throws(DSVError) {
    (self.table, self.key, self.reader) = (table, key, reader)
    let fields = try key.map { (name) throws(DSVError) in
      guard let field = table.field(name) else {
        throw DSVError(
          .badInput, "the key column '\(name)' is not among the columns of table '\(table.name)'")
      }
      guard field.values.nullCount == 0 else {
        throw DSVError(.badInput, "the key column '\(name)' has no value in some rows")
      }
      return field
    }
    func cursors() -> [FieldCursor] { fields.map { FieldCursor($0, reader: reader, readAhead: 1) } }
    (self.fields, left, right) = (fields, cursors(), cursors())
  }

  /// Checks the rows from `firstNew` on against each other and against the live rows before them.
  ///
  /// - Parameters:
  ///   - replacing: whether an older row of the same key is dropped; else it is an error.
  ///   - result: the table whose selection changes.
  /// - Returns: which of the new rows, counted from the first, equal the live row of their key, which stays. If there
  ///   are any, nothing is replaced yet: the table is to be made without them.
  func run(
    from firstNew: Int, replacing: Bool, _ result: inout Table, sink: ColumnSink
  ) throws(DSVError) -> Set<Int> {
    let partCount = max(1, (table.rowCount - firstNew + Self.partCountMax - 1) / Self.partCountMax)
    var replaced: [Int] = []
    var unchanged: Set<Int> = []
    let (old, new) = (contentCursors(), contentCursors())
    for part in 0..<partCount {
      var rows: [CellHash: Int] = [:]
      rows.reserveCapacity(min(table.rowCount - firstNew, Self.partCountMax))
      try forEachKey(firstNew..<table.rowCount, part, partCount) { (row, hash) throws(DSVError) in
        if let other = rows.updateValue(row, forKey: hash), try isEqual(row, other) {
          throw DSVError(
            .badInput,
            "rows \(other - firstNew + 1) and \(row - firstNew + 1) have the same key (\(key.joined(separator: ", ")))"
          )
        }
      }
      try forEachKey(0..<firstNew, part, partCount) { (row, hash) throws(DSVError) in
        guard let other = rows[hash], try isEqual(row, other) else { return }
        guard replacing else {
          throw DSVError(
            .badInput,
            "row \(other - firstNew + 1) has a key that the table already has (\(key.joined(separator: ", "))); "
              + "use --upsert to replace rows")
        }
        if try rowsAreEqual(old, row, new, other) {
          unchanged.insert(other - firstNew)
        } else {
          replaced.append(row)
        }
      }
    }
    if unchanged.isEmpty, !replaced.isEmpty { try drop(replaced.sorted(), &result, sink) }
    return unchanged
  }

  /// Of all columns but signals, which follow from the others.
  private func contentCursors() -> [FieldCursor] {
    table.fields.filter { !$0.isSignal }.map { FieldCursor($0, reader: reader, readAhead: 1) }
  }

  private func rowsAreEqual(
    _ a: [FieldCursor], _ rowA: Int, _ b: [FieldCursor], _ rowB: Int
  ) throws(DSVError) -> Bool {
    for (x, y) in zip(a, b) {
      _ = try (x.load(at: rowA), y.load(at: rowB))
      guard try cellsAreEqual(x, rowA, y, rowB), try rowsAreEqual(x.children, rowA, y.children, rowB) else {
        return false
      }
    }
    return true
  }

  private func forEachKey(
    _ rows: Range<Int>, _ part: Int, _ partCount: Int, _ body: (Int, CellHash) throws(DSVError) -> Void
  ) throws(DSVError) {
    let cursor = TableCursor(table, fields: fields, reader: reader)
    try cursor.forEachLiveRow(in: rows) { (row) throws(DSVError) in
      var hash = CellHash()
      for field in cursor.fields { try hash.add(field, row) }
      if hash.low % UInt64(partCount) == UInt64(part) { try body(row, hash) }
    }
  }

  private func isEqual(_ a: Int, _ b: Int) throws(DSVError) -> Bool {
    for (x, y) in zip(left, right) {
      _ = try (x.load(at: a), y.load(at: b))
      if try !cellsAreEqual(x, a, y, b) { return false }
    }
    return true
  }

  private func drop(_ rows: [Int], _ result: inout Table, _ sink: ColumnSink) throws(DSVError) {
    let reason = DropReason(stage: "upsert", rule: "replaced")
    let code = try result.code(for: reason)
    let selection = SelectionWriter(result, sink: sink, reader: reader)
    var next = rows[...]
    for row in 0..<result.rowCount {
      let isReplaced = next.first == row
      if isReplaced { next.removeFirst() }
      try selection.append(isReplaced ? code : nil)
    }
    try selection.finish(&result)
  }
}
