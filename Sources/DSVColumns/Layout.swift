package import DSVFormat

/// How a column's values lie in memory and in the plain form of a chunk: Arrow's layouts, without logical types.
///
/// Types that share a layout share chunks: an `int64` and a `timestamp` of equal bits have equal IDs.
package indirect enum Layout: Hashable, Sendable {
  /// No value at all, only present or null: a struct's own column, and a column that held only nulls.
  case none
  case bool
  /// 1, 2, 4, 8 or 16 bytes a value.
  case fixed(Int)
  /// Any number of bytes a value.
  case bytes
  case list(Layout)
  case fixedSizeList(Layout, count: Int)
  /// A struct inside a list. A struct that is not in a list is columns of their own instead.
  case `struct`([Layout])

  /// The code that stands in a chunk.
  package var code: UInt8 {
    switch self {
    case .none: 0
    case .bool: 1
    case .fixed(1): 2
    case .fixed(2): 3
    case .fixed(4): 4
    case .fixed(8): 5
    case .fixed: 6
    case .bytes: 7
    case .list: 8
    case .fixedSizeList: 9
    case .struct: 10
    }
  }

  /// The width in bytes of a fixed layout's code, `nil` for other codes.
  package static func width(code: UInt8) -> Int? {
    (2...6).contains(code) ? 1 << (Int(code) - 2) : nil
  }
}

extension DataType {
  /// How values of this type lie in their column.
  package var layout: Layout {
    switch self {
    case .null: .none
    case .bool: .bool
    case .int8, .uint8: .fixed(1)
    case .int16, .uint16, .float16: .fixed(2)
    case .int32, .uint32, .float32, .date: .fixed(4)
    case .int64, .uint64, .float64, .timestamp: .fixed(8)
    case .decimal128: .fixed(16)
    case .utf8, .binary, .json: .bytes
    case .list(let element): .list(element.nestedLayout)
    case .fixedSizeList(let element, let count): .fixedSizeList(element.nestedLayout, count: count)
    case .struct: .none
    }
  }

  /// How values of this type lie inside a list.
  private var nestedLayout: Layout {
    if case .struct(let fields) = self { .struct(fields.map(\.type.nestedLayout)) } else { layout }
  }
}
