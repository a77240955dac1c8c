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

/// A field that holds values itself, with its names from the outermost: what cells are compared by.
struct LeafField {
  let path: [FieldName]
  /// Without children.
  let field: TableField
  /// Whether it is a signal, or inside one.
  let isSignal: Bool

  /// The dotted name.
  var name: String { path.map(\.text).joined(separator: ".") }

  static func all(_ fields: [TableField], under path: [FieldName] = [], isSignal: Bool = false) -> [LeafField]
  {
    fields.flatMap { field in
      var own = field
      own.children = []
      let isSignal = isSignal || field.isSignal
      let ownPath = path + [FieldName(field.name)]
      return [LeafField(path: ownPath, field: own, isSignal: isSignal)]
        + all(field.children, under: ownPath, isSignal: isSignal)
    }
  }
}

extension SchemaChange {
  /// What changed from fields `a` to fields `b`. A struct that came or went is one change, whatever it holds.
  static func between(_ a: [Field], _ b: [Field], prefix: String = "") -> [SchemaChange] {
    let before = Set(a.map { FieldName($0.name) })
    let after = Dictionary(b.map { (FieldName($0.name), $0.type) }) { first, _ in first }
    var changes: [SchemaChange] = []
    for field in a {
      let (name, now) = (prefix + field.name, after[FieldName(field.name)])
      if case .struct(let inner) = field.type, case .struct(let newInner) = now {
        changes += between(inner, newInner, prefix: name + ".")
      } else if now != field.type {
        changes.append(
          SchemaChange(operation: now == nil ? .drop : .retype, column: name, from: field.type, to: now))
      }
    }
    for field in b where !before.contains(FieldName(field.name)) {
      changes.append(SchemaChange(operation: .add, column: prefix + field.name, from: nil, to: field.type))
    }
    return changes
  }
}
