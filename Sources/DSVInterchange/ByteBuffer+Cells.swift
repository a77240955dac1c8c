import DSVColumns
package import DSVFormat
package import DSVRecords
package import DSVTables

extension ByteBuffer {
  /// Appends the loaded value of a row as JSON; null where there is none.
  package mutating func appendJSON(_ cell: FieldCursor, _ row: Int) throws(DSVError) {
    if cell.isNull(row) { return appendJSONNull() }
    switch cell.field.type {
    case .struct:
      append(UInt8(ascii: "{"))
      try appendMembers(cell.children, row)
      append(UInt8(ascii: "}"))
    case .utf8, .json, .binary:
      try appendBytes(cell, row)
    default:
      let slice = cell.loaded
      appendJSON(slice.array, row - slice.startRow, cell.field.type)
    }
  }

  private mutating func appendBytes(_ cell: FieldCursor, _ row: Int) throws(DSVError) {
    let slice = cell.loaded
    let index = row - slice.startRow
    guard slice.array.isBlob(index) else {
      return appendJSON(bytes: slice.array.bytes(index), cell.field.type)
    }
    let blob = try cell.blob(row)
    blob.withUnsafeBytes { appendJSON(bytes: $0, cell.field.type) }
  }

  /// Appends the fields that the row has, as the members of an object.
  package mutating func appendMembers(_ fields: [FieldCursor], _ row: Int) throws(DSVError) {
    var needsComma = false
    for field in fields {
      if field.isNull(row), try field.isMissing(row) { continue }
      if needsComma { append(UInt8(ascii: ",")) }
      needsComma = true
      appendJSON(string: field.field.name)
      append(UInt8(ascii: ":"))
      try appendJSON(field, row)
    }
  }

  private mutating func appendJSON(bytes: UnsafeRawBufferPointer, _ type: DataType) {
    switch type {
    case .json: append(bytes)
    case .binary:
      append(UInt8(ascii: "\""))
      Base64.append(encoding: bytes, to: &self)
      append(UInt8(ascii: "\""))
    default: appendJSON(string: bytes)
    }
  }

  private mutating func appendJSON(_ array: ArrayView, _ index: Int, _ type: DataType) {
    if array.isNull(index) { return appendJSONNull() }
    switch type {
    case .null, .struct([]): appendJSONNull()
    case .bool: appendJSON(array.bool(index))
    case .int8: appendJSON(Int64(array.fixed(index, as: Int8.self)))
    case .int16: appendJSON(Int64(array.fixed(index, as: Int16.self)))
    case .int32: appendJSON(Int64(array.fixed(index, as: Int32.self)))
    case .int64: appendJSON(array.fixed(index, as: Int64.self))
    case .uint8: appendJSON(UInt64(array.fixed(index, as: UInt8.self)))
    case .uint16: appendJSON(UInt64(array.fixed(index, as: UInt16.self)))
    case .uint32: appendJSON(UInt64(array.fixed(index, as: UInt32.self)))
    case .uint64: appendJSON(array.fixed(index, as: UInt64.self))
    case .float16: appendJSON(array.fixed(index, as: Float16.self))
    case .float32: appendJSON(array.fixed(index, as: Float.self))
    case .float64: appendJSON(array.fixed(index, as: Double.self))
    case .date:
      append(UInt8(ascii: "\""))
      CalendarText.append(days: array.fixed(index, as: Int32.self), to: &self)
      append(UInt8(ascii: "\""))
    case .timestamp(let unit, let zone):
      append(UInt8(ascii: "\""))
      CalendarText.append(timestamp: array.fixed(index, as: Int64.self), unit: unit, zone: zone, to: &self)
      append(UInt8(ascii: "\""))
    case .decimal128(_, let scale):
      DecimalText.append(array.fixed(index, as: Int128.self), scale: scale, to: &self)
    case .utf8, .json, .binary: appendJSON(bytes: array.bytes(index), type)
    case .list(let element), .fixedSizeList(let element, _):
      let (start, end) = array.range(index)
      append(UInt8(ascii: "["))
      appendElements(array.children[0], start..<end, element)
      append(UInt8(ascii: "]"))
    case .struct(let fields):
      append(UInt8(ascii: "{"))
      for (position, field) in fields.enumerated() {
        if position > 0 { append(UInt8(ascii: ",")) }
        appendJSON(string: field.name)
        append(UInt8(ascii: ":"))
        appendJSON(array.children[position], index, field.type)
      }
      append(UInt8(ascii: "}"))
    }
  }

  /// Appends the elements of a list. Numbers are many: of what type they are is looked at once.
  private mutating func appendElements(_ array: ArrayView, _ range: Range<Int>, _ type: DataType) {
    switch (type, array.validity) {
    case (.int32, nil): append(range) { $0.appendJSON(Int64(array.fixed($1, as: Int32.self))) }
    case (.int64, nil): append(range) { $0.appendJSON(array.fixed($1, as: Int64.self)) }
    case (.uint16, nil): append(range) { $0.appendJSON(UInt64(array.fixed($1, as: UInt16.self))) }
    case (.uint32, nil): append(range) { $0.appendJSON(UInt64(array.fixed($1, as: UInt32.self))) }
    case (.float32, nil): append(range) { $0.appendJSON(array.fixed($1, as: Float.self)) }
    case (.float64, nil): append(range) { $0.appendJSON(array.fixed($1, as: Double.self)) }
    default: append(range) { $0.appendJSON(array, $1, type) }
    }
  }

  @inline(__always)
  private mutating func append(_ range: Range<Int>, _ element: (inout ByteBuffer, Int) -> Void) {
    for index in range {
      if index > range.lowerBound { append(UInt8(ascii: ",")) }
      element(&self, index)
    }
  }

  /// Appends the loaded value of a row as a CSV cell: nested values as JSON, nothing where there is none.
  package mutating func appendCSV(_ cell: FieldCursor, _ row: Int) throws(DSVError) {
    if cell.isNull(row) { return }
    var text = ByteBuffer()
    switch cell.field.type {
    case .utf8:
      let slice = cell.loaded
      let index = row - slice.startRow
      guard slice.array.isBlob(index) else { return appendCSV(text: slice.array.bytes(index)) }
      let blob = try cell.blob(row)
      return blob.withUnsafeBytes { appendCSV(text: $0) }
    case .date, .timestamp, .binary, .float16, .float32, .float64:
      try text.appendJSON(cell, row)
      // Their JSON is a string without escapes, or a number.
      let isQuoted = text.bytes.first == UInt8(ascii: "\"")
      appendCSV(
        text: UnsafeRawBufferPointer(rebasing: isQuoted ? text.bytes[1..<text.count - 1] : text.bytes[...]))
    default:
      try text.appendJSON(cell, row)
      appendCSV(text: text.bytes)
    }
  }
}
