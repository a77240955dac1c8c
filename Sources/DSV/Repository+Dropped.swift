package import DSVColumns
package import DSVFormat
import DSVInterchange
import DSVRecords
import DSVStore
package import DSVTables

/// A row that is not live, and why.
package struct DroppedRow {
  /// Its place in the stored table.
  package let position: Int
  package let reason: DropReason
  /// What the rule looked at; `nil` where it looked at no signal.
  package let value: Double?
  /// The row's key as JSON, the columns of the key by name; `nil` without a key.
  package let key: String?
}

/// What became of a row.
package enum RowFate {
  case live(position: Int)
  case dropped(DroppedRow)
}

/// Reads which rows of a table were dropped, why, and at which value.
package final class DroppedRows {
  private let table: Table
  private let keys: KeyFolder
  private let keyLimits: KeyIndex.Limits
  private let reader: ObjectReader
  private let cursor: TableCursor
  private let keyCount: Int
  /// Signals that reasons refer to, by name.
  private var signals: [String: FieldCursor] = [:]

  init(_ table: Table, keys: KeyFolder, keyLimits: KeyIndex.Limits, reader: ObjectReader) {
    (self.table, self.keys, self.keyLimits, self.reader) = (table, keys, keyLimits, reader)
    let fields = table.key.compactMap { name in
      table.field(name).map { field in
        var field = field
        field.name = name
        return field
      }
    }
    keyCount = fields.count
    cursor = TableCursor(table, fields: fields, reader: reader)
    for reason in table.reasons where !reason.signal.isEmpty && signals[reason.signal] == nil {
      signals[reason.signal] = table.field(reason.signal).map {
        FieldCursor($0, reader: reader, readAhead: 1)
      }
    }
  }

  /// Calls `body` with each row that was dropped, in order, until it returns `false`.
  package func forEachRow(_ body: (DroppedRow) throws(DSVError) -> Bool) throws(DSVError) {
    var row = 0
    while row < table.rowCount {
      let end = try cursor.load(at: row)
      while row < end {
        if let dropped = try dropped(row), try !body(dropped) { return }
        row += 1
      }
    }
  }

  /// What became of the row at a position.
  package func fate(_ position: Int) throws(DSVError) -> RowFate {
    guard position >= 0, position < table.rowCount else {
      throw DSVError(
        .notFound,
        "table '\(table.name)' has no row at position \(position); it has \(table.rowCount), from 0")
    }
    _ = try cursor.load(at: position)
    return try dropped(position).map { .dropped($0) } ?? .live(position: position)
  }

  /// What became of the row with a key: the values of the key's columns as text, in their order.
  ///
  /// - Returns: the live row of that key if there is one, else the last that was dropped; `nil` if there was none.
  package func fate(
    key: [String], progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> RowFate? {
    guard key.count == keyCount else {
      throw DSVError(.badInput, "the key has \(keyCount) columns: \(table.key.joined(separator: ", "))")
    }
    var found: RowFate?
    for row in try candidates(key, progress).map(AnyCollection.init) ?? AnyCollection(0..<table.rowCount) {
      _ = try cursor.load(at: row)
      guard try isRow(row, key: key) else { continue }
      guard let dropped = try dropped(row) else { return .live(position: row) }
      found = .dropped(dropped)
    }
    return found
  }

  /// The rows that may have a key, in order; `nil` if that may be any.
  private func candidates(
    _ key: [String], _ progress: @escaping ProgressHandler
  ) throws(DSVError) -> [Int]? {
    var values: [Chunk] = []
    for (text, field) in zip(key, cursor.fields) {
      guard let value = try KeyText.value(text, field.field.type) else { return nil }
      values.append(value)
    }
    let index = KeyIndex(
      cursor.fields.map(\.field), rowCount: table.rowCount, folder: keys, limits: keyLimits, reader: reader,
      progress)
    var batch = KeyBatch()
    batch.append(KeyEntry(index.hasher.hash(values.map(\.array)), row: 0))
    withExtendedLifetime(values) {}
    batch.sort()
    var rows: [Int] = []
    func restart() { rows = [] }
    try index.forEachMatch(batch, restart: restart) { row, _ in rows.append(row) }
    return rows.sorted()
  }

  private func isRow(_ row: Int, key: [String]) throws(DSVError) -> Bool {
    for (field, wanted) in zip(cursor.fields, key) {
      if case .utf8 = field.field.type, !field.loaded.array.isBlob(row - field.loaded.startRow) {
        guard field.loaded.array.bytes(row - field.loaded.startRow).elementsEqual(wanted.utf8) else {
          return false
        }
        continue
      }
      var text = ByteBuffer()
      try text.appendCSV(field, row)
      guard text.bytes.elementsEqual(wanted.utf8) else { return false }
    }
    return true
  }

  /// The loaded row, if it was dropped.
  private func dropped(_ row: Int) throws(DSVError) -> DroppedRow? {
    let code = cursor.dropCode(row)
    if code == 0 { return nil }
    let reason = try cursor.reason(code)
    var key: String?
    if keyCount > 0 {
      var text = ByteBuffer()
      try text.appendMembers(cursor.fields, row)
      key = "{" + String(decoding: text.bytes, as: UTF8.self) + "}"
    }
    return DroppedRow(position: row, reason: reason, value: try value(reason.signal, row), key: key)
  }

  private func value(_ signal: String, _ row: Int) throws(DSVError) -> Double? {
    guard let cell = signals[signal] else { return nil }
    _ = try cell.load(at: row)
    if cell.isNull(row) { return nil }
    let (array, index) = (cell.loaded.array, row - cell.loaded.startRow)
    guard case .fixed(8) = array.layout else { return nil }
    return cell.field.type == .int64
      ? Double(array.fixed(index, as: Int64.self)) : array.fixed(index, as: Double.self)
  }
}

extension Repository {
  package func droppedRows(of table: Table, reader: ObjectReader) -> DroppedRows {
    DroppedRows(table, keys: store.keyFolder, keyLimits: keyLimits, reader: reader)
  }
}
