package import DSVColumns
package import DSVFormat

/// A field of a stored table, with the columns that hold its values.
package struct TableField: Equatable, Sendable {
  /// What a slot without a value means.
  package enum Absence: Equatable, Sendable {
    /// Every one is null.
    case null
    /// In every one the row did not have the field.
    case missing
    /// Some are the one, some the other: a bool column with one value for each slot without a value, in their order;
    /// true is missing.
    case mixed(ColumnRoot)
  }

  package var name: String
  /// Of a struct: `.struct([])`; its fields are `children`.
  package var type: DataType
  package var isNullable = true
  package var isSignal = false
  package var metadata: [String: String] = [:]
  package var absence: Absence = .null
  package var values: ColumnRoot
  package var children: [TableField] = []

  package init(name: String, type: DataType, values: ColumnRoot) {
    self.name = name
    self.type = type
    self.values = values
  }

  package static func == (a: Self, b: Self) -> Bool {
    a.field == b.field && a.absence == b.absence && a.values == b.values && a.children == b.children
  }

  /// The field as a schema names it.
  package var field: Field {
    let type: DataType = if case .struct = type { .struct(children.map(\.field)) } else { type }
    return Field(name, type, isNullable: isNullable, isSignal: isSignal, metadata: metadata)
  }

  /// Every column of the field and of the fields below it.
  package var columns: [ColumnRoot] {
    var result = [values]
    if case .mixed(let root) = absence { result.append(root) }
    return result + children.flatMap(\.columns)
  }
}

extension TableField {
  package func write(to writer: inout ByteWriter) {
    writer.write(name)
    if case .struct = type { writer.write("struct") } else { writer.write(type.description) }
    writer.write(UInt8(isNullable ? 1 : 0) | (isSignal ? 2 : 0))
    writer.writeVarint(metadata.count)
    for (key, value) in metadata.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
      writer.write(key)
      writer.write(value)
    }
    values.write(to: &writer)
    switch absence {
    case .null: writer.write(UInt8(0))
    case .missing: writer.write(UInt8(1))
    case .mixed(let root):
      writer.write(UInt8(2))
      root.write(to: &writer)
    }
    writer.writeVarint(children.count)
    for child in children { child.write(to: &writer) }
  }

  package static let depthMax = 32

  package init(from reader: inout ByteReader, rowCount: Int, depth: Int = 0) throws(DSVError) {
    guard depth < Self.depthMax else { throw reader.corrupt("structs are nested too deeply") }
    name = try reader.readString()
    let typeText = try reader.readString()
    if typeText == "struct" {
      type = .struct([])
    } else {
      do throws(DSVError) { type = try DataType(parsing: typeText) } catch {
        throw DSVError(.unsupportedFormat, "field \(name): type \(typeText) is not known to this dsv")
      }
      guard type.description.utf8.elementsEqual(typeText.utf8), type.layout != .none || type == .null else {
        throw reader.corrupt("field \(name): type \(typeText) is not spelt as it must be")
      }
    }
    let flags = try reader.read(UInt8.self)
    guard flags & ~3 == 0 else { throw reader.unsupported("a flag that is not known") }
    (isNullable, isSignal) = (flags & 1 == 1, flags & 2 == 2)
    metadata = try Self.readMetadata(from: &reader)
    values = try ColumnRoot(from: &reader)
    switch try reader.read(UInt8.self) {
    case 0: absence = .null
    case 1: absence = .missing
    case 2:
      let root = try ColumnRoot(from: &reader)
      guard root.rowCount == values.nullCount, root.nullCount == 0 else {
        throw reader.corrupt("an absence column's length")
      }
      absence = .mixed(root)
    case let other: throw reader.unsupported("an absence of kind \(other)")
    }
    guard absence == .null || values.nullCount > 0 else {
      throw reader.corrupt("an absence where nothing is absent")
    }
    guard values.rowCount == rowCount else {
      throw reader.corrupt("field \(name) has \(values.rowCount) rows, its table \(rowCount)")
    }
    for _ in 0..<(try reader.readCount(unitByteCount: 6)) {
      children.append(try TableField(from: &reader, rowCount: rowCount, depth: depth + 1))
    }
    guard children.isEmpty || type == .struct([]) else { throw reader.corrupt("field \(name) is no struct") }
    guard Self.areDistinct(children) else { throw reader.corrupt("field \(name) names a field twice") }
  }

  static func areDistinct(_ fields: [TableField]) -> Bool {
    Set(fields.map { FieldName($0.name) }).count == fields.count
  }

  private static func readMetadata(from reader: inout ByteReader) throws(DSVError) -> [String: String] {
    var metadata: [String: String] = [:]
    var last: String?
    for _ in 0..<(try reader.readCount(unitByteCount: 2)) {
      let key = try reader.readString()
      if let last, !last.utf8.lexicographicallyPrecedes(key.utf8) {
        throw reader.corrupt("metadata out of order")
      }
      metadata[key] = try reader.readString()
      last = key
    }
    return metadata
  }
}
