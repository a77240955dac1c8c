extension DataType {
  /// Reads the text form that ``description`` writes. White space around names and signs does not matter.
  ///
  /// A struct's field is nullable unless `!` follows its type. A field's name runs up to the colon, and may
  /// be in double quotes, with `\"` and `\\` inside, if it holds `:`, `,`, `<` or `>`.
  public init(parsing text: String) throws(DSVError) {
    var parser = DataTypeParser(text)
    self = try parser.parseType(depth: 0)
    try parser.finish()
  }
}

extension Field {
  /// The name as a struct's text form has it: in quotes only where it must be.
  var quotedName: String {
    let needsQuotes =
      name.isEmpty || name.first == " " || name.last == " " || name.first == "\t"
      || name.utf8.contains { ":,<>\"\\".utf8.contains($0) }
    guard needsQuotes else { return name }
    let escaped = name.unicodeScalars.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined()
    return "\"\(escaped)\""
  }
}

/// Reads a type's text form from left to right.
private struct DataTypeParser {
  private static let maxDepth = 64
  private let text: [UInt8]
  private var position = 0

  init(_ text: String) { self.text = Array(text.utf8) }

  mutating func parseType(depth: Int) throws(DSVError) -> DataType {
    guard depth < Self.maxDepth else { throw failure("is nested deeper than \(Self.maxDepth) levels") }
    let start = position
    let name = parseWord()
    switch name {
    case "list":
      try expect("<")
      let element = try parseType(depth: depth + 1)
      try expect(">")
      return .list(element)
    case "fixed_size_list":
      try expect("<")
      let element = try parseType(depth: depth + 1)
      try expect(",")
      let count = try parseInteger(1...Int(Int32.max), "a list's count")
      try expect(">")
      return .fixedSizeList(element, count: count)
    case "struct": return .struct(try parseFields(depth: depth + 1))
    case "timestamp": return try parseTimestamp()
    case "decimal128": return try parseDecimal()
    default:
      guard let type = Self.plainTypes[name] else {
        position = start
        throw failure(name.isEmpty ? "has no type" : "has an unknown type")
      }
      return type
    }
  }

  mutating func finish() throws(DSVError) {
    skipSpace()
    if position < text.count { throw failure("goes on after its end") }
  }

  private static let plainTypes: [String: DataType] = {
    let types: [DataType] = [
      .null, .bool, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64, .float16, .float32,
      .float64, .utf8, .binary, .json, .date,
    ]
    return Dictionary(uniqueKeysWithValues: types.map { ($0.description, $0) })
  }()

  private mutating func parseFields(depth: Int) throws(DSVError) -> [Field] {
    try expect("<")
    var fields: [Field] = []
    if accept(">") { return fields }
    repeat {
      let name = try parseFieldName()
      try expect(":")
      let type = try parseType(depth: depth)
      if fields.contains(where: { $0.name == name }) { throw failure("names a field twice") }
      fields.append(Field(name, type, isNullable: !accept("!")))
    } while accept(",")
    try expect(">")
    return fields
  }

  private mutating func parseFieldName() throws(DSVError) -> String {
    skipSpace()
    var name: [UInt8] = []
    if accept("\"") {
      while true {
        guard position < text.count else { throw failure("has a quoted name that is not closed") }
        var byte = text[position]
        position += 1
        if byte == UInt8(ascii: "\"") { return String(decoding: name, as: UTF8.self) }
        if byte == UInt8(ascii: "\\"), position < text.count {
          byte = text[position]
          position += 1
        }
        name.append(byte)
      }
    }
    while position < text.count, !":,<>".utf8.contains(text[position]) {
      name.append(text[position])
      position += 1
    }
    while name.last == UInt8(ascii: " ") { name.removeLast() }
    guard !name.isEmpty else { throw failure("has a field without a name") }
    return String(decoding: name, as: UTF8.self)
  }

  private mutating func parseTimestamp() throws(DSVError) -> DataType {
    try expect("[")
    guard let unit = DataType.TimeUnit(rawValue: parseWord()) else {
      throw failure("has a time unit that is none of s, ms, us, ns")
    }
    guard accept(",") else {
      try expect("]")
      return .timestamp(unit, zone: nil)
    }
    skipSpace()
    var zone: [UInt8] = []
    while position < text.count, text[position] != UInt8(ascii: "]") {
      zone.append(text[position])
      position += 1
    }
    while zone.last == UInt8(ascii: " ") { zone.removeLast() }
    guard !zone.isEmpty else { throw failure("has an empty time zone") }
    try expect("]")
    return .timestamp(unit, zone: String(decoding: zone, as: UTF8.self))
  }

  private mutating func parseDecimal() throws(DSVError) -> DataType {
    try expect("(")
    let precision = try parseInteger(1...38, "a decimal's precision")
    try expect(",")
    let scale = try parseInteger(-38...38, "a decimal's scale")
    try expect(")")
    return .decimal128(precision: precision, scale: scale)
  }

  private mutating func parseInteger(_ range: ClosedRange<Int>, _ what: String) throws(DSVError) -> Int {
    skipSpace()
    let start = position
    if position < text.count, text[position] == UInt8(ascii: "-") { position += 1 }
    while position < text.count, (0x30...0x39).contains(text[position]) { position += 1 }
    guard let value = Int(String(decoding: text[start..<position], as: UTF8.self)), range.contains(value)
    else {
      position = start
      throw failure("wants \(what) of \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  private mutating func parseWord() -> String {
    skipSpace()
    let start = position
    while position < text.count {
      let byte = text[position]
      let isLetter = (0x61...0x7a).contains(byte) || byte == UInt8(ascii: "_")
      guard isLetter || (0x30...0x39).contains(byte) else { break }
      position += 1
    }
    return String(decoding: text[start..<position], as: UTF8.self)
  }

  private mutating func accept(_ sign: Unicode.Scalar) -> Bool {
    skipSpace()
    guard position < text.count, text[position] == UInt8(ascii: sign) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ sign: Unicode.Scalar) throws(DSVError) {
    if !accept(sign) { throw failure("wants \"\(sign)\"") }
  }

  private mutating func skipSpace() {
    while position < text.count, text[position] == 0x20 || text[position] == 0x09 { position += 1 }
  }

  private func failure(_ what: String) -> DSVError {
    DSVError(.badInput, "the type \(what), at character \(position + 1)")
  }
}
