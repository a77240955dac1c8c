import DSVColumns
public import DSVFormat
import DSVTables

/// Reads rows of a table in order, batch by batch, on all cores.
///
/// Reads only the chunks of the columns that are wanted and, where a condition is given, those whose statistics do not
/// rule them out. Makes batches ahead of its reader, 128 MiB of them at most. For one thread at a time; what it gives,
/// threads may share.
///
///     let table = try Repository.open(at: "corpus").version("v3").table("train")
///     let scan = try table.scan(Scan.Options(columns: ["text"], where: "lang = 'en'"))
///     while let batch = try scan.next() { … }
public final class Scan {
  /// Which rows and columns, in what portions.
  public struct Options: Sendable {
    /// Dotted names; empty takes all but signals.
    public var columns: [String]
    /// Which rows, as `--where` has it; `nil` for all.
    public var condition: String?
    /// Whether rows that were dropped come too.
    public var includesDropped = false
    /// Whether columns that transforms computed come too, if `columns` is empty.
    public var includesSignals = false
    /// Whether ``Batch/Column/isMissing(_:)`` can tell missing from null. Costs another column where a column has both.
    public var tellsMissing = false
    /// The most rows of a batch; 1 at least.
    public var batchRowCount = 8192
    /// The most bytes of a batch, about; one larger row is a batch of its own. At most 512 MiB.
    public var batchByteCount = 8 << 20

    public init(columns: [String] = [], where condition: String? = nil) {
      (self.columns, self.condition) = (columns, condition)
    }
  }

  /// The columns of each batch.
  public let fields: [Field]
  private let scan: TableScan
  // Holds the lease that keeps what is read.
  private let source: TableSource

  init(_ source: TableSource, _ options: Options) throws(DSVError) {
    guard options.batchRowCount > 0, 1...512 << 20 ~= options.batchByteCount else {
      throw DSVError(.badInput, "a batch has at least one row, and at most 512 MiB")
    }
    let (table, reader) = (source.table, source.reader)
    let fields = try source.fields(options.columns, includesSignals: options.includesSignals)
    let condition = try table.condition(options.condition)
    var filter: RowFilter?
    if condition != nil || (table.selection != nil && !options.includesDropped) {
      filter = try RowFilter(
        table, where: condition, includesDropped: options.includesDropped, reader: reader)
    }
    var parts = TableScanOptions()
    (parts.batchRowCount, parts.batchByteCount) = (options.batchRowCount, options.batchByteCount)
    parts.tellsMissing = options.tellsMissing
    scan = TableScan(fields, of: table, filter: filter, options: parts, reader: reader)
    self.fields = fields.map(\.field)
    self.source = source
  }

  /// The next rows, at least one; `nil` after the last.
  public func next() throws(DSVError) -> Batch? { try scan.next().map(Batch.init) }
}
