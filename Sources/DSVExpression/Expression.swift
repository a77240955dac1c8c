/// A condition on the rows of a table, as `--where` takes it.
///
/// The text is a small part of SQL:
///
/// ```ebnf
/// expression = conjunction { "or" conjunction } ;
/// conjunction = negation { "and" negation } ;
/// negation   = "not" negation | predicate ;
/// predicate  = sum [ comparison sum
///                  | [ "not" ] "in" "(" expression { "," expression } ")"
///                  | [ "not" ] "between" sum "and" sum
///                  | [ "not" ] "like" text [ "escape" text ]
///                  | "is" [ "not" ] ( "null" | "missing" ) ] ;
/// comparison = "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ;
/// sum        = product { ( "+" | "-" ) product } ;
/// product    = factor { ( "*" | "/" | "%" ) factor } ;
/// factor     = "-" factor | primary ;
/// primary    = literal | column | function "(" expression { "," expression } ")"
///            | "(" expression ")" ;
/// column     = name { "." name } ;
/// literal    = integer | double | text | "true" | "false" | "null" ;
/// text       = "'" { any character but "'" | "''" } "'" ;
/// name       = ( letter | "_" ) { letter | digit | "_" }
///            | '"' { any character but '"' | '""' } '"'
///            | "`" { any character but "`" | "``" } "`" ;
/// function   = "length" | "byte_length" | "contains" | "starts_with" | "ends_with"
///            | "lower" | "upper" | "trim" | "abs" | "coalesce" ;
/// ```
///
/// Keywords and function names may be in any case; names of columns are case-sensitive. Single quotes
/// make a text, double quotes and backticks a name: `lang = 'en'`, `"order" > 3`. A column named like
/// a keyword needs quotes. A dot steps into a struct; a name that holds a dot is quoted.
///
/// **Null.** Logic has three values, as in SQL: a comparison with null is null, `null and false` is
/// false, `null or true` is true, and a row is selected only if the whole is true. `x is null` is true
/// for every row without a value; `x is missing` only where the field was absent from the row, so an
/// explicit null is `x is null and x is not missing`.
///
/// **Numbers.** Integers and doubles compare exactly: 2^53 + 1 is not equal to any double. Every
/// comparison with NaN is false, except `!=`, which is true. `+ - * / %` on two integers give an
/// integer (`/` cuts towards zero, `%` has the sign of its left side), else a double. A result that no
/// int64 holds is null, and so is division by zero. In arithmetic a uint64 above the largest int64 is
/// null.
///
/// **Text.** Texts compare by their UTF-8 bytes, which is the order of their Unicode scalars; nothing
/// is normalised. `length` counts scalars (of a list: elements), `byte_length` bytes. In `like`, which
/// minds case, `%` stands for any characters and `_` for one; a character after the one named by
/// `escape` stands for itself. `lower` and `upper` map scalar by scalar, in no particular language;
/// `trim` takes white space off both ends. A `json` column is its text. There is no `matches`.
///
/// **Time.** A text compared with a date is `'2024-01-31'`; with a timestamp, that or
/// `'2024-01-31T23:59:59.123456789Z'`, where the seconds, their fraction and the zone (`Z`, `+02:00`)
/// may be left out, a blank may stand for the `T`, and no zone means UTC.
///
/// **Limits.** 64 KiB of text, 200 levels of nesting.
package struct Expression: Sendable {
  /// What an expression is, and of which parts.
  package indirect enum Kind: Sendable, Equatable {
    case literal(Literal)
    /// A column by its path: more than one name steps into structs.
    case column([String])
    case compare(Comparison, Expression, Expression)
    /// True if all are; at least two.
    case and([Expression])
    /// True if any is; at least two.
    case or([Expression])
    case not(Expression)
    case isNull(Expression, negated: Bool)
    case isMissing(Expression, negated: Bool)
    case isIn(Expression, [Expression], negated: Bool)
    case between(Expression, low: Expression, high: Expression, negated: Bool)
    case like(Expression, pattern: String, escape: Unicode.Scalar?, negated: Bool)
    case arithmetic(Arithmetic, Expression, Expression)
    case negate(Expression)
    case call(Function, [Expression])
  }

  package let kind: Kind
  /// Where in its text it begins, in characters (Unicode scalars) from 0. Of no account to equality.
  package let position: Int
  /// How many levels of expressions it has; 1 for a column.
  package let height: Int

  package init(_ kind: Kind, at position: Int = 0) {
    self.kind = kind
    self.position = position
    height = 1 + (kind.parts.lazy.map(\.height).max() ?? 0)
  }
}

extension Expression: Equatable {
  package static func == (a: Expression, b: Expression) -> Bool { a.kind == b.kind }
}

extension Expression {
  /// A value written out.
  package enum Literal: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// An integer above the largest `Int64`.
    case unsigned(UInt64)
    /// Always finite.
    case double(Double)
    case text(String)

    init(_ value: UInt64) { self = Int64(exactly: value).map { .integer($0) } ?? .unsigned(value) }
  }

  /// How two values are compared.
  package enum Comparison: String, Sendable, CaseIterable {
    case equal = "="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="

    /// The comparison that holds for `b, a` where this one holds for `a, b`.
    var flipped: Comparison {
      switch self {
      case .equal, .notEqual: self
      case .less: .greater
      case .lessOrEqual: .greaterOrEqual
      case .greater: .less
      case .greaterOrEqual: .lessOrEqual
      }
    }
  }

  /// What is done to two numbers.
  package enum Arithmetic: String, Sendable, CaseIterable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case remainder = "%"
  }

  /// A function by the name that calls it.
  package enum Function: String, Sendable, CaseIterable {
    case length
    case byteLength = "byte_length"
    case contains
    case startsWith = "starts_with"
    case endsWith = "ends_with"
    case lower, upper, trim
    case abs
    case coalesce

    /// How many arguments it takes.
    var argumentCount: ClosedRange<Int> {
      switch self {
      case .length, .byteLength, .lower, .upper, .trim, .abs: 1...1
      case .contains, .startsWith, .endsWith: 2...2
      case .coalesce: 1...Int.max
      }
    }
  }
}

extension Expression.Kind {
  /// The expressions directly inside this one.
  var parts: [Expression] {
    switch self {
    case .literal, .column: []
    case .compare(_, let a, let b), .arithmetic(_, let a, let b): [a, b]
    case .and(let all), .or(let all), .call(_, let all): all
    case .not(let a), .negate(let a), .isNull(let a, _), .isMissing(let a, _), .like(let a, _, _, _): [a]
    case .isIn(let a, let items, _): [a] + items
    case .between(let a, let low, let high, _): [a, low, high]
    }
  }
}
