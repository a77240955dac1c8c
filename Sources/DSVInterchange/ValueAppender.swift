import DSVColumns
import DSVFormat
import DSVRecords
import DSVTables

/// Puts values, as events, into columns.
///
/// What does not fit a column's type is refused, not converted; a refused value may leave a part of it behind in the
/// column, which is then not used any more.
struct ValueAppender {
  /// Where values that are kept as JSON text are written before they are appended.
  private let scratch = ScratchText()
  /// Whether scalars of any kind are text to a `utf8` column, as a CSV's cells are.
  let takesScalarsAsText: Bool

  init(format: RecordFormat) { takesScalarsAsText = format == .csv }

  /// Appends the value that comes next to a field, and moves behind it; `false` if it does not fit.
  func append(_ cursor: inout EventCursor, to field: FieldWriter) throws(DSVError) -> Bool {
    let event = cursor.peek
    if event.kind == .null {
      cursor.skip()
      try field.appendNull()
      return true
    }
    switch field.type {
    case .struct: return try appendStruct(&cursor, to: field)
    case .utf8, .json, .binary:
      guard let text = try text(&cursor, field.type) else { return false }
      try field.values.append(text)
      return true
    case .null: return false
    default:
      guard try append(&cursor, type: field.type, to: field.values.builder) else { return false }
      try field.values.endValue()
      return true
    }
  }

  private func appendStruct(_ cursor: inout EventCursor, to field: FieldWriter) throws(DSVError) -> Bool {
    guard cursor.next().kind == .objectBegin, field.children.count <= KindSummary.maxFieldCount else {
      return false
    }
    let row = field.rowCount
    var expected = 0
    while true {
      let key = cursor.next()
      if key.kind == .objectEnd { break }
      let child = try field.child(named: key.text, expected: &expected)
      try child.appendMissing(upTo: row)
      if child.type == .null, cursor.peek.kind != .null {
        try child.settle(DataType(provisionalFor: cursor, openType: takesScalarsAsText ? .utf8 : .json))
      }
      guard try append(&cursor, to: child) else { return false }
    }
    try field.endStruct()
    return true
  }

  /// The bytes that a value becomes in a column of bytes; `nil` if it does not fit. Valid until the next call.
  private func text(_ cursor: inout EventCursor, _ type: DataType) throws(DSVError) -> UnsafeRawBufferPointer?
  {
    if type == .json {
      scratch.buffer.removeAll()
      cursor.appendCanonicalJSON(to: &scratch.buffer)
      return scratch.buffer.bytes
    }
    if type == .binary {
      scratch.buffer.removeAll()
      let event = cursor.next()
      return cursor.events.appendBinary(event, to: &scratch.buffer) ? scratch.buffer.bytes : nil
    }
    let kind = cursor.peek.kind
    guard kind == .string || takesScalarsAsText else { return nil }
    return cursor.nextText()
  }

  /// Appends the value that comes next to an array, and moves behind it; `false` if it does not fit.
  func append(_ cursor: inout EventCursor, type: DataType, to array: ArrayBuilder) throws(DSVError) -> Bool {
    let event = cursor.peek
    if event.kind == .null {
      cursor.skip()
      array.appendNull()
      return true
    }
    switch type {
    case .utf8, .json, .binary:
      guard let text = try text(&cursor, type) else { return false }
      array.append(text)
      return true
    case .list(let element): return try appendList(&cursor, element, count: nil, to: array)
    case .fixedSizeList(let element, let count):
      return try appendList(&cursor, element, count: count, to: array)
    case .struct(let fields): return try appendNestedStruct(&cursor, fields, to: array)
    default:
      cursor.skip()
      return Self.append(event, of: cursor.events, type: type, to: array)
    }
  }

  /// Appends a scalar of a fixed width; `false` if it does not fit.
  private static func append(_ event: Event, of events: Events, type: DataType, to array: ArrayBuilder)
    -> Bool
  {
    func append<T: BitwiseCopyable>(_ value: T?) -> Bool {
      guard let value else { return false }
      array.append(fixed: value)
      return true
    }
    switch type {
    case .bool:
      guard let value = event.bool else { return false }
      array.append(value)
      return true
    case .int64: return append(event.kind == .int64 ? event.int64 : nil)
    case .float64: return append(event.float64)
    case .int8: return append(event.wholeNumber(as: Int8.self))
    case .int16: return append(event.wholeNumber(as: Int16.self))
    case .int32: return append(event.wholeNumber(as: Int32.self))
    case .uint8: return append(event.wholeNumber(as: UInt8.self))
    case .uint16: return append(event.wholeNumber(as: UInt16.self))
    case .uint32: return append(event.wholeNumber(as: UInt32.self))
    case .uint64: return append(event.wholeNumber(as: UInt64.self))
    case .float16: return append(events.float16(event))
    case .float32: return append(events.float32(event))
    case .date: return append(events.date(event))
    case .timestamp(let unit, _): return append(events.timestamp(event, unit: unit))
    case .decimal128(let precision, let scale):
      return append(events.decimal128(event, precision: precision, scale: scale))
    case .null, .utf8, .json, .binary, .list, .fixedSizeList, .struct: return false
    }
  }

  private func appendList(
    _ cursor: inout EventCursor, _ element: DataType, count: Int?, to array: ArrayBuilder
  ) throws(DSVError) -> Bool {
    let begin = cursor.next()
    guard begin.kind == .arrayBegin, count == nil || count == begin.length else { return false }
    let elements = array.children[0]
    while true {
      Self.appendRun(&cursor, element, to: elements)
      if cursor.peek.kind == .arrayEnd { break }
      guard try append(&cursor, type: element, to: elements) else { return false }
    }
    cursor.skip()
    array.appendNested()
    return true
  }

  /// Appends the elements that come next as far as they are plain numbers of the type, which is looked at once.
  private static func appendRun(_ cursor: inout EventCursor, _ type: DataType, to array: ArrayBuilder) {
    let events = cursor.events.events
    var index = cursor.index
    switch type {
    case .int64:
      while events[index].kind == .int64 {
        array.append(fixed: events[index].int64)
        index += 1
      }
    case .int32:
      while events[index].kind == .int64, let value = Int32(exactly: events[index].int64) {
        array.append(fixed: value)
        index += 1
      }
    case .float64:
      while events[index].kind == .double {
        array.append(fixed: events[index].double)
        index += 1
      }
    default: break
    }
    cursor.index = index
  }

  private func appendNestedStruct(
    _ cursor: inout EventCursor, _ fields: [Field], to array: ArrayBuilder
  ) throws(DSVError) -> Bool {
    guard cursor.next().kind == .objectBegin else { return false }
    let row = array.count
    while true {
      let key = cursor.next()
      if key.kind == .objectEnd { break }
      guard let index = fields.firstIndex(where: { $0.name.utf8.elementsEqual(key.text) }) else {
        return false
      }
      guard try append(&cursor, type: fields[index].type, to: array.children[index]) else { return false }
    }
    for child in array.children where child.count == row { child.appendNull() }
    array.appendNested()
    return true
  }
}

extension Event {
  /// An integer that was spelt as one.
  fileprivate func wholeNumber<T: FixedWidthInteger>(as type: T.Type) -> T? {
    kind == .double ? nil : integer(as: type)
  }
}

/// A text buffer with an address that stays.
final class ScratchText {
  var buffer = ByteBuffer()
}
