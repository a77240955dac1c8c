import DSVTransforms

/// A JSON value that keeps the order of its members.
indirect enum JSON {
  case null
  case bool(Bool)
  case int(Int)
  case double(Double)
  case text(String)
  case array([JSON])
  case object([(String, JSON)])
  /// JSON already.
  case raw(String)

  var text: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .int(let value): String(value)
    case .double(let value): value.isFinite ? "\(value)" : "null"
    case .text(let value): JSONText.quoted(value)
    case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { JSONText.quoted($0.0) + ":" + $0.1.text }.joined(separator: ",") + "}"
    case .raw(let value): value
    }
  }

  static func optional(_ value: String?) -> JSON { value.map { .text($0) } ?? .null }
  static func counts(_ values: [String: Int]) -> JSON {
    .object(values.sorted { $0.key < $1.key }.map { ($0.key, .int($0.value)) })
  }
}
