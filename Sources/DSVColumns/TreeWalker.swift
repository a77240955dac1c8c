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

  /// A node that is being visited: what stands before its child `next`.
  private struct Visit {
    let children: [TreeEntry]
    /// Of the children; 0 is a chunk.
    let level: Int
    var next = 0
    var startRow: Int
    var startNull: Int
  }

  private let reader: ObjectReader
  private let announces: Bool
  /// From the root down. The root is a node of one child here.
  private var path: [Visit] = []

  /// - Parameter announces: whether nodes that will be visited are asked for together, where they may be far away: for
  ///   who visits most of them.
  package init(_ root: ColumnRoot, reader: ObjectReader, announces: Bool = false) {
    (self.reader, self.announces) = (reader, announces && reader.prefetches)
    guard case .object(let id, let level) = root.place else { return }
    path = [Visit(children: [root.entry(id)], level: level, startRow: 0, startNull: 0)]
  }

  /// The next chunk that `isWanted` does not refuse, nor any node above it.
  ///
  /// - Parameters:
  ///   - row: chunks that end at or before it are passed over without reading the nodes above them.
  ///   - isWanted: asked of nodes too; `nil` bounds mean that nothing is known.
  package mutating func next(
    from row: Int = 0, where isWanted: (TreeEntry, _ startRow: Int) -> Bool = { _, _ in true }
  ) throws(DSVError) -> Leaf? {
    while let depth = path.indices.last {
      guard let (entry, startRow, startNull) = Self.step(&path[depth], past: row) else {
        path.removeLast()
        continue
      }
      if !isWanted(entry, startRow) { continue }
      let level = path[depth].level
      if level == 0 { return Leaf(entry: entry, startRow: startRow, startNull: startNull) }
      let node = try reader.node(entry, level: level)
      let visit = Visit(
        children: node.children, level: level - 1, startRow: startRow, startNull: startNull)
      if announces, level > 1 { announce(visit, from: row, where: isWanted) }
      path.append(visit)
    }
    return nil
  }

  /// Asks for the children of a node, which are nodes, that will be visited.
  private func announce(_ visit: Visit, from row: Int, where isWanted: (TreeEntry, Int) -> Bool) {
    var visit = visit
    var ids: [ColumnID] = []
    while let (entry, startRow, _) = Self.step(&visit, past: row) {
      if isWanted(entry, startRow) { ids.append(entry.id) }
    }
    reader.prefetch(ids)
  }

  /// The next child that ends after `row`, and what stands before it.
  private static func step(_ visit: inout Visit, past row: Int) -> (TreeEntry, Int, Int)? {
    while visit.next < visit.children.count {
      let index = visit.next
      let (startRow, startNull) = (visit.startRow, visit.startNull)
      visit.next += 1
      visit.startRow += visit.children[index].rowCount
      visit.startNull += visit.children[index].nullCount
      if visit.startRow > row { return (visit.children[index], startRow, startNull) }
    }
    return nil
  }
}
