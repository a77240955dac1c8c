/// One word of an expression's text.
struct Token: Equatable {
  enum Kind: Equatable {
    /// An unquoted name that is no keyword, as it was written.
    case name(String)
    /// A name in double quotes or backticks: never a keyword and never a function.
    case quotedName(String)
    case keyword(Keyword)
    case literal(Expression.Literal)
    case symbol(Symbol)
    case end
  }

  let kind: Kind
  /// The index of its first character, counted in Unicode scalars from 0.
  let position: Int
}

/// A word that means something by itself, in any case; a column of this name needs quotes.
enum Keyword: String, CaseIterable {
  case and, or, not, `in`, between, `is`, null, like, escape
  case `true`, `false`
}

enum Symbol: String {
  case equal = "="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case plus = "+"
  case minus = "-"
  case star = "*"
  case slash = "/"
  case percent = "%"
  case open = "("
  case close = ")"
  case comma = ","
  case dot = "."
}
