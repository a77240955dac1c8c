import DSVFormat

/// Resolves names and types, and lays an expression out as nodes.
struct Checker {
  let source: SourceText
  let fields: [Field]
  private(set) var nodes: [Node] = []
  private(set) var kinds: [Node.Kind] = []
  private(set) var columns: [CheckedExpression.Column] = []
  private var nodeIndexes: [Node: Int] = [:]
  private var columnIndexes: [[Bytes]: Int] = [:]

  init(source: SourceText, fields: [Field]) {
    self.source = source
    self.fields = fields
  }

  /// What an expression is, as far as types go.
  enum ValueType: Equatable {
    case null, bool, int64, uint64, double, text, binary, date, list
    case timestamp(DataType.TimeUnit)
    /// A value that can only be tested for null.
    case opaque(String)

    var isNumber: Bool { self == .int64 || self == .uint64 || self == .double }

    var name: String {
      switch self {
      case .null: "null"
      case .bool: "a condition (bool)"
      case .int64, .uint64: "an integer"
      case .double: "a double"
      case .text: "a text"
      case .binary: "binary"
      case .date: "a date"
      case .list: "a list"
      case .timestamp: "a timestamp"
      case .opaque(let type): type
      }
    }
  }

  /// A checked part: its node and type, and where to point if it does not fit.
  struct Value {
    var node: Int
    var type: ValueType
    var expression: Expression

    /// The text, if it is written out: it may yet turn out to be a date.
    var literalText: String? {
      if case .literal(.text(let text)) = expression.kind { text } else { nil }
    }
  }

  // MARK: Nodes

  /// The index of `node`, which is added unless there is an equal one.
  mutating func add(_ node: Node) -> Int {
    if let index = nodeIndexes[node] { return index }
    nodeIndexes[node] = nodes.count
    kinds.append(node.kind(after: kinds))
    nodes.append(node)
    return nodes.count - 1
  }

  /// Drops what comes after `root`, so that it is the last.
  mutating func endWith(_ root: Int) { nodes.removeSubrange((root + 1)...) }

  func error(_ expression: Expression, _ what: String) -> DSVError {
    source.error(at: expression.position, what)
  }

  // MARK: Columns

