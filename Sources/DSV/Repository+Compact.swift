import DSVColumns
public import DSVFormat
import DSVStore
import DSVTables
import DSVVersions

extension Repository {
  /// Commits a version whose tables hold the live rows and nothing else: what committing those rows with the same schema
  /// gives. Dropped rows stay in the versions before.
  ///
  /// Goes to the branch that `revision` is the tip of. Changes nothing where no row was dropped. Memory: some 100 MB.
  /// - Parameter name: the table; `nil` for all.
  public func compact(
    _ revision: Revision, table name: String? = nil, _ message: CommitMessage,
    progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> CommitResult {
    let session = try store.session()
    let target = try transformTarget(revision, nil)
    let sink = ColumnSink(session, pool: pool)
    let objects = ObjectReader(session, cache: reader.cache, pool: pool)
    let input = try snapshot(revision.commit)
    if let name, input.table(name) == nil { _ = try table(name, of: revision.commit) }
    var output = input
    for table in input.tables where name.map({ $0 == table.name }) ?? true {
      let compaction = TableCompaction(sink: sink, reader: objects) { (row) throws(DSVError) in
        try progress(
          Progress(phase: "compacting \(table.name)", done: row, total: table.rowCount, unit: .rows))
      }
      output = output.replacing(try compaction.compacted(table))
    }
    return try publish(session, to: target, base: .some(revision.commit), message) {
      (_) throws(DSVError) in output
    }
  }
}
