import DSVFormat

/// Builds the tree over a column's chunks, from left to right.
struct TreeBuilder {
  private let sink: ColumnSink
  private let order: BoundsOrder?
  /// At `k`, the children so far of the unfinished node of level `k + 1`.
  private var unfinished: [[TreeEntry]] = []
  /// At `k`, the node of level `k + 1` that the next one of that level comes instead of.
  private var edge: [StoredNode?] = []
  /// Keeps what the next append begins by reading.
  private var cache: ObjectCache?

  init(sink: ColumnSink, order: BoundsOrder?) {
    self.sink = sink
    self.order = order
  }

  /// Goes on after the chunks of a tree whose unfinished nodes have these children, the leaves' first.
  ///
  /// - Parameter edge: those nodes as they were.
  init(
    sink: ColumnSink, order: BoundsOrder?, resuming unfinished: [[TreeEntry]], edge: [StoredNode?],
    cache: ObjectCache
  ) {
    self.init(sink: sink, order: order)
    (self.unfinished, self.edge, self.cache) = (unfinished, edge, cache)
  }

  mutating func append(_ entry: TreeEntry, level: Int = 0) throws(DSVError) {
    if unfinished.count == level { unfinished.append([]) }
    unfinished[level].append(entry)
    if TreeNode.ends(after: entry.id, level: level, count: unfinished[level].count, seed: sink.naming.cutSeed)
    {
      try close(level)
    }
  }

  private mutating func close(_ level: Int) throws(DSVError) {
    let children = unfinished[level]
    unfinished[level] = []
    var old: StoredNode?
    if level < edge.count { swap(&old, &edge[level]) }
    let node = TreeNode(level: level + 1, children: children)
    let id = try sink.put(node, instead: old)
    cache?.insert(id, .node(node), byteCount: children.count * 160, insteadOf: old?.id)
    try append(TreeEntry(id: id, of: children, order: order), level: level + 1)
  }

  /// The root: the only entry of the highest level.
  mutating func finish() throws(DSVError) -> (TreeEntry, level: Int)? {
    var level = 0
    while level < unfinished.count {
      let isTop = level == unfinished.count - 1
      if isTop, unfinished[level].count == 1 { return (unfinished[level][0], level) }
      if !unfinished[level].isEmpty { try close(level) }
      level += 1
    }
    return nil
  }
}
