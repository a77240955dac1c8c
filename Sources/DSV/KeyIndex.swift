import DSVColumns
import DSVFormat
import DSVStore
import DSVTables

/// Finds the stored rows that have certain keys.
///
/// Where the key's columns are large, sorted runs of hashes are kept in the repository's `keys/`, for all rows but the last
/// few; these, and small columns, are read. A run that is missing, damaged or of other rows is made again, and where none
/// can be written, the columns are read. So nothing that lies in `keys/` can make an answer wrong.
final class KeyIndex {
  /// When columns are worth a run of their own.
  struct Limits: Sendable {
    /// Key columns of at most so many plain bytes are read whole.
    var scannedByteCountMax = 8 << 20
    /// At most so many plain bytes of them, the last, are read beside the runs.
    var tailByteCountMax: Int { scannedByteCountMax / 8 }
  }

  /// Of each of the key's columns.
  let fields: [TableField]
  let secret: KeySecret
  let hasher: KeyHasher
  private let rowCount: Int
  private let folder: KeyFolder?
  private let limits: Limits
  private let reader: ObjectReader
  private let progress: ProgressHandler

  /// - Parameters:
  ///   - fields: of the key's columns.
  ///   - rowCount: only so many rows are looked at, from the first.
  ///   - folder: where runs are.
  init(
    _ fields: [TableField], rowCount: Int, folder: KeyFolder, limits: Limits, reader: ObjectReader,
    _ progress: @escaping ProgressHandler
  ) {
    (self.fields, self.rowCount, self.limits) = (fields, rowCount, limits)
    (self.reader, self.progress) = (reader, progress)
    let isLarge = Self.byteCount(fields, 0..<rowCount) > limits.scannedByteCountMax
    let secret =
      isLarge ? Self.optional(from: folder) { (folder) throws(DSVError) in try folder.secret() } : nil
    self.folder = secret == nil ? nil : folder
    self.secret = secret ?? .random()
    hasher = KeyHasher(self.secret.hash)
  }

  /// What `body` gives; nothing where the folder cannot be read or written.
  private static func optional<Value>(
    from folder: KeyFolder?, _ body: (KeyFolder) throws(DSVError) -> Value
  ) -> Value? {
    guard let folder else { return nil }
    do throws(DSVError) { return try body(folder) } catch { return nil }
  }

  /// Calls `body` with each stored row, live or not, that has the key of some in the batch, and the range of those.
  ///
  /// - Parameter restart: called where a run turns out to be damaged: what `body` was called with is void, and comes again.
  func forEachMatch(
    _ batch: KeyBatch, restart: () -> Void, _ body: (_ row: Int, Range<Int>) throws(DSVError) -> Void
  ) throws(DSVError) {
    let coveredCount = try probe(batch, restart: restart, body)
    try forEachKey(from: coveredCount) { (entry) throws(DSVError) in
      let range = batch.range(of: entry.hash)
      if !range.isEmpty { try body(entry.row, range) }
    }
  }

  /// Looks into the runs; returns how many rows they have. A damaged one is removed, and made again once.
  private func probe(
    _ batch: KeyBatch, restart: () -> Void, _ body: (_ row: Int, Range<Int>) throws(DSVError) -> Void
  ) throws(DSVError) -> Int {
    for _ in 0..<2 {
      // What `body` throws says nothing about a run.
      var failure: DSVError?
      for run in try runs() {
        do throws(DSVError) {
          try run.forEachMatch(batch) { (entry, range) throws(DSVError) in
            do throws(DSVError) { try body(entry.row, range) } catch {
              failure = error
              throw error
            }
          }
        } catch {
          if let failure { throw failure }
          _ = Self.optional(from: folder) { (folder) throws(DSVError) in try folder.remove(run) }
          chain = nil
          restart()
          break
        }
      }
      if let chain { return chain.last?.header.endRow ?? 0 }
    }
    return 0
  }

  /// The runs of the table's first rows, once they were looked for.
  private var chain: [KeyRun]?

  private func runs() throws(DSVError) -> [KeyRun] {
    if let chain { return chain }
    var runs: [KeyRun] = []
    if let folder {
      let prefix = KeyPrefix(fields: fields, secret: secret, reader: reader)
      let family = try prefix.family()
      runs = try KeyChain(folder: folder, prefix: prefix, family: family).find(upTo: rowCount)
      let coveredCount = runs.last?.header.endRow ?? 0
      if Self.byteCount(fields, coveredCount..<rowCount) > limits.tailByteCountMax {
        runs = try extend(runs, family, prefix, folder)
      }
    }
    chain = runs
    return runs
  }

