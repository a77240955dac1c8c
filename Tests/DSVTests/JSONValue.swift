import DSVRecords
import DSVTesting
import Testing

/// A JSON value as a test means it.
indirect enum JSONValue: Hashable {
  case null
  case bool(Bool)
  case int(Int64)
  case uint(UInt64)
  case double(bits: UInt64)
  /// A number that no type holds, as it is spelt.
  case big(String)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  static func double(_ value: Double) -> JSONValue { .double(bits: value.bitPattern) }

  var text: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .int(let value): "\(value)"
    case .uint(let value): "\(value)"
    case .double(let bits): "\(Double(bitPattern: bits))"
    case .big(let text): text
    case .string(let text): Self.quoted(text)
    case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let members):
      "{"
        + members.sorted { $0.key < $1.key }.map { Self.quoted($0.key) + ":" + $0.value.text }.joined(
          separator: ",")
        + "}"
    }
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// The same number in the one form that all equal numbers share: 1.0 is 1, and -0.0 is not 0.
  var normal: JSONValue {
    switch self {
    case .double(let bits):
      let value = Double(bitPattern: bits)
      return value.sign == .minus && value == 0 ? self : Int64(exactly: value).map { .int($0) } ?? self
    case .array(let values): return .array(values.map(\.normal))
    case .object(let members): return .object(members.mapValues(\.normal))
    default: return self
    }
  }
}

extension JSONValue {
  init(parsing text: String) throws {
    let parser = JSONParser()
    let bytes = Array(text.utf8) + [UInt8](repeating: 0, count: JSONParser.padding)
    self = try bytes.withUnsafeBytes { bytes in
      var cursor = EventCursor(
        try parser.parse(
          padded: UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - JSONParser.padding)])))
      return JSONValue(&cursor)
    }
  }

  private init(_ cursor: inout EventCursor) {
    let event = cursor.next()
    switch event.kind {
    case .true: self = .bool(true)
    case .false: self = .bool(false)
    case .int64: self = .int(event.int64)
    case .uint64: self = .uint(event.uint64)
    case .double: self = .double(bits: event.double.bitPattern)
    case .bigNumber: self = .big(String(decoding: cursor.spelling(event), as: UTF8.self))
    case .string: self = .string(String(decoding: event.text, as: UTF8.self))
    case .arrayBegin:
      var values: [JSONValue] = []
      while cursor.peek.kind != .arrayEnd { values.append(JSONValue(&cursor)) }
      _ = cursor.next()
      self = .array(values)
    case .objectBegin:
      var members: [String: JSONValue] = [:]
      while cursor.peek.kind != .objectEnd {
        let key = String(decoding: cursor.next().text, as: UTF8.self)
        members[key] = JSONValue(&cursor)
      }
      _ = cursor.next()
      self = .object(members)
    default: self = .null
    }
  }
}

/// What the values of one random column look like.
indirect enum ColumnShape {
  case null, bool, int, smallInt, uint, double, number, text, mixed
  case list(ColumnShape)
  case object([(String, ColumnShape)])

  static func random(_ generator: inout SeededGenerator, depth: Int = 0) -> ColumnShape {
    switch generator.below(depth < 3 ? 14 : 9) {
    case 0: return .null
    case 1: return .bool
    case 2: return .int
    case 3: return .smallInt
    case 4: return .uint
    case 5: return .double
    case 6: return .number
    case 7: return .text
    case 8: return .mixed
    case 9, 10: return .list(random(&generator, depth: depth + 1))
    default:
      let names = ["a", "b", "ä.b", "", "a b"].shuffled(using: &generator).prefix(generator.below(4))
      return .object(names.map { ($0, random(&generator, depth: depth + 1)) })
    }
  }

  /// A value; `nil` where an object is not to have the field.
  func value(_ generator: inout SeededGenerator) -> JSONValue? {
    switch generator.below(8) {
    case 0: return .null
    case 1: return nil
    default: return plainValue(&generator)
    }
  }

  private func plainValue(_ generator: inout SeededGenerator) -> JSONValue {
    switch self {
    case .null: return .null
    case .bool: return .bool(generator.oneIn(2))
    case .int:
      return .int(
        [.min, .max, 0, -1, Int64(bitPattern: generator.next())].randomElement(using: &generator) ?? 0)
    case .smallInt: return .int(Int64(generator.below(5)))
    case .uint: return .uint(generator.next() | 1 << 63)
    case .double:
      let special = [0.0, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 1e21, 0.1, -1.5, 1e-7]
      var value = Double(bitPattern: generator.next())
      if !value.isFinite || generator.oneIn(2) { value = special[generator.below(special.count)] }
      return .double(value)
    case .number:
      return generator.oneIn(2)
        ? .int(Int64(generator.below(100))) : .double(Double(generator.below(100)) / 8)
    case .text: return .string(Self.text(&generator))
    case .mixed:
      switch generator.below(7) {
      case 0: return .int(1)
      case 1: return .string("1")
      case 2:
        return .big(["123456789012345678901234567890", "1e400", "-99999999999999999999"][generator.below(3)])
      case 3: return .array([.int(1), .string("x"), .null, .object(["k": .double(-0.0)])])
      case 4: return .object(["z": .int(.min), "a": .array([])])
      case 5: return .bool(true)
      default: return .double(0.5)
      }
    case .list(let element):
      return .array((0..<generator.below(4)).map { _ in element.value(&generator) ?? .null })
    case .object(let fields):
      var members: [String: JSONValue] = [:]
      for (name, shape) in fields { if let value = shape.value(&generator) { members[name] = value } }
      return .object(members)
    }
  }

  static func text(_ generator: inout SeededGenerator) -> String {
    let pieces = [
      "", "a", "ß", "e\u{301}", "é", "👩‍👩‍👧", "\u{0}", "\n", "\"", "\\", "\u{7f}", "\u{2028}", "中文", "\u{10ffff}",
      "0", "2020-01-01", "NaN",
    ]
    return (0..<generator.below(5)).map { _ in pieces[generator.below(pieces.count)] }.joined()
  }
}

/// Random rows, all of the same few columns.
struct RandomRows {
  let rows: [JSONValue]

  init(_ count: Int, _ generator: inout SeededGenerator) {
    let columns = (0..<1 + generator.below(6)).map { ("c\($0)", ColumnShape.random(&generator)) }
    rows = (0..<count).map { _ in
      var members: [String: JSONValue] = [:]
      for (name, shape) in columns { if let value = shape.value(&generator) { members[name] = value } }
      return .object(members)
    }
  }

  var lines: [String] { rows.map(\.text) }
}
