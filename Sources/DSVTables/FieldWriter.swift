package import DSVColumns
package import DSVFormat

/// Writes one field's columns: its values, what its empty slots mean, and the fields of a struct.
///
/// Every row appends exactly once: a value, a null, or that the row does not have the field.
package final class FieldWriter {
  package let name: String
  package private(set) var type: DataType
  package private(set) var values: ColumnWriter
  package private(set) var children: [FieldWriter] = []
  private let sink: ColumnSink
  /// Empty slots so far, of each kind.
  private var nullCount = 0
  private var missingCount = 0
  /// Written only once both kinds have occurred.
  private var absence: ColumnWriter?
  private var childIndexes: [FieldName: Int] = [:]

  package init(name: String, type: DataType, sink: ColumnSink) {
    self.name = name
    self.sink = sink
    self.type = type
    values = ColumnWriter(type: type, sink: sink)
    if case .struct(let fields) = type {
      for field in fields { addChild(FieldWriter(name: field.name, type: field.type, sink: sink)) }
    }
  }

  /// Goes on after the rows of a stored field.
  package init(after field: TableField, sink: ColumnSink, reader: ObjectReader) throws(DSVError) {
    name = field.name
    type = field.type
    self.sink = sink
    values = try ColumnWriter(type: field.type, sink: sink, after: field.values, reader: reader)
    switch field.absence {
    case .null: nullCount = field.values.nullCount
    case .missing: missingCount = field.values.nullCount
    case .mixed(let root):
      absence = try ColumnWriter(type: .bool, sink: sink, after: root, reader: reader)
      // Only whether each is zero matters from here on.
      (nullCount, missingCount) = (1, 1)
    }
    for child in field.children { addChild(try FieldWriter(after: child, sink: sink, reader: reader)) }
  }

  package var rowCount: Int { values.rowCount }

  /// The type with the fields that a struct has got.
  package var fullType: DataType {
    if case .struct = type { .struct(children.map { Field($0.name, $0.fullType) }) } else { type }
  }

  private func addChild(_ child: FieldWriter) {
    childIndexes[FieldName(child.name)] = children.count
    children.append(child)
  }

  /// The struct's field of this name; one that is new is missing in all rows so far.
  package func child(named name: String, type: DataType) throws(DSVError) -> FieldWriter {
    if let index = childIndex(name) { return children[index] }
    let child = FieldWriter(name: name, type: type, sink: sink)
    try child.appendMissing(upTo: rowCount)
    addChild(child)
    return child
  }

  /// The struct's field of this name; a new one has no type yet.
  ///
  /// - Parameter expected: the index where the field is looked for first; becomes the one behind it. So fields that come
  ///   in the same order in each value are found without a search.
  package func child(
    named name: UnsafeRawBufferPointer, expected: inout Int
  ) throws(DSVError) -> FieldWriter {
    if expected < children.count, children[expected].name.utf8.elementsEqual(name) {
      expected += 1
      return children[expected - 1]
    }
    let text = String(decoding: name, as: UTF8.self)
    let child = try child(named: text, type: .null)
    expected = (childIndex(text) ?? 0) + 1
    return child
  }

  package func childIndex(_ name: String) -> Int? { childIndexes[FieldName(name)] }

  package func appendNull() throws(DSVError) { try appendEmpty(isMissing: false) }
  package func appendMissing() throws(DSVError) { try appendEmpty(isMissing: true) }

  /// Appends that rows do not have the field, until there are `rowCount` rows.
  package func appendMissing(upTo rowCount: Int) throws(DSVError) {
    while self.rowCount < rowCount { try appendMissing() }
  }

  private func appendEmpty(isMissing: Bool) throws(DSVError) {
    if absence == nil, isMissing ? nullCount > 0 : missingCount > 0 {
      let writer = ColumnWriter(type: .bool, sink: sink)
      for _ in 0..<nullCount + missingCount { try writer.append(missingCount > 0) }
      absence = writer
    }
    if isMissing { missingCount += 1 } else { nullCount += 1 }
    lastEmptyRow = rowCount
    try absence?.append(isMissing)
    try values.appendNull()
    for child in children { try child.appendMissing() }
  }

  /// Ends a struct's value, after the fields that the row has were appended to `children`.
  package func endStruct() throws(DSVError) {
    values.builder.appendValue()
    try values.endValue()
    for child in children { try child.appendMissing(upTo: rowCount) }
  }

  /// Gives a type to a field that has held no value yet.
  package func settle(_ newType: DataType) throws(DSVError) {
    precondition(type == .null && values.rowCount == nullCountOfValues)
    let rowCount = values.rowCount
    type = newType
    values = ColumnWriter(type: newType, sink: sink)
    for _ in 0..<rowCount { try values.appendNull() }
    if case .struct(let fields) = newType {
      for field in fields {
        let child = FieldWriter(name: field.name, type: field.type, sink: sink)
        try child.appendMissing(upTo: rowCount)
        addChild(child)
      }
    }
  }

  private var lastEmptyRow = -1

  /// Whether the last row has no value.
  package var isLastEmpty: Bool { lastEmptyRow == rowCount - 1 }

  private var nullCountOfValues: Int { values.nullCount + values.builder.nullCount }

  package func finish() throws(DSVError) -> TableField {
    var field = TableField(name: name, type: type, values: try values.finish())
    if case .struct = type { field.type = .struct([]) }
    for child in children { field.children.append(try child.finish()) }
    if let absence {
      field.absence = .mixed(try absence.finish())
    } else if missingCount > 0 {
      field.absence = .missing
    }
    return field
  }
}

extension ColumnWriter {
  package func append(_ value: Bool) throws(DSVError) {
    builder.append(value)
    try endValue()
  }

  @inline(__always)
  package func append<T: BitwiseCopyable>(fixed value: T) throws(DSVError) {
    builder.append(fixed: value)
    try endValue()
  }
}
