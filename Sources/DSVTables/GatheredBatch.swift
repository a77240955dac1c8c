package import DSVColumns
package import DSVFormat

/// A field's values for the rows of a batch, each column of it in one piece of memory.
package struct GatheredField: Sendable {
  package let field: Field
  /// Of a struct column: which rows have it.
  package let values: GatheredArray
  /// Of a struct column: its fields.
  package let children: [GatheredField]
  /// One bit a row, 1 = the row did not have the field at all; `nil` where none did not, or nobody asked.
  package let missing: GatheredBits?
}

/// Bits that nothing changes any more.
package final class GatheredBits: @unchecked Sendable {
  // Unchecked because of the pointer: nothing writes through it.
  private let owner: GrowingBits
  package var bits: UnsafePointer<UInt8> { owner.bits }
  package var count: Int { owner.count }

  init(_ owner: GrowingBits) { self.owner = owner }
}

/// Consecutive rows of a scan, column by column.
package struct GatheredBatch: Sendable {
  package let rowCount: Int
  package let fields: [GatheredField]
}

/// What a batch is made of: which rows, and the chunks that hold them. Made by one thread, worked off by another.
struct BatchPlan: Sendable {
  /// The rows' positions, in order; no two runs touch.
  let runs: [Range<Int>]
  let rowCount: Int
  /// The chunks of each column of the fields, in the order of ``TableField/valueColumns``.
  let chunks: [[SharedChunk]]
}

extension TableField {
  /// The columns of values of the field and of those below it, and how each lies in memory.
  var valueColumns: [(root: ColumnRoot, layout: Layout)] {
    [(values, type.layout)] + children.flatMap(\.valueColumns)
  }
}

/// Makes batches as plans say.
struct BatchMaker: Sendable {
  let fields: [TableField]
  let tellsMissing: Bool
  /// Reads on the thread of whoever calls: a job must not wait for other jobs.
  let reader: ObjectReader

  func make(_ plan: BatchPlan) throws(DSVError) -> GatheredBatch {
    var column = 0
    var result: [GatheredField] = []
    for field in fields { result.append(try gather(field, plan, &column)) }
    return GatheredBatch(rowCount: plan.rowCount, fields: result)
  }

  private func gather(
    _ field: TableField, _ plan: BatchPlan, _ column: inout Int
  ) throws(DSVError) -> GatheredField {
    let chunks = plan.chunks[column]
    column += 1
    let gatherer = ArrayGatherer(
      field.type.layout, rowCount: plan.rowCount, byteCount: Self.byteCount(chunks, plan.runs), reader: reader
    )
    let missing = tellsMissing && field.absence != .null ? MissingRows(field, reader: reader) : nil
    var run = 0
    for shared in chunks {
      try shared.with { (values) throws(DSVError) in
        run = try Self.append(values, at: shared.leaf, plan.runs, from: run, to: gatherer, missing)
      }
    }
    var children: [GatheredField] = []
    for child in field.children { children.append(try gather(child, plan, &column)) }
    return GatheredField(
      field: field.field, values: gatherer.finish(), children: children, missing: missing?.finish())
  }

  /// Appends the rows of a chunk that are among `runs`; returns the first run that goes beyond it.
  private static func append(
    _ values: EncodedArray, at leaf: TreeWalker.Leaf, _ runs: [Range<Int>], from first: Int,
    to gatherer: ArrayGatherer, _ missing: MissingRows?
  ) throws(DSVError) -> Int {
    var run = first
    while run < runs.count, runs[run].lowerBound < leaf.endRow {
      let rows = runs[run].clamped(to: leaf.startRow..<leaf.endRow)
      let inChunk = rows.lowerBound - leaf.startRow..<rows.upperBound - leaf.startRow
      try gatherer.append(values, inChunk)
      try missing?.append(values, inChunk, nullsBefore: leaf.startNull)
      if runs[run].upperBound > leaf.endRow { break }
      run += 1
    }
    return run
  }

  /// About how many bytes the rows have: a chunk's rows are taken to be of one size.
  static func byteCount(_ chunks: [SharedChunk], _ runs: [Range<Int>]) -> Int {
    var (run, sum) = (0, 0)
    for chunk in chunks {
      let leaf = chunk.leaf
      var rowCount = 0
      while run < runs.count, runs[run].lowerBound < leaf.endRow {
        rowCount += runs[run].clamped(to: leaf.startRow..<leaf.endRow).count
        if runs[run].upperBound > leaf.endRow { break }
        run += 1
      }
      let entry = leaf.entry
      sum +=
        rowCount == entry.rowCount
        ? entry.plainByteCount
        : Int(Double(entry.plainByteCount) * Double(rowCount) / Double(entry.rowCount))
    }
    return sum
  }
}

/// Gathers which of a field's absent rows did not have the field at all.
private final class MissingRows {
  private let absence: ColumnCursor?
  private let bits = GrowingBits()

  init(_ field: TableField, reader: ObjectReader) {
    guard case .mixed(let root) = field.absence else {
      absence = nil
      return
    }
    absence = ColumnCursor(root, layout: .bool, reader: reader, readAhead: 1)
  }

  /// - Parameter nullsBefore: how many of the column's nulls stand before `array`.
  func append(_ values: EncodedArray, _ run: Range<Int>, nullsBefore: Int) throws(DSVError) {
    let array = values.view
    guard array.validity != nil else { return bits.append(repeating: false, count: run.count) }
    var null = nullsBefore + array.nullCount(before: run.lowerBound)
    for index in run {
      guard array.isNull(index) else {
        bits.append(repeating: false, count: 1)
        continue
      }
      var isMissing = true
      if let absence {
        let slice = try absence.slice(at: null)
        isMissing = slice.array.bool(null - slice.startRow)
      }
      bits.append(repeating: isMissing, count: 1)
      null += 1
    }
  }

  func finish() -> GatheredBits? { bits.oneCount > 0 ? GatheredBits(bits) : nil }
}
