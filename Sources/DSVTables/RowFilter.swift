package import DSVColumns
package import DSVExpression
package import DSVFormat

/// Finds the rows of a table that are live and for which a condition is true.
///
/// Chunks whose statistics rule them out are not read. Reads the condition's columns only.
package final class RowFilter {
  /// How much the statistics saved, of one column of the condition.
  package struct Pruning: Sendable {
    package let column: String
    package let chunkCount: Int
    package let skippedChunkCount: Int
    package let skippedRowCount: Int
  }

  private let table: Table
  private let cursor: TableCursor
  private let condition: BatchFilter?
  private let includesDropped: Bool
  /// The rows that statistics leave, in order.
  package private(set) var ranges: [Range<Int>]
  private let reader: ObjectReader
  /// What the statistics left of each column that has some.
  private var kept: [(column: String, root: ColumnRoot, chunkCount: Int, rowCount: Int)] = []

  /// - Parameter includesDropped: whether rows that are not live count too.
  package init(
    _ table: Table, where condition: CheckedExpression?, includesDropped: Bool = false, reader: ObjectReader
  ) throws(DSVError) {
    (self.table, self.includesDropped, self.reader) = (table, includesDropped, reader)
    ranges = table.rowCount > 0 ? [0..<table.rowCount] : []
    guard let condition else {
      cursor = TableCursor(table, fields: [], reader: reader)
      self.condition = nil
      return
    }
    let fields = try condition.columns.map { (column) throws(DSVError) in
      guard let field = table.field(path: column.path) else {
        throw DSVError(.notFound, "no column \(column.path.joined(separator: "."))")
      }
      return field
    }
    cursor = TableCursor(table, fields: fields, reader: reader)
    self.condition = BatchFilter(condition)
    try prune(PruningPredicate(condition), fields)
  }

  /// How much the statistics saved, for each column of the condition. Reads all nodes of their trees.
  package func prunings() throws(DSVError) -> [Pruning] {
    try kept.map { (column, root, chunkCount, rowCount) throws(DSVError) in
      let all = try root.chunkCount(reader)
      return Pruning(
        column: column, chunkCount: all, skippedChunkCount: all - chunkCount,
        skippedRowCount: table.rowCount - rowCount)
    }
  }

  /// Drops the rows of chunks that cannot match, one column after another.
  private func prune(_ predicate: PruningPredicate, _ fields: [TableField]) throws(DSVError) {
    let columns = predicate.expression.columns
    for (index, field) in fields.enumerated() {
      var walker = TreeWalker(field.values, reader: reader, announces: true)
      var kept: [Range<Int>] = []
      var (chunkCount, keptRowCount) = (0, 0)
      let bounds = FilterInput(type: columns[index].type, need: columns[index].need)
      func mayMatch(_ entry: TreeEntry) -> Bool {
        var known = [ChunkStatistics?](repeating: nil, count: columns.count)
        known[index] = bounds.statistics(entry)
        return predicate.outcome(known, rowCount: entry.rowCount) != .none
      }
      while let leaf = try walker.next(where: { entry, _ in mayMatch(entry) }) {
        chunkCount += 1
        keptRowCount += leaf.entry.rowCount
        if let last = kept.last, last.upperBound == leaf.startRow {
          kept[kept.count - 1] = last.lowerBound..<leaf.endRow
        } else {
          kept.append(leaf.startRow..<leaf.endRow)
        }
      }
      guard case .object = field.values.place else { continue }
      let name = columns[index].path.joined(separator: ".")
      self.kept.append((name, field.values, chunkCount, keptRowCount))
      ranges = Self.intersection(ranges, kept)
    }
  }

  static func intersection(_ a: [Range<Int>], _ b: [Range<Int>]) -> [Range<Int>] {
    var (i, j) = (0, 0)
    var result: [Range<Int>] = []
    while i < a.count, j < b.count {
      let both = a[i].clamped(to: b[j])
      if !both.isEmpty { result.append(both) }
      if a[i].upperBound < b[j].upperBound { i += 1 } else { j += 1 }
    }
    return result
  }

  /// Moves through the rows that match, in order.
  package struct Pieces {
    fileprivate let filter: RowFilter
    private var range = 0
    private var row = 0

    fileprivate init(_ filter: RowFilter) { self.filter = filter }

    /// The rows that match in the next piece of the table, as runs; may be none. `nil` at the end.
    package mutating func next() throws(DSVError) -> [Range<Int>]? {
      guard range < filter.ranges.count else { return nil }
      let rows = filter.ranges[range]
      let start = max(row, rows.lowerBound)
      var runs: [Range<Int>] = []
      row = try filter.appendMatches(start..<rows.upperBound, to: &runs)
      if row == rows.upperBound { range += 1 }
      return runs
    }
  }

  /// The rows that match, from the first on. One at a time: they share the filter's memory.
  package func pieces() -> Pieces { Pieces(self) }

  /// Appends those of the first of `rows` that match; returns where it stopped.
  private func appendMatches(_ rows: Range<Int>, to runs: inout [Range<Int>]) throws(DSVError) -> Int {
    let end = min(try cursor.load(at: rows.lowerBound), rows.upperBound)
    guard let condition else {
      append(rows.lowerBound..<end, to: &runs)
      return end
    }
    let (selected, done) = try condition.select(rows.lowerBound..<end, cursor.fields)
    for run in selected { append(run, to: &runs) }
    return done
  }

  /// Appends those of the loaded `rows` that are live, or all if dropped ones count too.
  private func append(_ rows: Range<Int>, to runs: inout [Range<Int>]) {
    if includesDropped || table.selection == nil {
      runs.append(rows)
      return
    }
    var start: Int?
    for row in rows {
      if cursor.isLive(row) {
        if start == nil { start = row }
      } else if let first = start {
        runs.append(first..<row)
        start = nil
      }
    }
    if let start { runs.append(start..<rows.upperBound) }
  }

  /// Calls `body` with each row that matches, in order, until it returns `false`.
  package func forEachRow(_ body: (Int) throws(DSVError) -> Bool) throws(DSVError) {
    var pieces = pieces()
    while let runs = try pieces.next() {
      for run in runs {
        for row in run { guard try body(row) else { return } }
      }
    }
  }

  /// How many rows match.
  package func count() throws(DSVError) -> Int {
    if condition == nil { return includesDropped ? table.rowCount : table.liveCount }
    var (count, pieces) = (0, pieces())
    while let runs = try pieces.next() { count += BatchPlanner.count(runs) }
    return count
  }
}

extension Table {
  /// The field that a path leads to through structs.
  package func field(path: [String]) -> TableField? {
    var fields = fields
    var found: TableField?
    for name in path {
      found = fields.first { $0.name.hasSameBytes(as: name) }
      guard let next = found else { return nil }
      fields = next.children
    }
    return found
  }
}

extension ColumnRoot {
  /// How many chunks the column has; reads its nodes.
  func chunkCount(_ reader: ObjectReader) throws(DSVError) -> Int {
    var walker = TreeWalker(self, reader: reader)
    var count = 0
    while try walker.next() != nil { count += 1 }
    return count
  }
}
