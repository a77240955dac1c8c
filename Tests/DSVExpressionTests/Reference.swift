import DSVExpression

/// Evaluates an expression on one row, as plainly as can be: what the evaluator is held against.
struct Reference {
  let batch: Batch
  let row: Int

  func isSelected(_ expression: Expression) -> Bool { value(expression) == .bool(true) }

  private func truth(_ expression: Expression) -> Bool? {
    if case .bool(let value) = value(expression) { value } else { nil }
  }

  private func cell(_ truth: Bool?) -> Cell { truth.map { .bool($0) } ?? .null }

  func value(_ expression: Expression) -> Cell {
    switch expression.kind {
    case .literal(.null): return .null
    case .literal(.bool(let x)): return .bool(x)
    case .literal(.integer(let x)): return .integer(Int128(x))
    case .literal(.unsigned(let x)): return .integer(Int128(x))
    case .literal(.double(let x)): return .double(x)
    case .literal(.text(let x)): return .text(x)
    case .column(let path):
      let cell = batch.columns[batch.field(path)][row]
      return cell == .missing ? .null : cell
    case .compare(let comparison, let a, let b): return cell(compare(comparison, value(a), value(b)))
    case .and(let all):
      let truths = all.map(truth)
      return truths.contains(false) ? .bool(false) : cell(truths.contains(nil) ? nil : true)
    case .or(let all):
      let truths = all.map(truth)
      return truths.contains(true) ? .bool(true) : cell(truths.contains(nil) ? nil : false)
    case .not(let a): return cell(truth(a).map { !$0 })
    case .isNull(let a, let negated): return .bool((value(a) == .null) != negated)
    case .isMissing(let a, let negated):
      guard case .column(let path) = a.kind else { return .null }
      return .bool((batch.columns[batch.field(path)][row] == .missing) != negated)
    case .isIn(let a, let items, let negated):
      let truths = items.map { compare(.equal, value(a), value($0)) }
      let answer: Bool? = truths.contains(true) ? true : truths.contains(nil) ? nil : false
      return cell(answer.map { $0 != negated })
    case .between(let a, let low, let high, let negated):
      let truths = [
        compare(.greaterOrEqual, value(a), value(low)), compare(.lessOrEqual, value(a), value(high)),
      ]
      let answer: Bool? = truths.contains(false) ? false : truths.contains(nil) ? nil : true
      return cell(answer.map { $0 != negated })
    case .like(let a, let pattern, let escape, let negated):
      guard case .text(let text) = value(a) else { return .null }
      let answer = like(Array(text.unicodeScalars)[...], Array(pattern.unicodeScalars)[...], escape)
      return .bool(answer != negated)
    case .arithmetic(let operation, let a, let b): return arithmetic(operation, value(a), value(b))
    case .negate(let a): return arithmetic(.subtract, .integer(0), value(a))
    case .call(let function, let arguments): return call(function, arguments.map(value))
    }
  }

  private func compare(_ comparison: Expression.Comparison, _ a: Cell, _ b: Cell) -> Bool? {
    if a == .null || b == .null { return nil }
    func answer(_ less: Bool, _ same: Bool, _ more: Bool) -> Bool {
      switch comparison {
      case .equal: same
      case .notEqual: !same
      case .less: less
      case .lessOrEqual: less || same
      case .greater: more
      case .greaterOrEqual: more || same
      }
    }
    switch (a, b) {
    case (.bool(let x), .bool(let y)): return answer(false, x == y, false)
    case (.integer(let x), .integer(let y)): return answer(x < y, x == y, x > y)
    case (.double(let x), .double(let y)): return answer(x < y, x == y, x > y)
    case (.integer(let x), .double(let y)):
      if y.isNaN { return answer(false, false, false) }
      if abs(y) > 1e30 { return answer(y > 0, false, y < 0) }
      // Twice 2^53 and more, doubles are integers; below, integers are doubles.
      if abs(y) > 0x1p60 { return answer(x < Int128(y), x == Int128(y), x > Int128(y)) }
      let (doubled, whole) = (x * 2, Int128((y * 2).rounded(.down)))
      let isHalf = y * 2 != (y * 2).rounded(.down)
      return answer(
        doubled < whole || doubled == whole && isHalf, doubled == whole && !isHalf, doubled > whole)
    case (.double, .integer): return compare(Reference.flip(comparison), b, a)
    case (.text(let x), .text(let y)):
      let (p, q) = (Array(x.unicodeScalars.map(\.value)), Array(y.unicodeScalars.map(\.value)))
      return answer(p.lexicographicallyPrecedes(q), p == q, q.lexicographicallyPrecedes(p))
    default: return nil
    }
  }

