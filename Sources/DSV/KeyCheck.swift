import DSVColumns
import DSVFormat
import DSVStore
import DSVTables

/// Makes sure that a table's key names each live row once, and finds the rows that new ones replace.
///
/// Keys are compared by their hashes (``KeyHasher``). Holds two batches of them for any number of rows (75 MB while one is
/// sorted), 16 bytes for each row that is replaced, and some 40 for each new row that changes nothing.
struct KeyCheck {
  /// What was found out; rows are counted from the first new one.
  enum Outcome {
    /// Each key is there once. `replaced` are the stored rows that are to be dropped.
    case fine(replaced: [Int])
    /// These new rows equal the live row of their key, which stays: the table is to be made without them.
    case unchanged(Set<Int>)
    /// Two new rows have one key.
    case repeated(Int, Int)
    /// A new row has the key of a live row.
    case taken(Int)
  }

  private let table: Table
  private let fields: [TableField]
  private let keys: KeyFolder
  private let limits: KeyIndex.Limits
  private let reader: ObjectReader
  private let progress: ProgressHandler

  init(
    _ table: Table, key: [String], keys: KeyFolder, limits: KeyIndex.Limits, reader: ObjectReader,
    _ progress: @escaping ProgressHandler
  ) throws(DSVError) {
    (self.table, self.keys, self.limits) = (table, keys, limits)
    (self.reader, self.progress) = (reader, progress)
    fields = try key.map { (name) throws(DSVError) in try table.keyField(name) }
  }

  /// Checks the rows from `firstNew` on against each other and against the live rows before them.
  ///
  /// - Parameter replacing: whether an older row of the same key is dropped; else that it is there is an outcome.
  func run(from firstNew: Int, replacing: Bool) throws(DSVError) -> Outcome {
    let index = KeyIndex(
      fields, rowCount: firstNew, folder: keys, limits: limits, reader: reader, progress)
    var sorter = KeySorter(makeFile: keys.temporaryFile)
    var batch = KeyBatch()
    var pairs: [(old: Int, new: Int)] = []
    func takeBatch() throws(DSVError) {
      batch.sort()
      if firstNew > 0 { pairs += try livePairs(batch, index) }
      try sorter.add(batch)
      batch.removeAll()
    }
    let cursor = TableCursor(table, fields: fields, reader: reader)
    try cursor.forEachLiveRow(in: firstNew..<table.rowCount) { (row) throws(DSVError) in
      batch.append(KeyEntry(try index.hasher.hash(cursor.fields, row), row: row))
      if batch.isFull { try takeBatch() }
    }
    try takeBatch()
    if let (one, other) = try Self.firstRepeated(&sorter) {
      return .repeated(one - firstNew, other - firstNew)
    }
    if !replacing, let row = pairs.map(\.new).min() { return .taken(row - firstNew) }
    pairs.sort { $0.old < $1.old }
    let comparison = RowComparison(table: table, hasher: index.hasher, reader: reader)
    var unchanged: Set<Int> = []
    for start in stride(from: 0, to: pairs.count, by: RowComparison.pairCountMax) {
      let group = Array(pairs[start..<min(pairs.count, start + RowComparison.pairCountMax)])
      unchanged.formUnion(try comparison.equalRows(group))
    }
    if unchanged.isEmpty { return .fine(replaced: pairs.map(\.old)) }
    return .unchanged(Set(unchanged.map { $0 - firstNew }))
  }

  /// The two rows with one key of which the later comes first.
  private static func firstRepeated(_ sorter: inout KeySorter) throws(DSVError) -> (Int, Int)? {
    var found: (Int, Int)?
    var last: KeyEntry?
    try sorter.forEachEntry { (entry) throws(DSVError) in
      if let last, last.hash == entry.hash, entry.row < found?.1 ?? Int.max { found = (last.row, entry.row) }
      last = entry
    }
    return found
  }

  /// The live stored rows with keys of a batch, each with the batch's row.
  private func livePairs(
    _ batch: KeyBatch, _ index: KeyIndex
  ) throws(DSVError) -> [(old: Int, new: Int)] {
    var live: [(old: Int, new: Int)] = []
    var pairs: [(old: Int, new: Int)] = []
    func takeLive() throws(DSVError) {
      pairs.sort { $0.old < $1.old }
      let rows = pairs.map(\.old)
      let cursor = TableCursor(table, fields: [], reader: reader, readAhead: 8, visits: rows)
      for pair in pairs {
        _ = try cursor.load(at: pair.old)
        if cursor.isLive(pair.old) { live.append(pair) }
      }
      pairs.removeAll(keepingCapacity: true)
    }
    func restart() { (live, pairs) = ([], []) }
    // A key that was replaced often has many rows, of which one lives at most.
    try index.forEachMatch(batch, restart: restart) { (row, entries) throws(DSVError) in
      for entry in entries { pairs.append((row, batch.entries[entry].row)) }
      if pairs.count >= KeyBatch.countMax { try takeLive() }
    }
    try takeLive()
    return live
  }
}

extension Table {
  /// The field of a key's column, which may be one.
  func keyField(_ path: String) throws(DSVError) -> TableField {
    guard let field = field(path) else {
      if rowCount == 0, fields.isEmpty {
        throw DSVError(
          .badInput,
          "the input has no rows, and table '\(name)' is to have the key column '\(path)'; nothing was changed"
        )
      }
      throw DSVError(.badInput, "the key column '\(path)' is not among the columns of table '\(name)'")
    }
    guard field.values.nullCount == 0 else {
      throw DSVError(.badInput, "the key column '\(path)' has no value in some rows")
    }
    if case .struct = field.type {
      throw DSVError(.badInput, "the key column '\(path)' is an object; name its fields, as in \(path).id")
    }
    return field
  }

  /// Drops live rows that others replace; `rows` ascend.
  mutating func replace(_ rows: [Int], sink: ColumnSink, reader: ObjectReader) throws(DSVError) {
    if rows.isEmpty { return }
    let code = try code(for: DropReason(stage: "upsert", rule: "replaced"))
    selection = try ColumnPatch.setting(
      rows, to: code, in: selection, rowCount: rowCount, sink: sink, reader: reader)
    liveCount -= rows.count
  }
}
