package import DSVColumns
package import DSVFormat
package import DSVTables

/// What a stage did to a table.
package struct StageResult {
  package let table: Table
  /// Rows that the stage dropped, by rule.
  package let dropped: [String: Int]
}

/// Runs stages over a table's live rows, on all cores, and puts the results back in order.
///
/// Writes the signals' columns and the selection; no other column. Holds some 100 MB whatever the table's size.
package struct StageRunner {
  /// How much text, about, a worker takes at a time.
  static let batchByteCount = 512 << 10

  private let sink: ColumnSink
  private let reader: ObjectReader
  /// Reads on the worker's own thread: a job must not wait for others.
  private let workerReader: ObjectReader

  package init(sink: ColumnSink, reader: ObjectReader) {
    self.sink = sink
    self.reader = reader
    workerReader = reader.onCaller
  }

  /// - Parameter progress: called with the rows done and the rows in all.
  package func run(
    _ stage: any Stage, on table: Table, progress: (Int, Int) throws(DSVError) -> Void
  ) throws(DSVError) -> StageResult {
    try stage.check(table.schema)
    let fields = try stage.reads.map { (name) throws(DSVError) in
      guard let field = table.field(name) else {
        throw DSVError(
          .notFound, "stage '\(stage.name)' reads column '\(name)', which table '\(table.name)' does not have"
        )
      }
      return field
    }
    var writer = try stage.writes.map { (field) throws(DSVError) in
      try SignalWriter(
        field, replacing: table.fields.first { $0.name.hasSameBytes(as: field.name) }, sink: sink,
        reader: reader)
    }
    let jobs = IdlePool { StageJob(stage, table, fields, workerReader) }
    var toSubmit = try Self.ranges(fields, rowCount: table.rowCount, reader: reader)[...]
    var waiting: [(rows: Range<Int>, output: Pending<StageOutput>)] = []
    var result = table
    // All of the stage's reasons get codes, whether or not they drop a row: so the rows can be written as they come.
    let codes = try stage.reasons.map { (reason) throws(DSVError) in try result.code(for: reason) }
    let selection = SelectionWriter(table, sink: sink, reader: reader)
    var counts = [Int](repeating: 0, count: codes.count)
    while true {
      while waiting.count < max(1, sink.pool.threadCount * 3), let rows = toSubmit.popFirst() {
        let output = sink.pool.submit { () throws(DSVError) in
          try jobs.with { (job) throws(DSVError) in try job.run(rows) }
        }
        waiting.append((rows, output))
      }
      guard !waiting.isEmpty else { break }
      let (rows, pending) = waiting.removeFirst()
      let output = try pending.value()
      try output.forEachRun { (verdict, count) throws(DSVError) in
        if verdict >= 0 { counts[verdict] += count }
        try selection.append(verdict >= 0 ? codes[verdict] : nil, count: count)
      }
      if writer != nil {
        for (index, row) in rows.enumerated() { try writer?.append(output, index, row: row) }
      }
      try progress(rows.upperBound, table.rowCount)
    }
    if counts.contains(where: { $0 > 0 }) {
      try selection.finish(&result)
    } else {
      result.reasons = table.reasons
    }
    if let field = try writer?.finish() { result.put(field) }
    return StageResult(table: result, dropped: Self.byRule(stage.reasons, counts))
  }

  private static func byRule(_ reasons: [DropReason], _ counts: [Int]) -> [String: Int] {
    var result: [String: Int] = [:]
    for (reason, count) in zip(reasons, counts) where count > 0 { result[reason.rule, default: 0] += count }
    return result
  }

  /// Runs of rows that lie in the same chunks of the largest column that is read, of about `batchByteCount` bytes.
  private static func ranges(
    _ fields: [TableField], rowCount: Int, reader: ObjectReader
  ) throws(DSVError) -> [Range<Int>] {
    var result: [Range<Int>] = []
    let spine = fields.max { $0.values.plainByteCount < $1.values.plainByteCount }
    guard let spine, case .object = spine.values.place else {
      for start in stride(from: 0, to: rowCount, by: 1 << 16) {
        result.append(start..<min(rowCount, start + 1 << 16))
      }
      return result
    }
    var walker = TreeWalker(spine.values, reader: reader)
    var (start, byteCount) = (0, 0)
    while let leaf = try walker.next() {
      byteCount += leaf.entry.plainByteCount
      if byteCount >= batchByteCount || leaf.endRow == rowCount || leaf.endRow - start >= 1 << 16 {
        result.append(start..<leaf.endRow)
        (start, byteCount) = (leaf.endRow, 0)
      }
    }
    return result
  }
}

/// A stage on one thread: a worker, and cursors for what it reads.
private final class StageJob {
  private let stage: any Stage
  private let worker: any StageWorker
  private let cursor: TableCursor

  init(_ stage: any Stage, _ table: Table, _ fields: [TableField], _ reader: ObjectReader) {
    self.stage = stage
    worker = stage.makeWorker()
    cursor = TableCursor(table, fields: fields, reader: reader, readAhead: 1)
  }

  /// Runs the stage over rows, a run that is loaded at once at a time.
  func run(_ rows: Range<Int>) throws(DSVError) -> StageOutput {
    var output = StageOutput(rowCount: 0, signalCount: 0)
    var row = rows.lowerBound
    while row < rows.upperBound {
      let end = min(try cursor.load(at: row), rows.upperBound)
      let cursor = cursor
      let batch = StageBatch(rows: row..<end, columns: cursor.fields) { cursor.isLive($0) }
      var part = try worker.run(batch)
      for (index, row) in (row..<end).enumerated() where !cursor.isLive(row) {
        part.verdicts[index] = StageOutput.notLive
      }
      if output.verdicts.isEmpty {
        output = part
      } else {
        output.signals += part.signals
        output.verdicts += part.verdicts
      }
      row = end
    }
    return output
  }
}
