/// The type of a field, as in Arrow.
///
/// The text form (``description``) is what schemas, messages and `--schema` files use: `int64`,
/// `list<int32>`, `fixed_size_list<float32, 768>`, `timestamp[us, UTC]`, `decimal128(38, 9)`,
/// `struct<a: int64, b: utf8!>`, where `!` says that every value of the struct has it.
public indirect enum DataType: Hashable, Sendable {
  /// No value but null has been seen.
  case null
  case bool
  case int8, int16, int32, int64
  case uint8, uint16, uint32, uint64
  case float16, float32, float64
  case utf8
  case binary
  /// Any JSON value, as canonical text: for mixed values, open-keyed objects, numbers that fit no type.
  case json
  /// Days since 1970-01-01.
  case date
  /// A point in time counted in `unit` since 1970-01-01 00:00 UTC, shown in `zone` if there is one.
  case timestamp(TimeUnit, zone: String?)
  /// An integer of 128 bits, scaled by 10 to the power of `-scale`.
  case decimal128(precision: Int, scale: Int)
  case list(DataType)
  case fixedSizeList(DataType, count: Int)
  case `struct`([Field])

  public enum TimeUnit: String, Hashable, Sendable, CaseIterable {
    case second = "s"
    case millisecond = "ms"
    case microsecond = "us"
    case nanosecond = "ns"
  }
}

/// A named, typed place in a table's rows or in a struct.
public struct Field: Hashable, Sendable {
  public var name: String
  public var type: DataType
  /// Whether a row may have no value here.
  public var isNullable: Bool
  /// Whether a transform computed it about the row. Signals are left out of an export unless asked for.
  public var isSignal: Bool
  /// Free text by key: a media type, a unit.
  public var metadata: [String: String]

  public init(
    _ name: String, _ type: DataType, isNullable: Bool = true, isSignal: Bool = false,
    metadata: [String: String] = [:]
  ) {
    self.name = name
    self.type = type
    self.isNullable = isNullable
    self.isSignal = isSignal
    self.metadata = metadata
  }

  /// Names are compared by their bytes: see `FieldName`.
  public static func == (a: Self, b: Self) -> Bool {
    a.name.hasSameBytes(as: b.name) && a.type == b.type && a.isNullable == b.isNullable
      && a.isSignal == b.isSignal && a.metadata == b.metadata
  }
}

extension DataType: CustomStringConvertible {
  public var description: String {
    switch self {
    case .null: "null"
    case .bool: "bool"
    case .int8: "int8"
    case .int16: "int16"
    case .int32: "int32"
    case .int64: "int64"
    case .uint8: "uint8"
    case .uint16: "uint16"
    case .uint32: "uint32"
    case .uint64: "uint64"
    case .float16: "float16"
    case .float32: "float32"
    case .float64: "float64"
    case .utf8: "utf8"
    case .binary: "binary"
    case .json: "json"
    case .date: "date"
    case .timestamp(let unit, nil): "timestamp[\(unit.rawValue)]"
    case .timestamp(let unit, let zone?): "timestamp[\(unit.rawValue), \(zone)]"
    case .decimal128(let precision, let scale): "decimal128(\(precision), \(scale))"
    case .list(let element): "list<\(element)>"
    case .fixedSizeList(let element, let count): "fixed_size_list<\(element), \(count)>"
    case .struct(let fields):
      "struct<\(fields.map { "\($0.quotedName): \($0.type)\($0.isNullable ? "" : "!")" }.joined(separator: ", "))>"
    }
  }
}
