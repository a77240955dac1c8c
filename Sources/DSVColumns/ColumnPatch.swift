package import DSVFormat

/// Gives a few values of a column of unsigned 16-bit numbers another content. Chunks without a changed value are taken
/// over as they are, and runs of equal values, of which such a column mostly consists, are handled as runs.
///
/// The same root comes out as if all values had been written anew.
package final class ColumnPatch {
  private static let layout = Layout.fixed(2)
  private static let width = 2
  /// What ``ArrayBuilder/measure(from:seed:)`` says of such a value.
  private static let valueBitCount = 17

  private let sink: ColumnSink
  private let reader: ObjectReader
  private let builder = ArrayBuilder(layout)
  private var cutter = ChunkCutter()
  private var tree: TreeBuilder
  private let order = BoundsOrder(.uint16)
  private var pending: [Pending<TreeEntry>] = []
  private var finishedCount = 0
  /// The last chunk of equal values only, many of which may follow.
  private var uniform: (value: UInt16, count: Int, entry: Pending<TreeEntry>)?

  private init(sink: ColumnSink, reader: ObjectReader) {
    (self.sink, self.reader) = (sink, reader)
    tree = TreeBuilder(sink: sink, order: order)
  }

  /// - Parameters:
  ///   - root: a uint16 column without nulls; `nil` for `rowCount` zeros.
  ///   - rows: whose values become `value`, in ascending order.
  package static func setting(
    _ rows: [Int], to value: UInt16, in root: ColumnRoot?, rowCount: Int, sink: ColumnSink,
    reader: ObjectReader
  ) throws(DSVError) -> ColumnRoot {
    let patch = ColumnPatch(sink: sink, reader: reader)
    if let root {
      if rows.isEmpty { return root }
      try patch.rewrite(root, rows, value)
    } else {
      try patch.fill(rowCount, rows, value)
    }
    return try patch.finish(rowCount)
  }

  /// Zeros, but for `rows`.
  private func fill(_ rowCount: Int, _ rows: [Int], _ value: UInt16) throws(DSVError) {
    var row = 0
    for changed in rows {
      try append(0, count: changed - row)
      try append(value, count: 1)
      row = changed + 1
    }
    try append(0, count: rowCount - row)
  }

  private func rewrite(_ root: ColumnRoot, _ rows: [Int], _ value: UInt16) throws(DSVError) {
    if let inline = try reader.inlineChunk(root) {
      try inline.check(nil, layout: Self.layout, rowCount: root.rowCount, nullCount: 0)
      try append(inline.array, from: 0, rows[...], value)
      return withExtendedLifetime(inline) {}
    }
    var walker = TreeWalker(root, reader: reader)
    let visits = ColumnCursor(root, layout: Self.layout, reader: reader, readAhead: 8, visits: rows)
    var next = rows[...]
    while let leaf = try walker.next() {
      let end = next.firstIndex { $0 >= leaf.endRow } ?? next.endIndex
      // A chunk that has no changed value is what it was, if what is before it ends where it did.
      if end == next.startIndex, builder.count == 0 {
        try collect(all: true)
        try tree.append(leaf.entry)
        continue
      }
      if end > next.startIndex {
        let slice = try visits.slice(at: next[next.startIndex]).array
        try append(slice, from: leaf.startRow, next[..<end], value)
      } else {
        let chunk = try reader.chunk(leaf.entry.id)
        try chunk.check(leaf.entry.id, layout: Self.layout, rowCount: leaf.entry.rowCount, nullCount: 0)
        try append(chunk.array, from: leaf.startRow, [], value)
        withExtendedLifetime(chunk) {}
      }
      next = next[end...]
    }
  }

  /// A chunk's values, but for `rows`.
  private func append(
    _ array: ArrayView, from startRow: Int, _ rows: ArraySlice<Int>, _ value: UInt16
  ) throws(DSVError) {
    var index = 0
    for changed in rows.map({ $0 - startRow }) + [array.count] {
      while index < changed {
        let old = array.fixed(index, as: UInt16.self)
        let end = Self.endOfRun(array, index, before: changed)
        try append(old, count: end - index)
        index = end
      }
      guard changed < array.count else { return }
      try append(value, count: 1)
      index += 1
    }
  }

  /// Where the values that equal the one at `start` end.
  private static func endOfRun(_ array: ArrayView, _ start: Int, before limit: Int) -> Int {
    let value = array.fixed(start, as: UInt16.self)
    let four = UInt64(value) &* 0x0001_0001_0001_0001
    var index = start + 1
    while index + 4 <= limit,
      array.values.loadUnaligned(fromByteOffset: index * width, as: UInt64.self) == four
    { index += 4 }
    while index < limit, array.fixed(index, as: UInt16.self) == value { index += 1 }
    return index
  }

  private func append(_ value: UInt16, count: Int) throws(DSVError) {
    let hash = withUnsafeBytes(of: value) { Hash64.of($0, seed: sink.naming.cutSeed) }
    var rest = count
    while rest > 0 {
      let (taken, endsChunk) = cutter.takeRun(rest, bitCount: Self.valueBitCount, hash: hash)
      rest -= taken
      let isUniform = endsChunk && builder.count == 0
      if isUniform, let uniform, uniform.value == value, uniform.count == taken {
        pending.append(uniform.entry)
        continue
      }
      builder.append(repeating: value, count: taken)
      if endsChunk {
        let entry = try seal()
        if isUniform { uniform = (value, taken, entry) }
      }
    }
  }

  @discardableResult
  private func seal() throws(DSVError) -> Pending<TreeEntry> {
    let plain = GrowingBytes(capacity: builder.count * Self.width + 64)
    builder.writePlain(to: plain)
    builder.removeAll()
    let chunk = try Chunk(taking: plain, of: "a chunk being written")
    let entry = sink.pool.submit { [sink, order] () throws(DSVError) in try sink.put(chunk, order: order) }
    pending.append(entry)
    try collect(all: false)
    return entry
  }

  /// Takes the chunks that are written into the tree.
  private func collect(all: Bool) throws(DSVError) {
    while finishedCount < pending.count, all || pending[finishedCount].isReady {
      try tree.append(try pending[finishedCount].value())
      finishedCount += 1
    }
    if finishedCount == pending.count { (pending, finishedCount) = ([], 0) }
  }

  private func finish(_ rowCount: Int) throws(DSVError) -> ColumnRoot {
    if builder.count > 0 {
      if builder.count == rowCount {
        let plain = GrowingBytes(capacity: rowCount * Self.width + 64)
        builder.writePlain(to: plain)
        if plain.count <= ColumnRoot.inlineByteCountMax {
          return ColumnRoot(
            place: .inline(Array(plain.bytes)), rowCount: rowCount, nullCount: 0, plainByteCount: plain.count)
        }
      }
      try seal()
    }
    try collect(all: true)
    guard let (root, level) = try tree.finish() else { return .empty }
    return ColumnRoot(
      place: .object(root.id, level: level), rowCount: root.rowCount, nullCount: 0,
      plainByteCount: root.plainByteCount)
  }
}