  private static func flip(_ comparison: Expression.Comparison) -> Expression.Comparison {
    switch comparison {
    case .less: .greater
    case .lessOrEqual: .greaterOrEqual
    case .greater: .less
    case .greaterOrEqual: .lessOrEqual
    default: comparison
    }
  }

  private func like(
    _ text: ArraySlice<Unicode.Scalar>, _ pattern: ArraySlice<Unicode.Scalar>, _ escape: Unicode.Scalar?
  ) -> Bool {
    guard let first = pattern.first else { return text.isEmpty }
    let rest = pattern.dropFirst()
    if first == escape, let literal = rest.first {
      return text.first == literal && like(text.dropFirst(), rest.dropFirst(), escape)
    }
    if first == "%" { return (0...text.count).contains { like(text.dropFirst($0), rest, escape) } }
    guard let scalar = text.first, first == "_" || first == scalar else { return false }
    return like(text.dropFirst(), rest, escape)
  }

  private func arithmetic(_ operation: Expression.Arithmetic, _ a: Cell, _ b: Cell) -> Cell {
    if case .integer(let x) = a, case .integer(let y) = b {
      let range = Int128(Int64.min)...Int128(Int64.max)
      guard range.contains(x), range.contains(y) else { return .null }
      if y == 0, operation == .divide || operation == .remainder { return .null }
      let result =
        switch operation {
        case .add: x + y
        case .subtract: x - y
        case .multiply: x * y
        case .divide: x / y
        case .remainder: x % y
        }
      return range.contains(result) ? .integer(result) : .null
    }
    guard let x = double(a), let y = double(b) else { return .null }
    switch operation {
    case .add: return .double(x + y)
    case .subtract: return .double(x - y)
    case .multiply: return .double(x * y)
    case .divide: return y == 0 ? .null : .double(x / y)
    case .remainder: return y == 0 ? .null : .double(x.truncatingRemainder(dividingBy: y))
    }
  }

  private func double(_ cell: Cell) -> Double? {
    switch cell {
    case .integer(let x): Double(x)
    case .double(let x): x
    default: nil
    }
  }

  private func call(_ function: Expression.Function, _ arguments: [Cell]) -> Cell {
    if function == .coalesce {
      let found = arguments.first { $0 != .null } ?? .null
      return found
    }
    switch (function, arguments[0], arguments.count > 1 ? arguments[1] : .null) {
    case (.length, .text(let x), _): return .integer(Int128(x.unicodeScalars.count))
    case (.length, .integer(let x), _): return .integer(x)
    case (.byteLength, .text(let x), _): return .integer(Int128(x.utf8.count))
    case (.abs, .integer(let x), _): return x == Int128(Int64.min) ? .null : .integer(x < 0 ? -x : x)
    case (.abs, .double(let x), _): return .double(x.magnitude)
    case (.lower, .text(let x), _): return .text(x.unicodeScalars.map(\.properties.lowercaseMapping).joined())
    case (.upper, .text(let x), _): return .text(x.unicodeScalars.map(\.properties.uppercaseMapping).joined())
    case (.trim, .text(let x), _):
      let start = x.unicodeScalars.drop { $0.properties.isWhitespace }
      let end = start.reversed().drop { $0.properties.isWhitespace }.reversed()
      var result = String.UnicodeScalarView()
      result.append(contentsOf: end)
      return .text(String(result))
    case (.contains, .text(let x), .text(let y)):
      let (p, q) = (Array(x.utf8), Array(y.utf8))
      return .bool((0...p.count).contains { p[$0...].starts(with: q) })
    case (.startsWith, .text(let x), .text(let y)): return .bool(Array(x.utf8).starts(with: Array(y.utf8)))
    case (.endsWith, .text(let x), .text(let y)):
      return .bool(x.utf8.reversed().starts(with: y.utf8.reversed()))
    default: return .null
    }
  }
}
