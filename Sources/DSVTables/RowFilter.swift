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
      var walker = TreeWalker(field.values, reader: reader)
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

  /// Calls `body` with each row that matches, in order, until it returns `false`.
  package func forEachRow(_ body: (Int) throws(DSVError) -> Bool) throws(DSVError) {
    for range in ranges {
      var row = range.lowerBound
      while row < range.upperBound {
        let end = min(try cursor.load(at: row), range.upperBound)
        var goesOn = true
        func take(_ row: Int, _ isTrue: Bool) throws(DSVError) {
          if goesOn, isTrue, includesDropped || cursor.isLive(row) { goesOn = try body(row) }
        }
        if let condition {
          try condition.forEachRow(row..<end, cursor.fields, take)
        } else {
          for row in row..<end where goesOn { try take(row, true) }
        }
        guard goesOn else { return }
        row = end
      }
    }
  }

  /// How many rows match.
  package func count() throws(DSVError) -> Int {
    if condition == nil { return includesDropped ? table.rowCount : table.liveCount }
    var count = 0
    try forEachRow { _ in
      count += 1
      return true
    }
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
