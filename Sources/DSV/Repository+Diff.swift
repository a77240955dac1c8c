import DSVColumns
package import DSVFormat
import DSVInterchange
import DSVRecords
import DSVStore
import DSVTables
public import DSVVersions

/// How two versions differ.
public struct DiffResult: Sendable {
  /// By table; tables without a difference are left out.
  public let tables: ByTable<DiffCounts>
  public let tablesAdded: [String]
  public let tablesRemoved: [String]

  public var total: DiffCounts {
    var total = DiffCounts()
    for counts in tables.values {
      total.added += counts.added
      total.removed += counts.removed
      total.changed += counts.changed
      total.moved += counts.moved
      total.cells += counts.cells
      total.schema += counts.schema
    }
    return total
  }
}

extension Repository {
  /// Compares two versions, `nil` standing for the empty one.
  ///
  /// Rows are matched by the table's key, or without one by their content. The time follows what has changed, not the
  /// size of the table. Memory is bounded: rows are handed over as they are found.
  ///
  ///     let result = try repository.diff(old, new) { (row) throws(DSVError) in
  ///       for cell in try row.cells() { print(try row.key(), cell.column, cell.old, "->", cell.new) }
  ///     }
  ///     print("\(result.total.changed) rows changed in \(result.total.cells) cells")
  ///
  /// - Parameters:
  ///   - only: the one table that is compared.
  ///   - visit: called with each row that was added, removed or changed, in no order to rely on. Without it only the
  ///     numbers are found, which can be cheaper.
  ///   - progress: called every few thousand rows; throws to end the comparison.
  /// - Throws: `notFound` if neither version has the table, and what `progress` and `visit` throw.
  public func diff(
    _ a: CommitID?, _ b: CommitID?, table only: String? = nil,
    visit: ((RowDifference) throws(DSVError) -> Void)? = nil, progress: ProgressHandler? = nil
  ) throws(DSVError) -> DiffResult {
    let lease = try store.lease()
    defer { withExtendedLifetime(lease) {} }
    var (old, new) = (Snapshot.empty, Snapshot.empty)
    if let a { old = try snapshot(a) }
    if let b { new = try snapshot(b) }
    var tables: [(table: String, value: DiffCounts)] = []
    var names = Set((old.tables + new.tables).map { FieldName($0.name) }).map(\.text)
    names.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    if let only {
      names = names.filter { $0.hasSameBytes(as: only) }
      if names.isEmpty { throw DSVError(.notFound, "neither version has a table '\(only)'") }
    }
    for name in names {
      let (tableA, tableB) = (old.table(name), new.table(name))
      if tableA == tableB { continue }
      let counts = try diff(
        tableA ?? Table(name: name, fields: [], rowCount: 0),
        tableB ?? Table(name: name, fields: [], rowCount: 0), progress, visit)
      if !counts.isEmpty { tables.append((name, counts)) }
    }
    return DiffResult(
      tables: ByTable(tables), tablesAdded: names.filter { old.table($0) == nil },
      tablesRemoved: names.filter { new.table($0) == nil })
  }

  private func diff(
    _ a: Table, _ b: Table, _ progress: ProgressHandler?, _ visit: ((RowDifference) throws(DSVError) -> Void)?
  ) throws(DSVError) -> DiffCounts {
    let poll = { () throws(DSVError) in
      guard let progress else { return }
      try progress(Progress(phase: "comparing", done: 0, total: nil, unit: .rows))
    }
    guard let visit else {
      return try TableDiff(a, b, reader: reader, text: ComparableText.of, poll: poll).run()
    }
    let (rowsA, rowsB) = (rows(of: a), rows(of: b))
    let columns = TableDiff.columns(a, b)
    return try TableDiff(a, b, reader: reader, text: ComparableText.of, poll: poll) {
      (change) throws(DSVError) in
      try visit(RowDifference(table: b.name, change, columns, rowsA, rowsB))
    }.run()
  }
}
