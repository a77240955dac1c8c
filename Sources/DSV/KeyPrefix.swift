import DSVColumns
import DSVFormat
import DSVStore
import DSVTables

/// Names what the first rows of some columns hold, from a few nodes and a chunk of each: two tables have the same name
/// for it if they agree in these rows, whatever follows. Normative text: `format-spec/keys.md`.
struct KeyPrefix {
  let fields: [TableField]
  let secret: KeySecret
  let reader: ObjectReader

  /// Tells one table's keys from another's; the same for all versions of a table that begin with the same key.
  func family() throws(DSVError) -> UInt64 {
    var writer = ByteWriter()
    writer.write("family")
    for field in fields {
      writer.write(field.type.description)
      try descend(field, to: 1) { _ in
      } leaf: { (chunk, _) throws(DSVError) in
        writer.write(try name(of: chunk, first: 1))
      }
    }
    return secret.name(writer.bytes).w0
  }

  func name(ofRows rowCount: Int) throws(DSVError) -> AnyID {
    if rowCount == 0 { return Self.none }
    var writer = ByteWriter()
    writer.write("prefix")
    writer.writeVarint(rowCount)
    for field in fields {
      writer.write(field.type.description)
      try descend(field, to: rowCount) {
        writer.write($0)
      } leaf: { (chunk, startRow) throws(DSVError) in
        writer.writeVarint(rowCount - startRow)
        writer.write(try name(of: chunk, first: rowCount - startRow))
      }
    }
    return secret.name(writer.bytes)
  }

  static let none = AnyID(0, 0, 0, 0)

  /// Goes from the root to the chunk with the last of the first `rowCount` rows; `left` gets what is before it.
  private func descend(
    _ field: TableField, to rowCount: Int, left: (ColumnID) -> Void,
    leaf: (Chunk, _ startRow: Int) throws(DSVError) -> Void
  ) throws(DSVError) {
    guard case .object(let id, var level) = field.values.place else {
      guard let chunk = try reader.inlineChunk(field.values), chunk.array.layout == field.type.layout,
        rowCount <= chunk.count
      else { throw DSVError(.corrupt, "column \(field.name): it has not the rows that it says") }
      return try leaf(chunk, 0)
    }
    var (entry, startRow) = (field.values.entry(id), 0)
    while level > 0 {
      for child in try reader.node(entry, level: level).children {
        entry = child
        if startRow + child.rowCount >= rowCount { break }
        left(child.id)
        startRow += child.rowCount
      }
      level -= 1
    }
    let chunk = try reader.chunk(entry.id)
    guard chunk.array.layout == field.type.layout, chunk.count == entry.rowCount, rowCount > startRow,
      rowCount - startRow <= chunk.count
    else { throw DSVError(.corrupt, "chunk \(entry.id): it is not what its column says of it") }
    try leaf(chunk, startRow)
  }

  /// The ID of a chunk of the first values of one.
  private func name(of chunk: Chunk, first count: Int) throws(DSVError) -> ColumnID {
    if count == chunk.count { return chunk.id(reader.naming) }
    let builder = ArrayBuilder(chunk.array.layout)
    for index in 0..<count { builder.append(from: chunk.array, index) }
    let plain = GrowingBytes(capacity: chunk.plainBytes.count)
    builder.writePlain(to: plain)
    return try Chunk(taking: plain, of: "a part of a chunk").id(reader.naming)
  }
}
