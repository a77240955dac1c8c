public import DSVFormat
import DSVTables

extension Version {
  /// A table of an open version. Threads may share it.
  public struct Table: Sendable {
    let source: TableSource

    init(_ source: TableSource) { self.source = source }

    public var name: String { source.table.name }
    /// Its columns, in order; signals among them.
    public var fields: [Field] { source.table.schema }
    /// The dotted names of the columns that identify a row; empty where there is no key.
    public var key: [String] { source.table.key }
    /// How many rows are live: what ``scan(_:)`` gives.
    public var rowCount: Int { source.table.liveCount }
    /// How many rows are stored, live or dropped: positions are below it.
    public var storedRowCount: Int { source.table.rowCount }

    /// Begins to read the table's rows, in order.
    ///
    /// - Throws: `notFound` for a column that is not there, `badInput` for a condition that is none.
    public func scan(_ options: Scan.Options = Scan.Options()) throws(DSVError) -> Scan {
      try Scan(source, options)
    }

    /// The live rows of these numbers, from 0, as one batch: in the order asked for, and as often.
    ///
    /// Reads each chunk that holds some of them once, on all cores. The first call on a table from which rows were dropped
    /// reads the whole selection (two bytes a row before compression).
    /// - Parameter columns: dotted names; empty takes all but signals.
    /// - Throws: `badInput` for a number that no row has; `notFound` for a column that is not there; `full` if the
    ///   values of a column would be more than 2 GiB.
    public func take(rows: [Int], columns: [String] = []) throws(DSVError) -> Batch {
      try take(positions: try source.liveRows().positions(rows), columns: columns)
    }

    /// The rows at these positions, live or dropped, as one batch. A row's position never changes, whatever is dropped.
    ///
    /// Otherwise as ``take(rows:columns:)``.
    public func take(positions: [Int], columns: [String] = []) throws(DSVError) -> Batch {
      let fields = try source.fields(columns, includesSignals: false)
      let taken = try TableTake(fields, of: source.table, reader: source.reader).rows(positions)
      return Batch(taken)
    }
  }
}
