package import DSVFormat

/// Visits the chunks of a column from left to right, reading only the nodes on the way.
package struct TreeWalker {
  package struct Leaf: Sendable {
    package let entry: TreeEntry
    package let startRow: Int
    /// How many nulls stand before the chunk.
    package let startNull: Int
    package var endRow: Int { startRow + entry.rowCount }
  }

  private let reader: ObjectReader
  /// What is still to be visited, the next last.
  private var stack: [(entry: TreeEntry, level: Int, startRow: Int, startNull: Int)] = []

  package init(_ root: ColumnRoot, reader: ObjectReader) {
    self.reader = reader
    guard case .object(let id, let level) = root.place else { return }
    stack = [(root.entry(id), level, 0, 0)]
  }

  /// The next chunk that `isWanted` does not refuse, nor any node above it.
  ///
  /// - Parameters:
  ///   - row: chunks that end at or before it are passed over without reading the nodes above them.
  ///   - isWanted: asked of nodes too; `nil` bounds mean that nothing is known.
  package mutating func next(
    from row: Int = 0, where isWanted: (TreeEntry, _ startRow: Int) -> Bool = { _, _ in true }
  ) throws(DSVError) -> Leaf? {
    while let (entry, level, startRow, startNull) = stack.popLast() {
      if startRow + entry.rowCount <= row || !isWanted(entry, startRow) { continue }
      if level == 0 { return Leaf(entry: entry, startRow: startRow, startNull: startNull) }
      let node = try reader.node(entry, level: level)
      var childEnd = startRow + entry.rowCount
      var childNullEnd = startNull + entry.nullCount
      for child in node.children.reversed() {
        childEnd -= child.rowCount
        childNullEnd -= child.nullCount
        stack.append((child, level - 1, childEnd, childNullEnd))
      }
    }
    return nil
  }
}
