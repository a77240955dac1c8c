import DSVColumns
import DSVFormat
import DSVInterchange
import DSVRecords
import DSVStore
import DSVTables

/// Reads files into a table's next content.
struct TableLoader {
  struct Loaded {
    var table: Table
    /// The rows that could not be taken, those of earlier commits too where rows are added; `nil` if there are none.
    var quarantine: Table?
    /// How many of them are new.
    var quarantinedCount = 0
  }

  let options: CommitOptions
  /// The table as it is now.
  let old: Table?
  /// What of it could not be taken before.
  let oldQuarantine: Table?
  let sink: ColumnSink
  let reader: ObjectReader
  let keys: KeyFolder
  let keyLimits: KeyIndex.Limits

  func load(_ files: [InputFile], _ progress: @escaping ProgressHandler) throws(DSVError) -> Loaded {
    let key = options.key.isEmpty ? old?.key ?? [] : options.key
    if options.mode == .upsert, key.isEmpty {
      throw DSVError(
        .badInput, "table '\(options.table)' has no key to upsert by; name its columns with --key")
    }
    if options.mode != .replace, let old, old.key != key { try checkDeclared(key, old, progress) }
    let kept = options.mode == .replace ? nil : oldQuarantine
    let quarantine =
      options.badRows == .quarantine ? try Quarantine(after: kept, sink: sink, reader: reader) : nil
    var choice = RowChoice()
    var table = try build(files, &choice, quarantine, progress)
    table.key = key
    if !key.isEmpty {
      let unchanged = try check(&table, files, choice, progress)
      if !unchanged.isEmpty {
        choice.leftOut = unchanged
        table = try build(files, &choice, nil, progress)
        table.key = key
        guard try check(&table, files, choice, progress).isEmpty else {
          throw DSVError(.badInput, "the rows were others when they were read again")
        }
      }
    }
    for file in files { try file.checkUnchanged() }
    guard let quarantine else { return Loaded(table: table, quarantine: kept) }
    let bad = try quarantine.finish(name: Quarantine.name(of: options.table))
    return Loaded(
      table: table, quarantine: bad.rowCount == 0 ? nil : bad, quarantinedCount: quarantine.count)
  }

  /// Rows that were there must keep a key that is declared now.
  private func checkDeclared(
    _ key: [String], _ old: Table, _ progress: @escaping ProgressHandler
  ) throws(DSVError) {
    let check = try KeyCheck(old, key: key, keys: keys, limits: keyLimits, reader: reader, progress)
    guard case .repeated(let one, let other) = try check.run(from: 0, replacing: false) else { return }
    throw DSVError(
      .badInput,
      "rows \(one + 1) and \(other + 1) of table '\(old.name)' have the same key (\(key.joined(separator: ", ")))"
    )
  }

  /// Checks the key, and replaces rows; returns which of the new rows change nothing.
  private func check(
    _ table: inout Table, _ files: [InputFile], _ choice: RowChoice, _ progress: @escaping ProgressHandler
  ) throws(DSVError) -> Set<Int> {
    let firstNew = options.mode == .replace ? 0 : old?.rowCount ?? 0
    let check = try KeyCheck(
      table, key: table.key, keys: keys, limits: keyLimits, reader: reader, progress)
    let key = table.key.joined(separator: ", ")
    switch try check.run(from: firstNew, replacing: options.mode == .upsert) {
    case .fine(let replaced): try table.replace(replaced, sink: sink, reader: reader)
    case .unchanged(let rows): return rows
    case .repeated(let one, let other):
      let places = try places([one, other], files, choice)
      throw DSVError(.badInput, "\(places[0]) and \(places[1]): the rows have the same key (\(key))")
    case .taken(let row):
      throw DSVError(
        .badInput,
        "\(try places([row], files, choice)[0]): the row has a key that the table already has (\(key)); "
          + "use --upsert to replace rows")
    }
    return []
  }

