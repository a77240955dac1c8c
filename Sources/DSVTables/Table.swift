package import DSVColumns
package import DSVFormat

/// Why rows of a table are not live: one entry for each rule of each stage that dropped some.
package struct DropReason: Hashable, Sendable {
  /// The stage, and what it ran with: `quality`, `upsert`.
  package var stage: String
  /// Whose thresholds: `fineweb@datatrove-0.10`; empty where a stage has none.
  package var profile: String
  package var rule: String
  /// The signal column that the rule looked at, if it looked at one: its value at a dropped row is why.
  package var signal: String
  /// What the rule demanded, for people: `<= 0.3`.
  package var condition: String

  /// How many a table may have: each has a code of its own, and 0 is none's.
  package static let countMax = Int(UInt16.max)

  package init(stage: String, profile: String = "", rule: String, signal: String = "", condition: String = "")
  {
    (self.stage, self.profile, self.rule, self.signal, self.condition) = (
      stage, profile, rule, signal, condition
    )
  }
}

/// A named, ordered list of rows with a schema, as it is stored.
package struct Table: Equatable, Sendable {
  package var name: String
  package var fields: [TableField]
  /// Stored rows, live or not.
  package var rowCount: Int
  /// The dotted names of the fields that identify a row; empty where there is no key.
  package var key: [String] = []
  /// A uint16 column: 0 for a live row, else one more than the index in `reasons` of why it is not. `nil`: all live.
  package var selection: ColumnRoot?
  package var reasons: [DropReason] = []
  package var liveCount: Int

  package init(name: String, fields: [TableField], rowCount: Int) {
    self.name = name
    self.fields = fields
    self.rowCount = rowCount
    liveCount = rowCount
  }

  package static let defaultName = "data"
  static let selectionLayout = Layout.fixed(2)

  package var schema: [Field] { fields.map(\.field) }

  /// Puts a field in the place of the one of its name, or after all others.
  package mutating func put(_ field: TableField) {
    if let index = fields.firstIndex(where: { $0.name.hasSameBytes(as: field.name) }) {
      fields[index] = field
    } else {
      fields.append(field)
    }
  }

  /// Every column of the table, the selection's among them.
  package var columns: [ColumnRoot] { fields.flatMap(\.columns) + (selection.map { [$0] } ?? []) }

  /// The field with a dotted name. A field whose own name contains dots is found too.
  package func field(_ path: String) -> TableField? { Self.find(path, in: fields) }

  private static func find(_ path: String, in fields: [TableField]) -> TableField? {
    if let field = fields.first(where: { $0.name.hasSameBytes(as: path) }) { return field }
    for field in fields where path.utf8.starts(with: (field.name + ".").utf8) {
      let rest = String(decoding: path.utf8.dropFirst(field.name.utf8.count + 1), as: UTF8.self)
      if let found = find(rest, in: field.children) { return found }
    }
    return nil
  }
}

extension Table {
  package func write(to writer: inout ByteWriter) {
    writer.write(name)
    writer.writeVarint(rowCount)
    writer.writeVarint(liveCount)
    writer.writeVarint(key.count)
    for part in key { writer.write(part) }
    writer.writeVarint(fields.count)
    for field in fields { field.write(to: &writer) }
    writer.write(UInt8(selection == nil ? 0 : 1))
    guard let selection else { return }
    selection.write(to: &writer)
    writer.writeVarint(reasons.count)
    for reason in reasons {
      for text in [reason.stage, reason.profile, reason.rule, reason.signal, reason.condition] {
        writer.write(text)
      }
    }
  }

  package init(from reader: inout ByteReader) throws(DSVError) {
    name = try reader.readString()
    rowCount = try reader.readVarint()
    liveCount = try reader.readVarint()
    guard rowCount <= TreeEntry.rowCountMax else { throw reader.corrupt("\(rowCount) rows") }
    guard liveCount <= rowCount else { throw reader.corrupt("more live rows than rows") }
    for _ in 0..<(try reader.readCount(unitByteCount: 1)) { key.append(try reader.readString()) }
    fields = []
    for _ in 0..<(try reader.readCount(unitByteCount: 6)) {
      fields.append(try TableField(from: &reader, rowCount: rowCount))
    }
    guard TableField.areDistinct(fields) else { throw reader.corrupt("table \(name) names a field twice") }
    switch try reader.read(UInt8.self) {
    case 0:
      guard liveCount == rowCount else { throw reader.corrupt("rows are not live without a selection") }
      return
    case 1: break
    case let other: throw reader.unsupported("a selection of kind \(other)")
    }
    let selection = try ColumnRoot(from: &reader)
    guard selection.rowCount == rowCount, selection.nullCount == 0, liveCount < rowCount else {
      throw reader.corrupt("a selection's length")
    }
    self.selection = selection
    for _ in 0..<(try reader.readCount(unitByteCount: 5)) {
      reasons.append(
        DropReason(
          stage: try reader.readString(), profile: try reader.readString(), rule: try reader.readString(),
          signal: try reader.readString(), condition: try reader.readString()))
    }
    guard (1...DropReason.countMax).contains(reasons.count), Set(reasons).count == reasons.count else {
      throw reader.corrupt("\(reasons.count) reasons")
    }
  }
}
