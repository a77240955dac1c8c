import DSVFormat
import DSVRecords

/// Types of columns that are still being filled.
extension DataType {
  /// Whether `type` is this type but for places of which no value has told the type: nulls, elements of empty lists,
  /// and fields that a struct did not have.
  func isRefined(by type: DataType) -> Bool {
    switch (self, type) {
    case (.null, _): return true
    case (.list(let old), .list(let new)): return old.isRefined(by: new)
    case (.struct(let old), .struct(let new)):
      let types = Dictionary(new.map { (FieldName($0.name), $0.type) }) { first, _ in first }
      return old.allSatisfy { field in
        types[FieldName(field.name)].map { field.type.isRefined(by: $0) } ?? false
      }
    default: return self == type
    }
  }

  /// The type that the value that comes next has by itself.
  init(provisionalFor cursor: EventCursor, openType: DataType) {
    var cursor = cursor
    self.init(provisionalFor: &cursor, openType: openType)
  }

  private init(provisionalFor cursor: inout EventCursor, openType: DataType) {
    let event = cursor.peek
    switch event.kind {
    case .null: self = .null
    case .true, .false: self = .bool
    case .int64: self = .int64
    case .uint64: self = .uint64
    case .double: self = .float64
    case .string: self = .utf8
    case .objectBegin: self = .struct([])
    case .arrayBegin:
      let end = event.endIndex - 1
      _ = cursor.next()
      var element = DataType.null
      while cursor.index < end, element == .null {
        element = DataType(provisionalFor: &cursor, openType: openType)
      }
      if case .struct = element {
        self = openType
      } else {
        self = element == openType ? openType : .list(element)
      }
      cursor.index = end + 1
      return
    default: self = openType
    }
    cursor.skip()
  }
}
