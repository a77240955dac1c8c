import DSVFormat

/// Goes ahead of a sequential reader of a column and tells the store which chunks it will want, so that those that are far
/// away are under way when they are asked for.
package struct LeafScout {
  private let reader: ObjectReader
  private let window: Int
  private var walker: TreeWalker
  /// Chunks that were told and that the reader has not passed; the first `passed` of them it has.
  private var ahead: [(endRow: Int, byteCount: Int)] = []
  private var passed = 0
  private var aheadByteCount = 0
  private var isAtEnd = false
  private var nextVisit = 0
  /// The first chunk, which was found before anything is told.
  private var first: TreeWalker.Leaf?
  /// Where values are read whole.
  private let blobs: BlobScout?

  /// How far a reader of one column looks ahead, in plain bytes.
  package static let windowByteCount = 16 << 20

  /// - Parameters:
  ///   - window: how many plain bytes are told ahead.
  ///   - readsBlobs: whether the reader wants all values, whole.
  /// - Returns: `nil` where telling is of no use.
  package init?(
    _ root: ColumnRoot, reader: ObjectReader, window: Int = windowByteCount, readsBlobs: Bool = false
  ) {
    guard reader.prefetches, case .object(_, let level) = root.place, level > 0 else { return nil }
    blobs = readsBlobs ? BlobScout(reader) : nil
    (self.reader, self.window) = (reader, window)
    walker = TreeWalker(root, reader: reader, announces: true)
  }

  /// Finds the chunk that holds `row`, and tells the nodes beside those on the way to it: for who begins with many columns, and
  /// does this with each before any is advanced. The nodes on the way should be here.
  package mutating func begin(at row: Int) {
    guard first == nil, ahead.isEmpty else { return }
    do throws(DSVError) { first = try walker.next(from: row) } catch { isAtEnd = true }
  }

  /// Tells what is to be told when the reader is at `row`.
  ///
  /// - Parameter visits: the rows that will be read, if not all are.
  package mutating func advance(to row: Int, visits: [Int]? = nil) {
    while passed < ahead.count, ahead[passed].endRow <= row {
      aheadByteCount -= ahead[passed].byteCount
      passed += 1
    }
    // Many at once: neighbours then travel together.
    blobs?.pass(row)
    guard !isAtEnd, aheadByteCount <= window / 2 else { return }
    ahead.removeFirst(passed)
    passed = 0
    var (ids, withBlobs): ([ColumnID], [(ColumnID, Int)]) = ([], [])
    // What cannot be read here will fail where it is asked for.
    do throws(DSVError) { try walk(from: row, visits, &ids, &withBlobs) } catch { isAtEnd = true }
    reader.prefetch(ids)
    blobs?.tell(withBlobs)
  }

  private mutating func next(from row: Int) throws(DSVError) -> TreeWalker.Leaf? {
    if let leaf = first {
      first = nil
      if leaf.endRow > row { return leaf }
    }
    return try walker.next(from: row)
  }

  /// - Parameter withBlobs: gets the chunks that refer to blobs, and where they end.
  private mutating func walk(
    from row: Int, _ visits: [Int]?, _ ids: inout [ColumnID], _ withBlobs: inout [(ColumnID, Int)]
  ) throws(DSVError) {
    while aheadByteCount < window {
      var wanted = row
      if let visits {
        while nextVisit < visits.count, visits[nextVisit] < row { nextVisit += 1 }
        guard nextVisit < visits.count else { break }
        wanted = visits[nextVisit]
      }
      guard let leaf = try next(from: wanted) else { break }
      while let visits, nextVisit < visits.count, visits[nextVisit] < leaf.endRow { nextVisit += 1 }
      ids.append(leaf.entry.id)
      if leaf.entry.hasBlobs { withBlobs.append((leaf.entry.id, leaf.endRow)) }
      ahead.append((leaf.endRow, leaf.entry.plainByteCount))
      aheadByteCount += leaf.entry.plainByteCount
    }
    isAtEnd = aheadByteCount < window
  }
}
