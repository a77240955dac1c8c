package import DSVFormat

/// Reads what `--schema` names: the fields of a table, as JSON.
///
/// Either in full, `{"fields": [{"name": "id", "type": "int32", "nullable": false, "metadata": {"unit":
/// "m"}}, …]}`, or in short, `{"id": "int32!", "text": "utf8"}`, where `!` means not nullable. A field is
/// nullable unless it says otherwise; types are written as ``DataType/description`` writes them.
package enum SchemaFile {
  /// - Parameter source: the file's name, for messages.
  package static func read(_ text: [UInt8], source: String) throws(DSVError) -> [Field] {
    let padded = text + [UInt8](repeating: 0, count: JSONParser.padding)
    let parser = JSONParser()
    let fields = padded.withUnsafeBytes { bytes -> Result<[Field], DSVError> in
      do throws(DSVError) {
        return .success(try read(parser, UnsafeRawBufferPointer(rebasing: bytes[..<text.count]), source))
      } catch {
        return .failure(error)
      }
    }
    return try fields.get()
  }

  private static func read(
    _ parser: JSONParser, _ text: UnsafeRawBufferPointer, _ source: String
  ) throws(DSVError) -> [Field] {
    var reader: SchemaReader
    do throws(JSONParser.Failure) {
      reader = SchemaReader(EventCursor(try parser.parse(padded: text)), source)
    } catch {
      throw DSVError(
        .badInput, "\(TerminalText.escaped(source)): \(error.reason.message), at byte \(error.offset + 1)")
    }
    // The events lie in the parser.
    let fields = try withExtendedLifetime(parser) { () throws(DSVError) in try reader.readFields() }
    guard !fields.isEmpty else { throw reader.failure("it has no fields") }
    guard Set(fields.map { FieldName($0.name) }).count == fields.count else {
      throw reader.failure("it names a field twice")
    }
    return fields
  }
}

private struct SchemaReader {
  private var cursor: EventCursor
  private let source: String

  init(_ cursor: EventCursor, _ source: String) {
    self.cursor = cursor
    self.source = source
  }

  func failure(_ what: String) -> DSVError {
    DSVError(.badInput, "the schema \(TerminalText.escaped(source)): \(what)")
  }

  mutating func readFields() throws(DSVError) -> [Field] {
    guard cursor.next().kind == .objectBegin else { throw failure("it is not a JSON object") }
    var fields: [Field] = []
    while cursor.peek.kind == .key {
      let key = string(cursor.next())
      switch cursor.peek.kind {
      case .arrayBegin where key == "fields": fields += try readList()
      case .string: fields.append(try shortField(key, string(cursor.next())))
      default: throw failure("\(quoted(key)) is neither a type nor the list \"fields\"")
      }
    }
    return fields
  }

  private mutating func readList() throws(DSVError) -> [Field] {
    var fields: [Field] = []
    _ = cursor.next()
    while cursor.peek.kind != .arrayEnd {
      guard cursor.next().kind == .objectBegin else {
        throw failure("field \(fields.count + 1) is not an object")
      }
      fields.append(try readField(number: fields.count + 1))
    }
    _ = cursor.next()
    return fields
  }

  private mutating func readField(number: Int) throws(DSVError) -> Field {
    var name: String?
    var type: DataType?
    var field = Field("", .null)
    while cursor.peek.kind == .key {
      let key = string(cursor.next())
      let value = cursor.next()
      switch (key, value.kind) {
      case ("name", .string): name = string(value)
      case ("type", .string): type = try parsedType(string(value), "field \(number)")
      case ("nullable", .true), ("nullable", .false): field.isNullable = value.kind == .true
      case ("signal", .true), ("signal", .false): field.isSignal = value.kind == .true
      case ("metadata", .objectBegin): field.metadata = try readMetadata(number)
      case ("name", _), ("type", _): throw failure("the \(key) of field \(number) is not a string")
      case ("nullable", _), ("signal", _):
        throw failure("\(quoted(key)) of field \(number) is not true or false")
      default: throw failure("field \(number) has \(quoted(key)), which says nothing here")
      }
    }
    _ = cursor.next()
    guard let name, !name.isEmpty else { throw failure("field \(number) has no name") }
    guard let type else { throw failure("field \(number) has no type") }
    field.name = name
    field.type = type
    return field
  }

  private mutating func readMetadata(_ number: Int) throws(DSVError) -> [String: String] {
    var metadata: [String: String] = [:]
    while cursor.peek.kind == .key {
      let key = string(cursor.next())
      let value = cursor.next()
      guard value.kind == .string else {
        throw failure("the metadata of field \(number) are not all strings")
      }
      metadata[key] = string(value)
    }
    _ = cursor.next()
    return metadata
  }

  private func shortField(_ name: String, _ type: String) throws(DSVError) -> Field {
    guard !name.isEmpty else { throw failure("a field has no name") }
    let isRequired = type.hasSuffix("!")
    let text = isRequired ? String(type.dropLast()) : type
    return Field(name, try parsedType(text, "field \(quoted(name))"), isNullable: !isRequired)
  }

  private func parsedType(_ text: String, _ what: String) throws(DSVError) -> DataType {
    do throws(DSVError) {
      return try DataType(parsing: text)
    } catch {
      throw DSVError(error.code, failure("\(what): \(error.message)").message)
    }
  }

  private func string(_ event: Event) -> String { String(decoding: event.text, as: UTF8.self) }

  private func quoted(_ name: String) -> String { "\"\(TerminalText.escaped(name))\"" }
}
