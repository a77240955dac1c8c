public import DSVFormat
import DSVTables

/// How a column differs between two versions of a table.
public struct SchemaChange: Hashable, Sendable {
  public enum Operation: String, Sendable {
    case add, drop, retype
  }
  public let operation: Operation
  /// The column's dotted name.
  public let column: String
  /// Its type before, and after; `nil` where there was or is none.
  public let from: DataType?
  public let to: DataType?
}

/// A field that holds values itself, with its dotted name: what cells are compared by.
struct LeafField {
  let path: String
  /// Without children.
  let field: TableField

  static func all(_ fields: [TableField], prefix: String = "") -> [LeafField] {
    fields.flatMap { field in
      var own = field
      own.children = []
      return [LeafField(path: prefix + field.name, field: own)]
        + all(field.children, prefix: prefix + field.name + ".")
    }
  }
}

extension SchemaChange {
  static func between(_ a: [LeafField], _ b: [LeafField]) -> [SchemaChange] {
    let typesA = Dictionary(a.map { ($0.path, $0.field.type) }) { first, _ in first }
    let typesB = Dictionary(b.map { ($0.path, $0.field.type) }) { first, _ in first }
    var changes: [SchemaChange] = []
    for leaf in a {
      let now = typesB[leaf.path]
      if now == leaf.field.type { continue }
      changes.append(
        SchemaChange(
          operation: now == nil ? .drop : .retype, column: leaf.path, from: leaf.field.type, to: now))
    }
    for leaf in b where typesA[leaf.path] == nil {
      changes.append(SchemaChange(operation: .add, column: leaf.path, from: nil, to: leaf.field.type))
    }
    return changes
  }
}
