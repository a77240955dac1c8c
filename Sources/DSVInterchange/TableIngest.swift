package import DSVColumns
package import DSVFormat
package import DSVRecords
package import DSVTables

/// Turns rows, one after another, into the columns of a table.
///
/// Without a schema a column's type follows from all its rows: it starts as the first value has it. When a later value
/// does not fit, the column is given up and built again, in a second reading of the rows that leaves the other columns
/// alone (``needsSecondReading``). So every value is converted once, from how it was spelt.
package final class TableIngest {
  /// What is fixed before the first row.
  package enum Start {
    /// Nothing: types are inferred.
    case inferred
    /// These fields and no others.
    case schema([Field])
    /// The rows of a table come before; its columns keep their types unless `widens`.
    case after(Table, widens: Bool)
  }

  private final class Column {
    let name: String
    let nameBytes: [UInt8]
    /// `nil` once a value did not fit.
    var writer: FieldWriter?
    var isNullable = true
    /// Rows before which the field was there; where a table is appended to.
    var stored: TableField?
    init(_ writer: FieldWriter) {
      name = writer.name
      nameBytes = Array(name.utf8)
      self.writer = writer
    }
  }

  /// A row that the table cannot take.
  package struct Misfit {
    package let column: String
    package let message: String
    /// Where in the row, in bytes.
    package let offset: Int
  }

  package static let columnCountMax = 65_536

  private let format: RecordFormat
  private let sink: ColumnSink
  private let reader: ObjectReader
  private let start: Start
  private let appender: ValueAppender
  private var summary: KindSummary
  private var columns: [Column] = []
  private var indexes: [[UInt8]: Int] = [:]
  private let plain = PlainColumns()
  /// Those that must have a value in each row.
  private var requiredColumns: [Column] = []
  /// Rows, those that the table began with among them.
  package private(set) var rowCount = 0
  private let firstRow: Int
  /// Where values are appended to see whether they fit.
  private var trials: [DataType: ArrayBuilder] = [:]
  /// The columns that a second reading builds, by their final types; empty in the first.
  private var isSecondReading = false

  package init(
    _ start: Start, format: RecordFormat, sink: ColumnSink, reader: ObjectReader
  ) throws(DSVError) {
    (self.start, self.format, self.sink, self.reader) = (start, format, sink, reader)
    appender = ValueAppender(format: format)
    summary = KindSummary(for: format)
    switch start {
    case .inferred: firstRow = 0
    case .schema(let fields):
      firstRow = 0
      for field in fields {
        let column = addColumn(FieldWriter(name: field.name, type: field.type, sink: sink))
        require(column, unless: field.isNullable)
      }
    case .after(let table, _):
      firstRow = table.rowCount
      rowCount = firstRow
      for field in table.fields {
        let column = addColumn(try FieldWriter(after: field, sink: sink, reader: reader))
        require(column, unless: field.isNullable)
        column.stored = field
      }
    }
  }

  @discardableResult
  private func addColumn(_ writer: FieldWriter) -> Column {
    let column = Column(writer)
    indexes[column.nameBytes] = columns.count
    columns.append(column)
    plain.add(named: column.nameBytes)
    plain.set(columns.count - 1, writer)
    return column
  }

  private func require(_ column: Column, unless isNullable: Bool) {
    column.isNullable = isNullable
    if !isNullable { requiredColumns.append(column) }
  }

  private func setWriter(_ writer: FieldWriter?, of index: Int) {
    columns[index].writer = writer
    plain.set(index, writer)
  }

  private var typesAreFixed: Bool {
    switch start {
    case .inferred: false
    case .schema: true
    case .after(_, let widens): !widens
    }
  }

  /// Appends a row.
  ///
  /// - Returns: why it does not fit, where types are fixed; the table is then not to be used any more.
  package func append(_ row: Events) throws(DSVError) -> Misfit? {
    if !isSecondReading { summary.observe(row) }
    var cursor = EventCursor(row, at: 1)
    var expected = 0
    while true {
      expected = try plain.append(&cursor, from: expected, rowCount: rowCount)
      if cursor.peek.kind == .objectEnd { break }
      let key = cursor.next()
      guard let index = try columnIndex(key.text, expected: expected) else {
        if isDeclared {
          let name = String(decoding: key.text, as: UTF8.self)
          return Misfit(column: name, message: "the schema has no such column", offset: key.offset)
        }
        cursor.skip()
        continue
      }
      expected = index + 1
      if let misfit = try append(&cursor, to: index) { return misfit }
    }
    rowCount += 1
    return try checkRequired()
  }

  private func append(_ cursor: inout EventCursor, to index: Int) throws(DSVError) -> Misfit? {
    let column = columns[index]
    guard let writer = column.writer else {
      cursor.skip()
      return nil
    }
    try writer.appendMissing(upTo: rowCount)
    let value = cursor
    if writer.type == .null, cursor.peek.kind != .null {
      try writer.settle(DataType(provisionalFor: cursor, openType: format == .csv ? .utf8 : .json))
      plain.set(index, writer)
    }
    if try appender.append(&cursor, to: writer) { return nil }
    cursor = value
    let found = cursor.peek
    cursor.skip()
    // A type that only seems to fit by kind, as a date does a text that is none, does not become another one.
    let refinedType = try refined(column, by: summary)
    if typesAreFixed, column.stored != nil || isDeclared, refinedType == nil || refinedType == writer.fullType
    {
      return Misfit(
        column: column.name, message: Mismatch.message(wanted: writer.fullType, found: found),
        offset: found.offset)
    }
    guard !isSecondReading else {
      throw DSVError(
        .badInput, "column \(column.name): \(Mismatch.message(wanted: writer.fullType, found: found))")
    }
    setWriter(nil, of: index)
    return nil
  }

  private var isDeclared: Bool { if case .schema = start { true } else { false } }

  /// Why a row does not fit, found out before any of it is appended; `nil` where it fits or types are not fixed.
  package func check(_ row: Events) throws(DSVError) -> Misfit? {
    guard typesAreFixed else { return nil }
    var cursor = EventCursor(row, at: 1)
    var hasValue = Set<Int>()
    while cursor.peek.kind != .objectEnd {
      let key = cursor.next()
      guard let index = indexes[Array(key.text)] else {
        if isDeclared {
          let name = String(decoding: key.text, as: UTF8.self)
          return Misfit(column: name, message: "the schema has no such column", offset: key.offset)
        }
        cursor.skip()
        continue
      }
      let found = cursor.peek
      if found.kind != .null { hasValue.insert(index) }
      let column = columns[index]
      guard let type = column.writer?.fullType ?? column.stored?.field.type,
        column.stored != nil || isDeclared
      else {
        cursor.skip()
        continue
      }
      let value = cursor
      if try fits(&cursor, type) { continue }
      cursor = value
      let summary = KindSummary(for: format)
      summary.observe(row)
      guard let type = try refined(column, by: summary), try fits(&cursor, type) else {
        return Misfit(
          column: column.name, message: Mismatch.message(wanted: type, found: found), offset: found.offset)
      }
    }
    for (index, column) in columns.enumerated() where !column.isNullable && !hasValue.contains(index) {
      return Misfit(column: column.name, message: "a value is required", offset: 0)
    }
    return nil
  }

  private func fits(_ cursor: inout EventCursor, _ type: DataType) throws(DSVError) -> Bool {
    let trial = trials[type] ?? ArrayBuilder(DataType.list(type).layout).children[0]
    trials[type] = trial
    trial.removeAll()
    return try appender.append(&cursor, type: type, to: trial)
  }

  /// The type that a stored column takes so that it holds what was observed as well, if that only settles what no
  /// value has decided yet; `nil` if it would widen it.
  private func refined(_ column: Column, by summary: KindSummary) throws(DSVError) -> DataType? {
    guard let stored = column.stored?.field else { return nil }
    let type = summary.fields(widening: [stored]).first?.type
    return type.flatMap { stored.type.isRefined(by: $0) ? $0 : nil }
  }

  /// Where a key's column is; a new one where new ones are taken, else `nil`.
  private func columnIndex(_ name: UnsafeRawBufferPointer, expected: Int) throws(DSVError) -> Int? {
    if expected < columns.count, columns[expected].nameBytes.elementsEqual(name) { return expected }
    let bytes = Array(name)
    if let index = indexes[bytes] { return index }
    if isSecondReading || isDeclared { return nil }
    guard columns.count < Self.columnCountMax else {
      throw DSVError(.badInput, "more than \(Self.columnCountMax) columns: are the keys data?")
    }
    addColumn(FieldWriter(name: String(decoding: bytes, as: UTF8.self), type: .null, sink: sink))
    return columns.count - 1
  }

  /// Columns that may not be without a value must have got one.
  private func checkRequired() throws(DSVError) -> Misfit? {
    for column in requiredColumns where !isSecondReading {
      guard let writer = column.writer else { continue }
      if writer.rowCount < rowCount || writer.isLastEmpty {
        return Misfit(column: column.name, message: "a value is required", offset: 0)
      }
    }
    return nil
  }

  // MARK: Second reading

  /// The final types.
  private var finalFields: [Field] {
    switch start {
    case .inferred: summary.inferredFields()
    case .schema(let fields): fields
    case .after(let table, _): summary.fields(widening: table.schema)
    }
  }

  /// Whether rows must be read again, from the first, for the columns whose type had to change.
  ///
  /// Asked once, after the last row.
  package func needsSecondReading() throws(DSVError) -> Bool {
    let types = finalTypes
    for (index, column) in columns.enumerated() {
      let type = types[FieldName(column.name)] ?? .json
      if column.writer?.fullType == type { continue }
      let isRefined = column.stored.map { $0.field.type.isRefined(by: type) } ?? !isDeclared
      guard isRefined || !typesAreFixed else {
        let old = column.stored?.field.type ?? type
        throw DSVError(.badInput, "column \(column.name): the new rows do not fit \(old); see --widen")
      }
      setWriter(nil, of: index)
    }
    return columns.contains { $0.writer == nil }
  }

  private var finalTypes: [FieldName: DataType] {
    Dictionary(finalFields.map { (FieldName($0.name), $0.type) }) { first, _ in first }
  }

  /// Prepares for the same rows once more.
  package func beginSecondReading() throws(DSVError) {
    let types = finalTypes
    for column in columns { try column.writer?.appendMissing(upTo: rowCount) }
    finished = try columns.map { (column) throws(DSVError) in try column.writer?.finish() }
    for (index, column) in columns.enumerated() {
      guard column.writer == nil else {
        setWriter(nil, of: index)
        continue
      }
      let writer = FieldWriter(name: column.name, type: types[FieldName(column.name)] ?? .json, sink: sink)
      if let stored = column.stored { try rewrite(stored, to: writer) }
      setWriter(writer, of: index)
    }
    isSecondReading = true
    rowCount = firstRow
  }

  /// What the first reading finished.
  private var finished: [TableField?] = []

  /// Appends a stored field's values to one of another type, through their JSON.
  private func rewrite(_ stored: TableField, to writer: FieldWriter) throws(DSVError) {
    let cursor = FieldCursor(stored, reader: reader)
    let parser = JSONParser()
    var text = ByteBuffer()
    for row in 0..<stored.values.rowCount {
      _ = try cursor.load(at: row)
      if cursor.isNull(row), try cursor.isMissing(row) {
        try writer.appendMissing()
        continue
      }
      text.removeAll()
      try text.appendJSON(cursor, row)
      let byteCount = text.count
      for _ in 0..<JSONParser.padding { text.append(UInt8(0)) }
      let padded = UnsafeRawBufferPointer(rebasing: text.bytes[..<byteCount])
      guard let events = try? parser.parse(padded: padded) else {
        throw DSVError(.corrupt, "column \(stored.name): row \(row) cannot be read back")
      }
      var value = EventCursor(events)
      guard try appender.append(&value, to: writer) else {
        throw DSVError(.badInput, "column \(stored.name): row \(row) does not fit \(writer.type)")
      }
    }
  }

  /// Ends the table.
  package func finish(name: String) throws(DSVError) -> Table {
    var fields: [TableField] = []
    for (index, column) in columns.enumerated() {
      var field: TableField
      if let writer = column.writer {
        try writer.appendMissing(upTo: rowCount)
        field = try writer.finish()
      } else if index < finished.count, let earlier = finished[index] {
        field = earlier
      } else {
        preconditionFailure("a column was given up and not built again")
      }
      field.isNullable = column.isNullable
      if let stored = column.stored { (field.isSignal, field.metadata) = (stored.isSignal, stored.metadata) }
      fields.append(field)
    }
    return Table(name: name, fields: fields, rowCount: rowCount)
  }
}
