import DSV
import DSVColumns
import DSVTables

/// A value of a column as a test means it: enough to tell equal from different.
indirect enum ScannedValue: Equatable {
  case null, missing, present
  case bytes([UInt8])
  case list([ScannedValue])

  /// Value `index` of a batch's column, by its public face.
  init(_ column: Batch.Column, _ index: Int) {
    if column.isNull(index) {
      self = column.isMissing(index) ? .missing : .null
      return
    }
    switch column.field.type {
    case .null: self = .null
    case .bool: self = .bytes([column.bool(index) ? 1 : 0])
    case .utf8, .json, .binary:
      self = .bytes(column.withBytes(index) { span in span.indices.map { span[$0] } })
    case .list:
      let (start, end) = column.withOffsets { (Int($0[index]), Int($0[index + 1])) }
      self = .list((start..<end).map { ScannedValue(column.children[0], $0) })
    case .fixedSizeList(_, let count):
      self = .list((index * count..<(index + 1) * count).map { ScannedValue(column.children[0], $0) })
    case .struct: self = .list(column.children.map { ScannedValue($0, index) })
    case .int8, .uint8: self = Self.fixed(column, index, UInt8.self)
    case .int16, .uint16, .float16: self = Self.fixed(column, index, UInt16.self)
    case .int32, .uint32, .float32, .date: self = Self.fixed(column, index, UInt32.self)
    case .int64, .uint64, .float64, .timestamp: self = Self.fixed(column, index, UInt64.self)
    case .decimal128: self = Self.fixed(column, index, UInt128.self)
    }
  }

  private static func fixed<T: BitwiseCopyable>(_ column: Batch.Column, _ index: Int, _: T.Type) -> Self {
    column.withValues(as: T.self) { values in withUnsafeBytes(of: values[index]) { .bytes(Array($0)) } }
  }

  /// The value of a row that a cursor has loaded, as it is stored.
  init(_ cursor: FieldCursor, _ row: Int, tellsMissing: Bool) throws {
    let index = row - cursor.loaded.startRow
    if cursor.field.type == .null || cursor.isNull(row) {
      self = try tellsMissing && cursor.isMissing(row) ? .missing : .null
    } else if case .struct = cursor.field.type {
      self = .list(try cursor.children.map { try ScannedValue($0, row, tellsMissing: tellsMissing) })
    } else if cursor.loaded.array.isBlob(index) {
      self = .bytes(try cursor.blob(row))
    } else {
      self = Self(cursor.loaded.array, index)
    }
  }

  private init(_ array: ArrayView, _ index: Int) {
    if array.isNull(index) {
      self = .null
      return
    }
    switch array.layout {
    case .none: self = .null
    case .bool: self = .bytes([array.bool(index) ? 1 : 0])
    case .fixed(let width):
      self = .bytes((0..<width).map { array.fixed(index * width + $0, as: UInt8.self) })
    case .bytes: self = .bytes(Array(array.bytes(index)))
    case .list, .fixedSizeList:
      let (start, end) = array.range(index)
      self = .list((start..<end).map { Self(array.children[0], $0) })
    case .struct: self = .list(array.children.map { Self($0, index) })
    }
  }
}