  /// About how many plain bytes the key's columns have from a row on.
  private static func byteCount(_ fields: [TableField], _ rows: Range<Int>) -> Int {
    fields.reduce(0) { sum, field in
      let (byteCount, count) = (field.values.plainByteCount, max(1, field.values.rowCount))
      return sum + Int(Double(byteCount) * Double(rows.count) / Double(count))
    }
  }

  /// Adds the rows behind the runs, in a run that takes in those before it that are no longer.
  ///
  /// So there are few runs, each longer than the one behind it, and a row's key is written again only a few times.
  private func extend(
    _ runs: [KeyRun], _ family: UInt64, _ prefix: KeyPrefix, _ folder: KeyFolder
  ) throws(DSVError) -> [KeyRun] {
    var kept = runs
    var merged: [KeyRun] = []
    var count = rowCount - (runs.last?.header.endRow ?? 0)
    while let last = kept.last, last.header.rowCount <= count {
      count += last.header.rowCount
      merged.insert(kept.removeLast(), at: 0)
    }
    let header = KeyRunHeader(
      family: family, start: kept.last?.header.end ?? KeyPrefix.none,
      end: try prefix.name(ofRows: rowCount), firstRow: kept.last?.header.endRow ?? 0, rowCount: count)
    do throws(DSVError) {
      var sorter = KeySorter(makeFile: folder.temporaryFile)
      var batch = KeyBatch()
      try forEachKey(from: runs.last?.header.endRow ?? 0) { (entry) throws(DSVError) in
        batch.append(entry)
        guard batch.isFull else { return }
        batch.sort()
        try sorter.add(batch)
        batch.removeAll()
      }
      batch.sort()
      try sorter.add(batch)
      let run = try folder.write(header) { (body) throws(DSVError) in
        try sorter.forEachEntry(with: merged, body)
      }
      for run in merged { try folder.remove(run) }
      return kept + [run]
    } catch {
      if error.code == .interrupted { throw error }
      // Without a new run the rows are read, where damage to them comes up again.
      guard error.code == .corrupt else { return runs }
      for run in merged {
        _ = Self.optional(from: folder) { (folder) throws(DSVError) in try folder.remove(run) }
      }
      return kept
    }
  }

  /// Calls `body` with the key of each stored row from `firstRow` on.
  func forEachKey(from firstRow: Int, _ body: (KeyEntry) throws(DSVError) -> Void) throws(DSVError) {
    let cursors = fields.map { FieldCursor($0, reader: reader) }
    var row = firstRow
    while row < rowCount {
      var end = rowCount
      for cursor in cursors { end = min(end, try cursor.load(at: row)) }
      while row < end {
        try body(KeyEntry(try hasher.hash(cursors, row), row: row))
        row += 1
      }
      if rowCount - firstRow > KeyBatch.countMax {
        try progress(
          Progress(phase: "reading keys", done: row - firstRow, total: rowCount - firstRow, unit: .rows))
      }
    }
  }
}

extension KeyIndex {
  /// Removes the runs that belong to none of some tables; returns how many bytes that gave back.
  static func removeRuns(
    in folder: KeyFolder, butOf tables: [Table], reader: ObjectReader
  ) throws(DSVError) -> Int {
    guard optional(from: folder, { (folder) throws(DSVError) in try folder.hasRuns }) == true else {
      return 0
    }
    guard let secret = optional(from: folder, { (folder) throws(DSVError) in try folder.secret() }) else {
      return 0
    }
    var kept: [KeyRun] = []
    for table in tables {
      let fields = table.key.compactMap(table.field)
      guard fields.count == table.key.count, table.rowCount > 0 else { continue }
      let prefix = KeyPrefix(fields: fields, secret: secret, reader: reader)
      // What of a table cannot be read needs no runs.
      kept +=
        optional(from: folder) { (folder) throws(DSVError) in
          try KeyChain(folder: folder, prefix: prefix, family: try prefix.family()).find(upTo: table.rowCount)
        } ?? []
    }
    return try folder.removeAll(but: kept)
  }
}
