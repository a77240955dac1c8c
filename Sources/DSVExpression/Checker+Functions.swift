import DSVFormat

extension Checker {
  // MARK: Operands

  /// A number; a null counts as an integer, since what comes of it is null whatever it is.
  mutating func number(_ expression: Expression) throws(DSVError) -> Value {
    let value = try value(expression)
    guard value.type.isNumber || value.type == .null else {
      throw error(expression, "a number is wanted here, but this is \(value.type.name)")
    }
    return value
  }

  mutating func text(_ expression: Expression) throws(DSVError) -> Value {
    let value = try value(expression)
    guard value.type == .text || value.type == .null else {
      throw error(expression, "a text is wanted here, but this is \(value.type.name)")
    }
    return value
  }

  /// A null of no type yet: whatever takes it gives null.
  private mutating func null(_ expression: Expression) -> Value {
    Value(node: add(.truth(nil)), type: .null, expression: expression)
  }

  // MARK: Numbers

  mutating func arithmetic(
    _ operation: Expression.Arithmetic, _ a: Value, _ b: Value, _ expression: Expression
  ) throws(DSVError) -> Value {
    if a.type == .null || b.type == .null { return null(expression) }
    let kind: Node.Kind = a.type == .double || b.type == .double ? .double : .int64
    let (left, right) = (convert(a.node, to: kind), convert(b.node, to: kind))
    let node: Int
    switch (nodes[left], nodes[right]) {
    case (.int64(let x), .int64(let y)):
      guard let result = apply(operation, x, y) else { return null(expression) }
      node = add(.int64(result))
    case (.double(let x), .double(let y)):
      guard let result = apply(operation, x, y) else { return null(expression) }
      node = add(.double(result))
    default: node = add(.arithmetic(operation, left, right))
    }
    return Value(node: node, type: kind == .double ? .double : .int64, expression: expression)
  }

  /// The node as an int64 or a double. Not exact from integers to doubles.
  private mutating func convert(_ node: Int, to kind: Node.Kind) -> Int {
    switch (nodes[node], kinds[node], kind) {
    case (_, let own, kind) where own == kind: node
    case (.int64(let value), _, .double): add(.double(Double(value)))
    case (.uint64(let value), _, .double): add(.double(Double(value)))
    case (_, _, .double): add(.toDouble(node))
    default: add(.toInt64(node))
    }
  }

  // MARK: Calls

  mutating func call(
    _ function: Expression.Function, _ arguments: [Expression], _ expression: Expression
  ) throws(DSVError) -> Value {
    let (node, type): (Node, ValueType)
    switch function {
    case .coalesce: return try coalesce(arguments, expression)
    case .abs:
      let value = try number(arguments[0])
      if value.type == .null { return value }
      if value.type == .uint64 { return value }
      (node, type) = (.abs(value.node), value.type)
    case .length:
      let value = try value(arguments[0])
      switch value.type {
      case .null: return null(expression)
      case .list: return Value(node: value.node, type: .int64, expression: expression)
      case .text: (node, type) = (.length(value.node), .int64)
      default:
        let hint = value.type == .binary ? "; use byte_length" : ""
        throw error(arguments[0], "length takes a text or a list, but this is \(value.type.name)\(hint)")
      }
    case .byteLength:
      let value = try value(arguments[0])
      if value.type == .null { return null(expression) }
      guard value.type == .text || value.type == .binary else {
        throw error(arguments[0], "byte_length takes a text or binary, but this is \(value.type.name)")
      }
      (node, type) = (.byteLength(value.node), .int64)
    case .contains, .startsWith, .endsWith:
      let (value, sought) = (try text(arguments[0]), try text(arguments[1]))
      if value.type == .null || sought.type == .null { return null(expression) }
      let search: Search =
        function == .contains ? .contains : function == .startsWith ? .startsWith : .endsWith
      (node, type) = (.search(search, value.node, sought.node), .bool)
    case .lower, .upper, .trim:
      let value = try text(arguments[0])
      if value.type == .null { return null(expression) }
      (node, type) = (
        .map(function == .lower ? .lower : function == .upper ? .upper : .trim, value.node), .text
      )
    }
    return Value(node: add(node), type: type, expression: expression)
  }

  private mutating func coalesce(
    _ arguments: [Expression], _ expression: Expression
  ) throws(DSVError) -> Value {
    var values: [Value] = []
    for argument in arguments {
      let value = try value(argument)
      if value.type != .null { values.append(value) }
    }
    guard let first = values.first else { return null(expression) }
    if first.type == .list { throw error(expression, "coalesce does not take lists") }
    // A literal takes the type of a column beside it: a date from a text, a uint64 from an integer.
    var type = values.first { !nodes[$0.node].isConstant }?.type ?? first.type
    if type.isNumber, values.contains(where: { $0.type == .double }) { type = .double }
    var result: Int?
    for value in values {
      let node = try unified(value, type)
      result = result.map { add(type == .bool ? .coalesceTruth($0, node) : .coalesce($0, node)) } ?? node
    }
    return Value(node: result ?? first.node, type: type, expression: expression)
  }

  private mutating func unified(_ value: Value, _ type: ValueType) throws(DSVError) -> Int {
    if value.type == type { return value.node }
    switch (type, nodes[value.node]) {
    case (.double, _) where value.type.isNumber: return convert(value.node, to: .double)
    case (.uint64, .int64(let integer)) where integer >= 0: return add(.uint64(UInt64(integer)))
    case (.date, _), (.timestamp, _):
      if let text = value.literalText {
        let constant = try timeConstant(text, value.expression, type)
        if constant.hasFraction == false, let exact = Int64(exactly: constant.floor) {
          return add(.int64(exact))
        }
      }
    default: break
    }
    throw error(value.expression, "coalesce cannot mix \(type.name) with \(value.type.name)")
  }

  // MARK: Texts

  mutating func like(
    _ value: Value, _ pattern: String, _ escape: Unicode.Scalar?, _ expression: Expression
  ) throws(DSVError) -> Int {
    guard let pattern = LikePattern(pattern, escape: escape) else {
      throw error(expression, "the pattern ends with its escape character")
    }
    if value.type == .null { return add(.truth(nil)) }
    guard let plain = pattern.plain else { return add(.like(value.node, pattern)) }
    let text = add(.text(Bytes(plain.text)))
    return add(plain.search.map { .search($0, value.node, text) } ?? .compare(.equal, value.node, text))
  }
}
