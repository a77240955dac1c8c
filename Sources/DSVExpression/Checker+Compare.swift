import DSVFormat

extension Checker {
  /// A point on a number line: an integer, or somewhere between it and the next.
  struct Point {
    var floor: Int128
    var hasFraction: Bool
  }

  mutating func compare(
    _ comparison: Expression.Comparison, _ a: Value, _ b: Value, _ expression: Expression
  ) throws(DSVError) -> Int {
    if a.type == .null || b.type == .null { return add(.truth(nil)) }
    if nodes[a.node].isConstant, !nodes[b.node].isConstant {
      return try compare(comparison.flipped, b, a, expression)
    }
    switch (a.type, b.type) {
    case (.bool, .bool):
      guard comparison == .equal || comparison == .notEqual else {
        throw error(expression, "conditions have no order: only = and != compare them")
      }
      return not(add(.sameTruth(a.node, b.node)), if: comparison == .notEqual)
    case (.text, .text), (.binary, .binary), (.date, .date):
      return add(.compare(comparison, a.node, b.node))
    case (_, _) where a.type.isNumber && b.type.isNumber: return compareNumbers(comparison, a, b)
    case (.date, .text), (.timestamp, .text):
      guard let text = b.literalText else { break }
      return compare(comparison, a.node, to: try timeConstant(text, b.expression, a.type))
    case (.text, .date), (.text, .timestamp):
      guard let text = a.literalText else { break }
      return compare(comparison.flipped, b.node, to: try timeConstant(text, a.expression, b.type))
    case (.date, .timestamp), (.timestamp, .date), (.timestamp, .timestamp):
      return compareTimes(comparison, a, b)
    default: break
    }
    if a.type == .list || b.type == .list {
      throw error(a.type == .list ? a.expression : b.expression, "a list cannot be compared; its length can")
    }
    throw error(b.expression, "\(b.type.name) cannot be compared with \(a.type.name)")
  }

  private mutating func compareNumbers(_ comparison: Expression.Comparison, _ a: Value, _ b: Value) -> Int {
    switch (kinds[a.node], nodes[b.node]) {
    case (.int64, .int64), (.uint64, .uint64), (.double, .double): break
    case (.double, .int64(let value)): return compareDouble(comparison, a.node, Int128(value))
    case (.double, .uint64(let value)): return compareDouble(comparison, a.node, Int128(value))
    case (_, .int64(let value)):
      return compare(comparison, a.node, to: Point(floor: Int128(value), hasFraction: false))
    case (_, .uint64(let value)):
      return compare(comparison, a.node, to: Point(floor: Int128(value), hasFraction: false))
    case (_, .double(let value)): return compare(comparison, a.node, to: Point(value))
    default: break
    }
    return kinds[a.node] == kinds[b.node]
      ? add(.compare(comparison, a.node, b.node)) : add(.compareMixed(comparison, a.node, 1, b.node, 1))
  }

  /// Compares an int64 or uint64 node with a point that need not be one, exactly.
  mutating func compare(_ comparison: Expression.Comparison, _ node: Int, to point: Point) -> Int {
    let isSigned = kinds[node] == .int64
    let least = isSigned ? Int128(Int64.min) : 0
    let most = isSigned ? Int128(Int64.max) : Int128(UInt64.max)
    // Below every value, above every value, or between two: only the order matters.
    if point.floor < least { return add(.whereKnown(node, comparison.holds(.after))) }
    if point.floor > most || (point.floor == most && point.hasFraction) {
      return add(.whereKnown(node, comparison.holds(.before)))
    }
    let constant = add(isSigned ? .int64(Int64(point.floor)) : .uint64(UInt64(point.floor)))
    guard point.hasFraction else { return add(.compare(comparison, node, constant)) }
    switch comparison {
    case .equal, .notEqual: return add(.whereKnown(node, comparison == .notEqual))
    case .less, .lessOrEqual: return add(.compare(.lessOrEqual, node, constant))
    case .greater, .greaterOrEqual: return add(.compare(.greater, node, constant))
    }
  }

  /// Compares a double node with an integer that need not be a double, exactly.
  private mutating func compareDouble(
    _ comparison: Expression.Comparison, _ node: Int, _ integer: Int128
  ) -> Int {
    let rounded = Double(integer)
    if Int128(rounded) == integer { return add(.compare(comparison, node, add(.double(rounded)))) }
    let below = Int128(rounded) < integer ? rounded : rounded.nextDown
    switch comparison {
    case .equal, .notEqual: return add(.whereKnown(node, comparison == .notEqual))
    case .less, .lessOrEqual: return add(.compare(.lessOrEqual, node, add(.double(below))))
    case .greater, .greaterOrEqual: return add(.compare(.greaterOrEqual, node, add(.double(below.nextUp))))
    }
  }

  // MARK: Times

  private mutating func compareTimes(_ comparison: Expression.Comparison, _ a: Value, _ b: Value) -> Int {
    let (left, right) = (a.type.nanosecondsPerStep, b.type.nanosecondsPerStep)
    if left == right { return add(.compare(comparison, a.node, b.node)) }
    let unit = min(left, right)
    return add(.compareMixed(comparison, a.node, left / unit, b.node, right / unit))
  }

  /// The literal as a point on the number line of a date or timestamp column.
  func timeConstant(_ text: String, _ expression: Expression, _ type: ValueType) throws(DSVError) -> Point {
    guard let time = TimeLiteral(text) else {
      throw error(
        expression, "a time is written like '2024-01-31' or '2024-01-31T23:59:59Z', and this one is not")
    }
    if type == .date, time.hasTime {
      throw error(expression, "a date is compared with a date alone, like '2024-01-31'")
    }
    let (quotient, remainder) = time.nanoseconds.quotientAndRemainder(
      dividingBy: Int128(type.nanosecondsPerStep))
    return Point(floor: remainder < 0 ? quotient - 1 : quotient, hasFraction: remainder != 0)
  }

  // MARK: in

  /// `value` is one of `items`. A list of integers or texts is one node, others are a chain of "or".
  mutating func isIn(_ value: Value, _ items: [Expression], _ expression: Expression) throws(DSVError) -> Int
  {
    var rest: [Int] = []
    var integers: Set<Int64> = []
    var texts: Set<Bytes> = []
    for item in items {
      let node = try compare(.equal, value, self.value(item), item)
      switch nodes[node] {
      case .compare(.equal, value.node, let constant) where constant != value.node:
        switch nodes[constant] {
        case .int64(let integer): integers.insert(integer)
        case .text(let text): texts.insert(text)
        default: rest.append(node)
        }
      default: rest.append(node)
      }
    }
    if !integers.isEmpty { rest.append(add(.isInIntegers(value.node, integers.sorted()))) }
    if !texts.isEmpty { rest.append(add(.isInTexts(value.node, texts.sorted()))) }
    var result = rest[0]
    for node in rest.dropFirst() { result = add(.or(result, node)) }
    return result
  }
}

extension Checker.Point {
  /// Doubles beyond ±2^100 count as that, which is beyond every integer column just the same.
  init(_ value: Double) {
    let limited = max(-0x1p100, min(0x1p100, value))
    let floor = limited.rounded(.down)
    self.init(floor: Int128(floor), hasFraction: floor != limited)
  }
}

extension Checker.ValueType {
  fileprivate var nanosecondsPerStep: Int64 {
    switch self {
    case .date: 86_400_000_000_000
    case .timestamp(.second): 1_000_000_000
    case .timestamp(.millisecond): 1_000_000
    case .timestamp(.microsecond): 1_000
    default: 1
    }
  }
}
