import DSVExpression
import DSVFormat

/// Random rows and random expressions over them that fit their types.
struct RandomExpressions {
  var random: SeededGenerator

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  static let fields = [
    Field("i", .int64), Field("j", .int32), Field("u", .uint64), Field("d", .float64), Field("b", .bool),
    Field("s", .utf8), Field("t", .utf8), Field("l", .list(.int64)),
  ]

  mutating func pick<T>(_ items: [T]) -> T { items.randomElement(using: &random)! }

  mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

  // MARK: Rows

  mutating func batch(rowCount: Int) -> Batch {
    let columns = RandomExpressions.fields.map { field -> [Cell] in
      let (nulls, narrow) = (pick([0, 0, 10, 100]), chance(50))
      let constant = cell(field, narrow)
      let isConstant = chance(15)
      return (0..<rowCount).map { _ in
        chance(nulls) ? pick([.null, .null, .missing]) : isConstant ? constant : cell(field, narrow)
      }
    }
    return Batch(fields: RandomExpressions.fields, columns: columns)
  }

  private mutating func cell(_ field: Field, _ narrow: Bool) -> Cell {
    switch field.type {
    case .bool: .bool(chance(50))
    case .int32, .list: .integer(Int128(Int.random(in: 0...6, using: &random)))
    case .uint64: .integer(pick(narrow ? [1, 2, 3] : [0, 1, 5, Int128(UInt64.max), Int128(Int64.max) + 1]))
    case .float64: .double(pick(narrow ? [0.5, 1, 1.5] : RandomExpressions.doubles))
    case .utf8: .text(text(narrow))
    default: .integer(Int128(narrow ? pick([-1, 0, 1, 2]) : pick(RandomExpressions.integers)))
    }
  }

  static let integers: [Int64] = [
    .min, .min + 1, -(1 << 53) - 1, -7, -3, -1, 0, 1, 2, 3, 5, 1 << 53, 1 << 53 + 1, .max - 1, .max,
  ]
  static let doubles: [Double] = [
    .nan, -.infinity, .infinity, -0.0, 0, 0.5, 1, 2.5, -3, 0x1p53, -0x1p53, 0x1p63, 0x1p64, 1e300, 0.1,
  ]

  private mutating func text(_ narrow: Bool) -> String {
    if chance(10) { return String(repeating: "abcdefghijklmnop", count: 2) + pick(["", "q", "é"]) }
    let letters =
      narrow ? ["a", "b"] : ["a", "b", "A", "é", "İ", "ß", "%", "_", " ", "\u{a0}", "字", "𝄞", "'", "ab"]
    return (0..<Int.random(in: 0...6, using: &random)).map { _ in pick(letters) }.joined()
  }

  // MARK: Expressions

  mutating func condition(_ depth: Int) -> Expression {
    if depth <= 0 {
      return chance(50)
        ? Expression(.column(["b"]))
        : Expression(.compare(pick(Expression.Comparison.allCases), number(0), number(0)))
    }
    let negated = chance(50)
    switch Int.random(in: 0..<15, using: &random) {
    case 0: return Expression(.and((0..<pick([2, 3])).map { _ in condition(depth - 1) }))
    case 1: return Expression(.or((0..<pick([2, 3])).map { _ in condition(depth - 1) }))
    case 2: return Expression(.not(condition(depth - 1)))
    case 3:
      return Expression(
        .isNull(pick([number(depth - 1), text(depth - 1), condition(depth - 1)]), negated: negated))
    case 4:
      return Expression(.isMissing(Expression(.column([pick(["i", "s", "l", "b"])])), negated: negated))
    case 5, 6:
      return Expression(.compare(pick(Expression.Comparison.allCases), number(depth - 1), number(depth - 1)))
    case 7:
      return Expression(.compare(pick(Expression.Comparison.allCases), text(depth - 1), text(depth - 1)))
    case 8:
      return Expression(.compare(pick([.equal, .notEqual]), condition(depth - 1), condition(depth - 1)))
    case 9:
      return Expression(
        .isIn(number(depth - 1), (0..<pick([1, 3, 12])).map { _ in number(0) }, negated: negated))
    case 10:
      return Expression(
        .isIn(text(depth - 1), (0..<pick([1, 3, 12])).map { _ in text(0) }, negated: negated))
    case 11:
      return chance(60)
        ? Expression(.between(number(depth - 1), low: number(0), high: number(0), negated: negated))
        : Expression(.between(text(depth - 1), low: text(0), high: text(0), negated: negated))
    case 12:
      let pattern = (0..<pick([0, 1, 2, 3, 4])).map { _ in pick(["%", "_", "a", "b", "é", "!_", "ab"]) }
        .joined()
      return Expression(.like(text(depth - 1), pattern: pattern, escape: "!", negated: negated))
    case 13: return Expression(.call(.coalesce, [condition(depth - 1), condition(depth - 1)]))
    default:
      return Expression(
        .call(
          pick([.contains, .startsWith, .endsWith]), [text(depth - 1), text(chance(30) ? depth - 1 : 0)]))
    }
  }

  private mutating func number(_ depth: Int) -> Expression {
    if depth <= 0 || chance(40) {
      let literals: [Expression.Literal] = [
        .integer(pick(RandomExpressions.integers)), .integer(pick([0, 1, 2, 3])), .unsigned(.max),
        .double(pick(RandomExpressions.doubles.filter(\.isFinite))), .null,
      ]
      return chance(50)
        ? Expression(.column([pick(["i", "j", "u", "d"])]))
        : Expression(.literal(pick(Array(literals[0...2] + literals))))
    }
    switch Int.random(in: 0..<6, using: &random) {
    case 0, 1:
      return Expression(
        .arithmetic(pick(Expression.Arithmetic.allCases), number(depth - 1), number(depth - 1)))
    case 2: return Expression(.negate(Expression(.column([pick(["i", "d"])]))))
    case 3: return Expression(.call(.abs, [number(depth - 1)]))
    case 4: return Expression(.call(pick([.length, .byteLength]), [text(depth - 1)]))
    default:
      return chance(30)
        ? Expression(.call(.length, [Expression(.column(["l"]))]))
        : Expression(
          .call(.coalesce, [Expression(.column([pick(["i", "j"])])), Expression(.literal(.integer(3)))]))
    }
  }

  private mutating func text(_ depth: Int) -> Expression {
    if depth <= 0 || chance(40) {
      return chance(50)
        ? Expression(.column([pick(["s", "t"])])) : Expression(.literal(.text(text(chance(60)))))
    }
    if chance(30) { return Expression(.call(.coalesce, [text(depth - 1), text(depth - 1)])) }
    return Expression(.call(pick([.lower, .upper, .trim]), [text(depth - 1)]))
  }
}
