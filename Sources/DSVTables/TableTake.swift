package import DSVColumns
package import DSVFormat

/// Reads rows by their positions, in any order, also more than once.
package struct TableTake {
  private let table: Table
  private let fields: [TableField]
  private let maker: BatchMaker
  private let reader: ObjectReader

  /// So many rows are read by one job; fewer than that, by the caller itself.
  static let rowsInJob = 16

  package init(_ fields: [TableField], of table: Table, tellsMissing: Bool = false, reader: ObjectReader) {
    (self.fields, self.table, self.reader) = (fields, table, reader)
    maker = BatchMaker(fields: fields, tellsMissing: tellsMissing, reader: reader.onCaller)
  }

  /// The rows at `positions`, in that order, as one batch.
  ///
  /// Each chunk that holds some of them is read once.
  /// - Throws: `badInput` if the table has no row at one of them, `full` if a column would have more than 2 GiB.
  package func rows(_ positions: [Int]) throws(DSVError) -> GatheredBatch {
    for position in positions where position < 0 || position >= table.rowCount {
      throw DSVError(
        .badInput,
        "table '\(table.name)' has no row at position \(position); it has \(table.rowCount), from 0")
    }
    let sorted = Self.sortedUnique(positions)
    let parts = try read(sorted)
    if parts.count == 1, sorted == positions { return parts[0] }
    return try Reordering(parts, sorted, positions, reader: maker.reader).batch()
  }

  private static func sortedUnique(_ positions: [Int]) -> [Int] {
    var result: [Int] = []
    result.reserveCapacity(positions.count)
    for position in positions.sorted() where position != result.last { result.append(position) }
    return result
  }

  /// The rows at `positions`, which ascend, in parts that are made on all cores.
  private func read(_ positions: [Int]) throws(DSVError) -> [GatheredBatch] {
    if reader.prefetches {
      try RowPrefetch.run(fields.flatMap(\.valueColumns).map(\.root), rows: positions, reader: reader)
    }
    let partCount = max(1, min(reader.pool.threadCount * 4, positions.count / Self.rowsInJob))
    let budget = ByteBudget(TableScan.sharedByteCountMax)
    var feeds = fields.flatMap(\.valueColumns).map {
      ChunkFeed($0.root, layout: $0.layout, reader: maker.reader, budget: budget)
    }
    var plans: [BatchPlan] = []
    for part in 0..<partCount {
      let range = positions.count * part / partCount..<positions.count * (part + 1) / partCount
      plans.append(try Self.plan(positions[range], &feeds))
    }
    // Who asks for single rows asks for others near them; and columns that have room in memory stay there.
    let byteCount = fields.flatMap(\.valueColumns).reduce(0) { $0 + $1.root.plainByteCount }
    if plans.count == 1 || byteCount <= reader.cache.byteCountMax {
      for plan in plans { for chunk in plan.chunks.joined() { chunk.share() } }
    }
    if plans.count == 1 { return [try maker.make(plans[0])] }
    let pending = plans.map { plan in
      reader.pool.submit { [maker] () throws(DSVError) in try maker.make(plan) }
    }
    return try pending.map { (part) throws(DSVError) in try part.value() }
  }

  private static func plan(
    _ positions: ArraySlice<Int>, _ feeds: inout [ChunkFeed]
  ) throws(DSVError) -> BatchPlan {
    var runs: [Range<Int>] = []
    for position in positions {
      if let last = runs.last, last.upperBound == position {
        runs[runs.count - 1] = last.lowerBound..<position + 1
      } else {
        runs.append(position..<position + 1)
      }
    }
    var chunks: [[SharedChunk]] = []
    for index in feeds.indices {
      feeds[index].drop(before: runs.first?.lowerBound ?? 0)
      chunks.append(try feeds[index].chunks(runs))
      // The next part may begin where this one ends.
      chunks[index].last?.share()
    }
    return BatchPlan(runs: runs, rowCount: positions.count, chunks: chunks)
  }
}

/// Puts rows that were read in ascending order into the order that was asked for.
private struct Reordering {
  private let parts: [GatheredBatch]
  private let reader: ObjectReader
  /// For each row wanted: its part, and which row of it.
  private var sources: [(part: Int, row: Int)] = []

  init(_ parts: [GatheredBatch], _ sorted: [Int], _ positions: [Int], reader: ObjectReader) {
    (self.parts, self.reader) = (parts, reader)
    var places: [(part: Int, row: Int)] = []
    places.reserveCapacity(sorted.count)
    for (part, batch) in parts.enumerated() {
      for row in 0..<batch.rowCount { places.append((part, row)) }
    }
    sources = positions.map { places[Self.index(of: $0, in: sorted)] }
  }

  private static func index(of position: Int, in sorted: [Int]) -> Int {
    var (low, high) = (0, sorted.count)
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < position { low = middle + 1 } else { high = middle }
    }
    return low
  }

  func batch() throws(DSVError) -> GatheredBatch {
    var fields: [GatheredField] = []
    for index in parts[0].fields.indices { fields.append(try field(parts.map { $0.fields[index] })) }
    return GatheredBatch(rowCount: sources.count, fields: fields)
  }

  private func field(_ parts: [GatheredField]) throws(DSVError) -> GatheredField {
    let layout = parts[0].values.array.layout
    let byteCount = parts.reduce(0) { $0 + $1.values.array.byteCount }
    let gatherer = ArrayGatherer(layout, rowCount: sources.count, byteCount: byteCount, reader: reader)
    let values = parts.map { EncodedArray($0.values.array) }
    for (part, row) in sources { try gatherer.append(values[part], row..<row + 1) }
    var children: [GatheredField] = []
    for index in parts[0].children.indices { children.append(try field(parts.map { $0.children[index] })) }
    return GatheredField(
      field: parts[0].field, values: gatherer.finish(), children: children, missing: missing(parts))
  }

  private func missing(_ parts: [GatheredField]) -> GatheredBits? {
    guard parts.contains(where: { $0.missing != nil }) else { return nil }
    let bits = GrowingBits(capacity: sources.count)
    for (part, row) in sources {
      if let source = parts[part].missing {
        bits.append(source.bits, from: row, count: 1)
      } else {
        bits.append(repeating: false, count: 1)
      }
    }
    return bits.oneCount > 0 ? GatheredBits(bits) : nil
  }
}

extension ArrayView {
  /// How many bytes the values have, offsets and bitmaps not counted.
  fileprivate var byteCount: Int {
    let own =
      switch layout {
      case .fixed(let width): count * width
      case .bytes: Int(offsets?[count] ?? 0)
      case .none, .bool, .list, .fixedSizeList, .struct: 0
      }
    return children.reduce(own) { $0 + $1.byteCount }
  }
}
