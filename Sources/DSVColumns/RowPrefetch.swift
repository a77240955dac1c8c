package import DSVFormat

/// Asks for all chunks that hold some rows of some columns, level by level across the columns: where they are far away
/// that takes as many round trips as the highest tree has levels, whatever the number of rows.
package enum RowPrefetch {
  /// A node or chunk that holds some of the rows.
  private struct Part {
    let entry: TreeEntry
    /// 0 for a chunk.
    let level: Int
    let startRow: Int
    /// Which of the rows.
    let rows: Range<Int>
  }

  /// - Parameter rows: in ascending order.
  package static func run(_ columns: [ColumnRoot], rows: [Int], reader: ObjectReader) throws(DSVError) {
    guard reader.prefetches, !rows.isEmpty else { return }
    var parts: [Part] = []
    for root in columns {
      guard case .object(let id, let level) = root.place else { continue }
      parts.append(Part(entry: root.entry(id), level: level, startRow: 0, rows: rows.indices))
    }
    while !parts.isEmpty {
      reader.prefetch(parts.map(\.entry.id))
      var next: [Part] = []
      for part in parts where part.level > 0 {
        append(try reader.node(part.entry, level: part.level), part, rows, to: &next)
      }
      parts = next
    }
  }

  /// Appends the children of a node that hold some of the rows.
  private static func append(_ node: TreeNode, _ parent: Part, _ rows: [Int], to parts: inout [Part]) {
    var (start, index) = (parent.startRow, parent.rows.lowerBound)
    for child in node.children {
      let end = start + child.rowCount
      let first = index
      while index < parent.rows.upperBound, rows[index] < end { index += 1 }
      if index > first {
        parts.append(Part(entry: child, level: parent.level - 1, startRow: start, rows: first..<index))
      }
      start = end
    }
  }
}