  /// Finds a column and notes what is read of it.
  mutating func column(
    _ path: [String], _ expression: Expression, need: CheckedExpression.Column.Need
  ) throws(DSVError) -> (index: Int, type: DataType) {
    var level = fields
    var type = DataType.null
    for (depth, name) in path.enumerated() {
      guard let field = level.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) else {
        throw notFound(Array(path[...depth]), among: level, expression)
      }
      type = field.type
      level = if case .struct(let inner) = type { inner } else { [] }
    }
    let key = path.map { Bytes(Array($0.utf8)) }
    if let index = columnIndexes[key] {
      columns[index].need = max(columns[index].need, need)
      return (index, type)
    }
    columnIndexes[key] = columns.count
    columns.append(CheckedExpression.Column(path: path, type: type, need: need))
    return (columns.count - 1, type)
  }

  private func notFound(_ path: [String], among fields: [Field], _ expression: Expression) -> DSVError {
    let parent = Array(path.dropLast())
    if fields.isEmpty, !parent.isEmpty {
      return source.error(
        .notFound, at: expression.position,
        "\(Expression.text(ofPath: parent)) is no struct: it has no fields")
    }
    var hint = ""
    if let near = nearest(to: path[path.count - 1], among: fields.map(\.name)) {
      hint = "; is it \(Expression.text(ofPath: parent + [near]))?"
    } else if fields.count <= 12, !fields.isEmpty {
      let names = fields.map { Expression.text(ofPath: parent + [$0.name]) }
      hint = " (there are \(names.joined(separator: ", ")))"
    }
    let start =
      source.scalars.indices.contains(expression.position) ? source.scalars[expression.position] : " "
    if start == "\"" { hint += "; double quotes make a name, single quotes a text" }
    return source.error(
      .notFound, at: expression.position, "there is no column \(Expression.text(ofPath: path))\(hint)")
  }

  // MARK: Conditions

  mutating func condition(_ expression: Expression) throws(DSVError) -> Int {
    let value = try value(expression)
    switch value.type {
    case .bool: return value.node
    case .null: return add(.truth(nil))
    default: throw error(expression, "a condition is wanted here, but this is \(value.type.name)")
    }
  }

  mutating func not(_ node: Int, if negated: Bool = true) -> Int { negated ? add(.not(node)) : node }

  private mutating func all(
    _ parts: [Expression], _ join: (Int, Int) -> Node
  ) throws(DSVError) -> Int {
    var result = try condition(parts[0])
    for part in parts.dropFirst() { result = add(join(result, try condition(part))) }
    return result
  }

  mutating func value(_ expression: Expression) throws(DSVError) -> Value {
    let node: Int
    switch expression.kind {
    case .literal(let literal): return self.literal(literal, expression)
    case .column(let path): return try columnValue(path, expression)
    case .arithmetic(let operation, let a, let b):
      return try arithmetic(operation, number(a), number(b), expression)
    case .negate(let a):
      let zero = Value(node: add(.int64(0)), type: .int64, expression: expression)
      return try arithmetic(.subtract, zero, number(a), expression)
    case .call(let function, let arguments): return try call(function, arguments, expression)
    case .and(let parts): node = try all(parts) { .and($0, $1) }
    case .or(let parts): node = try all(parts) { .or($0, $1) }
    case .not(let a): node = add(.not(try condition(a)))
    case .isNull(let a, let negated): node = not(try isNull(a), if: negated)
    case .isMissing(let a, let negated): node = not(try isMissing(a), if: negated)
    case .compare(let comparison, let a, let b):
      node = try compare(comparison, value(a), value(b), expression)
    case .between(let a, let low, let high, let negated):
      let value = try self.value(a)
      let above = try compare(.greaterOrEqual, value, self.value(low), expression)
      let below = try compare(.lessOrEqual, value, self.value(high), expression)
      node = not(add(.and(above, below)), if: negated)
    case .isIn(let a, let items, let negated): node = not(try isIn(value(a), items, expression), if: negated)
    case .like(let a, let pattern, let escape, let negated):
      node = not(try like(text(a), pattern, escape, expression), if: negated)
    }
    return Value(node: node, type: .bool, expression: expression)
  }

  private mutating func isNull(_ a: Expression) throws(DSVError) -> Int {
    if case .column(let path) = a.kind {
      return add(.columnIsNull(try column(path, a, need: .presence).index))
    }
    let value = try value(a)
    return value.type == .null ? add(.truth(true)) : add(.isNull(value.node))
  }

  private mutating func isMissing(_ a: Expression) throws(DSVError) -> Int {
    guard case .column(let path) = a.kind else { throw error(a, "only a column can be missing") }
    return add(.columnIsMissing(try column(path, a, need: .presence).index))
  }

  // MARK: Values

  private mutating func literal(_ literal: Expression.Literal, _ expression: Expression) -> Value {
    let (node, type): (Node, ValueType) =
      switch literal {
      case .null: (.truth(nil), .null)
      case .bool(let value): (.truth(value), .bool)
      case .integer(let value): (.int64(value), .int64)
      case .unsigned(let value): (.uint64(value), .uint64)
      case .double(let value): (.double(value), .double)
      case .text(let value): (.text(Bytes(Array(value.utf8))), .text)
      }
    return Value(node: add(node), type: type, expression: expression)
  }

  private mutating func columnValue(_ path: [String], _ expression: Expression) throws(DSVError) -> Value {
    let (index, type) = try column(path, expression, need: .presence)
    let (kind, valueType): (Node.Kind, ValueType) =
      switch type {
      case .null: (.truth, .null)
      case .bool: (.truth, .bool)
      case .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32: (.int64, .int64)
      case .uint64: (.uint64, .uint64)
      case .float16, .float32, .float64: (.double, .double)
      case .utf8, .json: (.text, .text)
      case .binary: (.text, .binary)
      case .date: (.int64, .date)
      case .timestamp(let unit, _): (.int64, .timestamp(unit))
      case .list, .fixedSizeList: (.int64, .list)
      case .decimal128, .struct: (.truth, .opaque("\(type)"))
      }
    switch valueType {
    case .null: return Value(node: add(.truth(nil)), type: .null, expression: expression)
    case .opaque(let name):
      throw error(expression, "\(name) can only be tested with \"is null\" and \"is missing\"")
    default: break
    }
    columns[index].need = .values
    let node = add(kind == .truth ? .boolColumn(index) : .column(index, kind))
    return Value(node: node, type: valueType, expression: expression)
  }
}
