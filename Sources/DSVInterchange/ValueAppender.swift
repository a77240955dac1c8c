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

  init(takesScalarsAsText: Bool) { self.takesScalarsAsText = takesScalarsAsText }

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
    guard cursor.next().kind == .objectBegin else { return false }
    let row = field.rowCount
    while true {
      let key = cursor.next()
      if key.kind == .objectEnd { break }
      let name = String(decoding: key.text, as: UTF8.self)
      let child = try field.child(named: name, type: .null)
      try child.appendMissing(upTo: row)
      if child.type == .null, cursor.peek.kind != .null {
        var summary = KindSummary()
        var ahead = cursor
        summary.observe(&ahead)
        try child.settle(summary.inferredType())
      }
      guard try append(&cursor, to: child) else { return false }
    }
    try field.endStruct()
    return true
  }

  /// The bytes that a value becomes in a column of bytes; `nil` if it does not fit. Valid until the next call.
  private func text(_ cursor: inout EventCursor, _ type: DataType) throws(DSVError) -> UnsafeRawBufferPointer? {
    if type == .json {
      scratch.buffer.removeAll()
      cursor.appendCanonicalJSON(to: &scratch.buffer)
      return scratch.buffer.bytes
    }
    if type == .binary {
      let event = cursor.next()
      guard event.kind == .string, let bytes = Base64.decoded(event.text) else { return nil }
      scratch.buffer.removeAll()
      bytes.withUnsafeBytes { scratch.buffer.append($0) }
      return scratch.buffer.bytes
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
    case .bool:
      guard event.kind == .true || event.kind == .false else { return false }
      array.append(event.kind == .true)
    case .int64:
      guard event.kind == .int64 else { return false }
      array.append(fixed: event.int64)
    case .uint64:
      guard event.kind == .uint64 || (event.kind == .int64 && event.int64 >= 0) else { return false }
      array.append(fixed: event.kind == .uint64 ? event.uint64 : UInt64(event.int64))
    case .float64:
      guard let value = event.exactDouble else { return false }
      array.append(fixed: value)
    case .utf8, .json, .binary:
      guard let text = try text(&cursor, type) else { return false }
      array.append(text)
      return true
    case .list(let element): return try appendList(&cursor, element, count: nil, to: array)
    case .fixedSizeList(let element, let count): return try appendList(&cursor, element, count: count, to: array)
    case .struct(let fields): return try appendNestedStruct(&cursor, fields, to: array)
    case .null: return false
    default: return try appendDeclared(&cursor, type, to: array)
    }
    cursor.skip()
    return true
  }

  private func appendList(
    _ cursor: inout EventCursor, _ element: DataType, count: Int?, to array: ArrayBuilder
  ) throws(DSVError) -> Bool {
    let begin = cursor.next()
    guard begin.kind == .arrayBegin, count == nil || count == begin.length else { return false }
    while cursor.peek.kind != .arrayEnd {
      guard try append(&cursor, type: element, to: array.children[0]) else { return false }
    }
    cursor.skip()
    array.appendNested()
    return true
  }

  private func appendNestedStruct(
    _ cursor: inout EventCursor, _ fields: [Field], to array: ArrayBuilder
  ) throws(DSVError) -> Bool {
    guard cursor.next().kind == .objectBegin else { return false }
    let row = array.count
    while true {
      let key = cursor.next()
      if key.kind == .objectEnd { break }
      guard let index = fields.firstIndex(where: { $0.name.utf8.elementsEqual(key.text) }) else { return false }
      guard try append(&cursor, type: fields[index].type, to: array.children[index]) else { return false }
    }
    for child in array.children where child.count == row { child.appendNull() }
    array.appendNested()
    return true
  }
}

extension Event {
  /// The number as a double, if that loses nothing.
  var exactDouble: Double? {
    switch kind {
    case .double: double
    case .int64: int64.magnitude <= 1 << 53 ? Double(int64) : nil
    default: nil
    }
  }
}

/// A text buffer with an address that stays.
final class ScratchText {
  var buffer = ByteBuffer()
}
