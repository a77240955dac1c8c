import DSVColumns
import DSVFormat
import DSVTables

/// Writes a stage's signals, a struct of numbers, as columns. Rows that are not live keep what was measured before.
struct SignalWriter {
  private let field: Field
  private let writer: FieldWriter
  /// The numbers, in the order in which a stage gives them.
  private let leaves: [FieldWriter]
  private let groups: [FieldWriter]
  private let old: FieldCursor?
  private let oldLeaves: [FieldCursor]
  private var loadedEnd = 0

  init(_ field: Field, replacing old: TableField?, sink: ColumnSink, reader: ObjectReader) throws(DSVError) {
    self.field = field
    writer = FieldWriter(name: field.name, type: field.type, sink: sink)
    (leaves, groups) = Self.leaves(writer)
    // Signals of another shape, an older revision's perhaps, are not mixed with these.
    let isAlike = old.map { DataType.struct($0.children.map(\.field)) == field.type } ?? false
    self.old = isAlike ? old.map { FieldCursor($0, reader: reader) } : nil
    oldLeaves = self.old.map(Self.leaves) ?? []
  }

  private static func leaves(_ writer: FieldWriter) -> (leaves: [FieldWriter], groups: [FieldWriter]) {
    if writer.children.isEmpty { return ([writer], []) }
    let parts = writer.children.map(leaves)
    return (parts.flatMap(\.leaves), parts.flatMap(\.groups) + [writer])
  }

  private static func leaves(_ cursor: FieldCursor) -> [FieldCursor] {
    cursor.children.isEmpty ? [cursor] : cursor.children.flatMap(leaves)
  }

  /// Appends the signals of one row, which is at `index` of the output.
  mutating func append(_ output: StageOutput, _ index: Int, row: Int) throws(DSVError) {
    if output.verdicts[index] == StageOutput.notLive { return try appendOld(row) }
    for (signal, leaf) in leaves.enumerated() {
      try append(output.signals[index * leaves.count + signal], to: leaf)
    }
    for group in groups { try group.endStruct() }
  }

  private func append(_ value: Double, to leaf: FieldWriter) throws(DSVError) {
    if value.isNaN {
      try leaf.appendNull()
    } else if leaf.type == .int64 {
      try leaf.values.append(fixed: Int64(value))
    } else {
      try leaf.values.append(fixed: value)
    }
  }

  private mutating func appendOld(_ row: Int) throws(DSVError) {
    guard let old else { return try writer.appendNull() }
    if row >= loadedEnd { loadedEnd = try old.load(at: row) }
    if old.isNull(row) { return try writer.appendNull() }
    for (leaf, oldLeaf) in zip(leaves, oldLeaves) {
      if oldLeaf.isNull(row) {
        try leaf.appendNull()
      } else {
        try leaf.values.append(
          fixed: oldLeaf.loaded.array.fixed(row - oldLeaf.loaded.startRow, as: UInt64.self))
      }
    }
    for group in groups { try group.endStruct() }
  }

  func finish() throws(DSVError) -> TableField {
    var result = try writer.finish()
    result.isSignal = true
    return result
  }
}
