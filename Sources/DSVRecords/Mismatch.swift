package import DSVFormat

/// A value that its field's type cannot hold.
package enum Mismatch {
  /// The sentence for it, without the value: `wanted int8, found string`, `wanted int8, found an integer that
  /// does not fit`, `wanted date, found a string that is none`.
  package static func message(wanted: DataType, found: Event) -> String {
    "wanted \(wanted), found \(describe(found, for: wanted))"
  }

  private static func describe(_ event: Event, for wanted: DataType) -> String {
    let isNumber = (EventKind.int64.rawValue...EventKind.bigNumber.rawValue).contains(event.kind.rawValue)
    switch wanted {
    case .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64, .float16, .float32, .float64,
      .decimal128:
      if isNumber { return "\(event.kind.article) \(event.kind.noun) that does not fit" }
      if event.kind == .string, case .decimal128 = wanted { return "a string that is none or does not fit" }
    case .date, .binary, .timestamp:
      if event.kind == .string { return "a string that is none" }
    default: break
    }
    return event.kind.noun
  }
}

extension EventKind {
  fileprivate var article: String { self == .int64 || self == .uint64 ? "an" : "a" }
}
