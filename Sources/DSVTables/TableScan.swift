package import DSVColumns
package import DSVFormat

/// Which part of a table a scan gives, and in what portions.
package struct TableScanOptions: Sendable {
  package var batchRowCount = 8192
  /// About; one row that is larger is a batch of its own.
  package var batchByteCount = 8 << 20
  package var tellsMissing = false

  package init() {}
}

/// Reads a table's rows in order as batches in Arrow's layout, on all cores.
///
/// Holds some 128 MiB of batches ahead of its reader, and 64 MiB of chunks that more than one batch needs; less for most
/// tables. For one thread at a time.
package final class TableScan {
  private let planner: BatchPlanner
  private let maker: BatchMaker
  private let pool: WorkerPool
  private var ahead: [(byteCount: Int, batch: Pending<GatheredBatch>)] = []
  private var aheadByteCount = 0
  private var isPlanned = false
  private var failure: DSVError?

  /// How many bytes of batches are made before they are asked for.
  static let aheadByteCountMax = 128 << 20
  /// How many bytes of chunks are kept for the next batch; what does not fit is decoded again.
  static let sharedByteCountMax = 64 << 20

  /// - Parameter filter: the rows that are wanted; `nil` for all.
  package init(
    _ fields: [TableField], of table: Table, filter: RowFilter?, options: TableScanOptions,
    reader: ObjectReader
  ) {
    planner = BatchPlanner(
      fields, rows: MatchingRows(rowCount: table.rowCount, filter: filter), isFiltered: filter != nil,
      rowCountMax: options.batchRowCount, byteCountMax: options.batchByteCount, reader: reader.onCaller,
      budget: ByteBudget(Self.sharedByteCountMax))
    maker = BatchMaker(fields: fields, tellsMissing: options.tellsMissing, reader: reader.onCaller)
    pool = reader.pool
  }

  /// The next rows; `nil` after the last.
  ///
  /// Once it has thrown, it throws that error ever after: rows behind a gap are no rows of the table.
  package func next() throws(DSVError) -> GatheredBatch? {
    if let failure { throw failure }
    do throws(DSVError) {
      try fill()
      guard !ahead.isEmpty else { return nil }
      let (byteCount, batch) = ahead.removeFirst()
      aheadByteCount -= byteCount
      let result = try batch.value()
      try fill()
      return result
    } catch {
      failure = error
      ahead = []
      throw error
    }
  }

  private func fill() throws(DSVError) {
    while !isPlanned, ahead.count < pool.threadCount + 2,
      ahead.isEmpty || aheadByteCount < Self.aheadByteCountMax
    {
      if pool.threadCount == 0, !ahead.isEmpty { return }
      guard let (plan, byteCount) = try planner.next() else {
        isPlanned = true
        return
      }
      aheadByteCount += byteCount
      ahead.append((byteCount, pool.submit { [maker] () throws(DSVError) in try maker.make(plan) }))
    }
  }
}