  /// Where rows stand, as `file:line`; the rows ascend. Reads the files again.
  private func places(
    _ rows: [Int], _ files: [InputFile], _ choice: RowChoice
  ) throws(DSVError) -> [String] {
    var places: [String] = []
    var (recordCount, rowCount, takenCount) = (0, 0, 0)
    for file in files {
      let records = try file.records()
      reading: while places.count < rows.count {
        switch try records.next() {
        case .end: break reading
        case .badRow: break
        case .record(let record):
          defer { recordCount += 1 }
          if choice.rejected.contains(recordCount) { continue }
          defer { rowCount += 1 }
          if choice.leftOut.contains(rowCount) { continue }
          if takenCount == rows[places.count] {
            places.append("\(TerminalText.escaped(file.path)):\(record.line)")
          }
          takenCount += 1
        }
      }
    }
    guard places.count == rows.count else {
      throw DSVError(.badInput, "the rows' files were changed while they were read")
    }
    return places
  }

  /// Which records become rows: every reading of the files takes the same.
  private struct RowChoice {
    /// Records that did not fit, counted from the first that can be read.
    var rejected: Set<Int> = []
    /// Rows, counted from the first of those that fit, that the table is to be made without.
    var leftOut: Set<Int> = []
    /// Whether `rejected` is known.
    var isMade = false
  }

  private func build(
    _ files: [InputFile], _ choice: inout RowChoice, _ quarantine: Quarantine?,
    _ progress: @escaping ProgressHandler
  ) throws(DSVError) -> Table {
    let ingest = try TableIngest(
      try start(), format: files.first?.format ?? .jsonl, sink: sink, reader: reader)
    try read(files, into: ingest, &choice, quarantine, progress)
    if try ingest.needsSecondReading() {
      try ingest.beginSecondReading()
      try read(files, into: ingest, &choice, nil, progress)
    }
    var table = try ingest.finish(name: options.table)
    try adopt(&table)
    return table
  }

  private func start() throws(DSVError) -> TableIngest.Start {
    if options.mode != .replace, let old {
      for field in options.schema ?? [] where old.field(field.name)?.field.type != field.type {
        let type = old.field(field.name).map { "has it as \($0.field.type)" } ?? "does not have it"
        throw DSVError(
          .badInput,
          "the schema names column \(field.name) as \(field.type), but table '\(old.name)', which is added to, \(type)"
        )
      }
      return .after(old, widens: options.widens)
    }
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
    _ files: [InputFile], into ingest: TableIngest, _ choice: inout RowChoice, _ quarantine: Quarantine?,
    _ progress: ProgressHandler
  ) throws(DSVError) {
    let total = files.reduce(0 as Int?) { sum, file in sum.flatMap { sum in file.byteCount.map { sum + $0 } }
    }
    var (before, recordCount, rowCount) = (0, 0, 0)
    for file in files {
      let records = try file.records()
      var count = 0
      reading: while true {
        switch try records.next() {
        case .end: break reading
        case .badRow(let row):
          guard options.badRows == .quarantine else { throw row.error }
          try quarantine?.append(row)
        case .record(let record):
          if try isTaken(record, recordCount, file, ingest, &choice, quarantine) {
            if !choice.leftOut.contains(rowCount), let misfit = try ingest.append(record.events) {
              throw badRow(record, file, misfit).error
            }
            rowCount += 1
          }
          recordCount += 1
        }
        count += 1
        if count & 0xff == 0 {
          let phase = choice.isMade ? "reading \(file.path) again" : "reading \(file.path)"
          try progress(Progress(phase: phase, done: before + file.offset, total: total, unit: .bytes))
        }
      }
      before += file.byteCount ?? file.offset
    }
    choice.isMade = true
  }

  /// Whether a record fits; one that does not goes to the quarantine, or is left to be refused.
  private func isTaken(
    _ record: Record, _ number: Int, _ file: InputFile, _ ingest: TableIngest, _ choice: inout RowChoice,
    _ quarantine: Quarantine?
  ) throws(DSVError) -> Bool {
    guard options.badRows == .quarantine else { return true }
    if choice.isMade { return !choice.rejected.contains(number) }
    guard let misfit = try ingest.check(record.events) else { return true }
    choice.rejected.insert(number)
    try quarantine?.append(badRow(record, file, misfit))
    return false
  }

  private func badRow(_ record: Record, _ file: InputFile, _ misfit: TableIngest.Misfit) -> BadRow {
    BadRow(
      source: file.path, line: record.line, offset: misfit.offset, reason: .notAnObject,
      message: "column \(misfit.column): \(misfit.message)", bytes: record.bytes)
  }
}
