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
  public let tables: [String: DiffCounts]
  public let tablesAdded: [String]
  public let tablesRemoved: [String]

  public var total: DiffCounts {
    var total = DiffCounts()
    for (_, counts) in tables.sorted(by: { $0.key < $1.key }) {
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
  /// - Parameters:
  ///   - only: the one table that is compared.
  ///   - visit: called with each row that differs, and with what reads it.
  /// - Throws: `notFound` if neither version has the table.
  package func diff(
    _ a: CommitID?, _ b: CommitID?, table only: String? = nil,
    visit: @escaping (TableDiff, RowChange) throws(DSVError) -> Void = { _, _ in }
  ) throws(DSVError) -> DiffResult {
    var (old, new) = (Snapshot.empty, Snapshot.empty)
    if let a { old = try snapshot(a) }
    if let b { new = try snapshot(b) }
    var tables: [String: DiffCounts] = [:]
    var names = Set(old.tables.map(\.name)).union(new.tables.map(\.name)).sorted()
    if let only {
      guard names.contains(only) else { throw DSVError(.notFound, "neither version has a table '\(only)'") }
      names = [only]
    }
    for name in names {
      let (tableA, tableB) = (old.table(name), new.table(name))
      if tableA == tableB { continue }
      let (left, right) = (
        tableA ?? Table(name: name, fields: [], rowCount: 0),
        tableB ?? Table(name: name, fields: [], rowCount: 0)
      )
      // Which table's rows are visited is known only once the comparison exists.
      var current: TableDiff?
      let comparison = TableDiff(left, right, reader: reader, text: ComparableText.of) {
        (change) throws(DSVError) in
        if let current { try visit(current, change) }
      }
      current = comparison
      let counts = try comparison.run()
      current = nil
      if !counts.isEmpty { tables[name] = counts }
    }
    return DiffResult(
      tables: tables, tablesAdded: names.filter { old.table($0) == nil },
      tablesRemoved: names.filter { new.table($0) == nil })
  }
}
