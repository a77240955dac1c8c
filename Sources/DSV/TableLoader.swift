import DSVColumns
import DSVFormat
import DSVInterchange
import DSVRecords
import DSVTables

/// Reads files into a table's next content.
struct TableLoader {
  struct Loaded {
    var table: Table
    /// The rows that could not be taken, if there were any.
    var quarantine: Table?
  }

  let options: CommitOptions
  /// The table as it is now.
  let old: Table?
  let sink: ColumnSink
  let reader: ObjectReader

  func load(_ files: [InputFile], _ progress: @escaping ProgressHandler) throws(DSVError) -> Loaded {
    let key = options.key.isEmpty ? old?.key ?? [] : options.key
    if options.mode == .upsert, key.isEmpty {
      throw DSVError(
        .badInput, "table '\(options.table)' has no key to upsert by; name its columns with --key")
    }
    let ingest = try TableIngest(start(), format: files.first?.format ?? .jsonl, sink: sink, reader: reader)
    let quarantine = options.badRows == .quarantine ? Quarantine(sink: sink) : nil
    try read(files, into: ingest, quarantine, progress)
    if try ingest.needsSecondReading() {
      try ingest.beginSecondReading()
      try read(files, into: ingest, nil, progress, isSecond: true)
    }
    for file in files { try file.checkUnchanged() }
    var table = try ingest.finish(name: options.table)
    table.key = key
    try adopt(&table)
    if !key.isEmpty {
      let firstNew = options.mode == .replace ? 0 : old?.rowCount ?? 0
      let check = try KeyCheck(table, key: key, reader: reader)
      try check.run(from: firstNew, replacing: options.mode == .upsert, &table, sink: sink)
    }
    let bad = try quarantine?.finish(name: options.table + ".quarantine")
    return Loaded(table: table, quarantine: bad?.rowCount == 0 ? nil : bad)
  }

  private func start() -> TableIngest.Start {
    if options.mode != .replace, let old { return .after(old, widens: options.widens) }
    return options.schema.map { .schema($0) } ?? .inferred
  }

  /// Takes over what the rows that are appended to have beside their values.
  private func adopt(_ table: inout Table) throws(DSVError) {
    guard options.mode != .replace, let old else { return }
    table.reasons = old.reasons
    table.liveCount = old.liveCount + table.rowCount - old.rowCount
    guard let selection = old.selection else { return }
    let writer = try ColumnWriter(type: .uint16, sink: sink, after: selection, reader: reader)
    for _ in old.rowCount..<table.rowCount { try writer.append(fixed: UInt16(0)) }
    table.selection = try writer.finish()
  }

  private func read(
    _ files: [InputFile], into ingest: TableIngest, _ quarantine: Quarantine?, _ progress: ProgressHandler,
    isSecond: Bool = false
  ) throws(DSVError) {
    let skipsBad = options.badRows == .quarantine
    let total = files.reduce(0 as Int?) { sum, file in sum.flatMap { sum in file.byteCount.map { sum + $0 } }
    }
    var before = 0
    for file in files {
      let records = try file.records()
      var count = 0
      reading: while true {
        switch try records.next() {
        case .end: break reading
        case .badRow(let row):
          guard skipsBad else { throw row.error }
          try quarantine?.append(row)
        case .record(let record):
          if skipsBad, let misfit = try ingest.check(record.events) {
            try quarantine?.append(badRow(record, file, misfit))
          } else if let misfit = try ingest.append(record.events) {
            throw badRow(record, file, misfit).error
          }
        }
        count += 1
        if count & 0xff == 0 {
          let phase = isSecond ? "reading \(file.path) again" : "reading \(file.path)"
          try progress(Progress(phase: phase, done: before + file.offset, total: total, unit: .bytes))
        }
      }
      before += file.byteCount ?? file.offset
    }
  }

  private func badRow(_ record: Record, _ file: InputFile, _ misfit: TableIngest.Misfit) -> BadRow {
    BadRow(
      source: file.path, line: record.line, offset: misfit.offset, reason: .notAnObject,
      message: "column \(misfit.column): \(misfit.message)", bytes: record.bytes)
  }
}
