package import DSVFormat

extension Expression {
  /// The most bytes of UTF-8 that an expression may have.
  package static let byteCountLimit = 64 << 10
  /// The most levels that an expression may have, counting parentheses.
  package static let heightLimit = 200

  /// Reads an expression from its text, by the grammar at ``Expression``.
  ///
  /// - Throws: `badInput` with the place of the error, shown by a caret under the text.
  package init(parsing text: String) throws(DSVError) {
    guard text.utf8.count <= Expression.byteCountLimit else {
      throw DSVError(.badInput, "an expression has \(text.utf8.count) bytes; the limit is 65536")
    }
    let source = SourceText(text)
    var parser = Parser(source: source, tokens: try Lexer.tokens(of: source))
    self = try parser.whole()
  }
}

/// Turns tokens into an expression, by recursive descent.
struct Parser {
  let source: SourceText
  let tokens: [Token]
  private var index = 0
  private var depth = 0

  init(source: SourceText, tokens: [Token]) {
    self.source = source
    self.tokens = tokens
  }

  mutating func whole() throws(DSVError) -> Expression {
    let expression = try disjunction()
    guard token.kind == .end else { throw unexpected("an operator or the end") }
    return expression
  }

  // MARK: Tokens

  private var token: Token { tokens[index] }

  private var following: Token { tokens[min(index + 1, tokens.count - 1)] }

  private mutating func advance() { if index + 1 < tokens.count { index += 1 } }

  private mutating func take(_ kind: Token.Kind) -> Bool {
    guard token.kind == kind else { return false }
    advance()
    return true
  }

  private mutating func expect(_ symbol: Symbol) throws(DSVError) {
    guard take(.symbol(symbol)) else { throw unexpected("\"\(symbol.rawValue)\"") }
  }

  private func unexpected(_ wanted: String) -> DSVError {
    let found = token.kind == .end ? "the expression ends" : "this is something else"
    return source.error(at: token.position, "\(wanted) is wanted here, but \(found)")
  }

  private func make(_ kind: Expression.Kind, at position: Int) throws(DSVError) -> Expression {
    let expression = Expression(kind, at: position)
    guard expression.height <= Expression.heightLimit else { throw tooDeep(at: position) }
    return expression
  }

  private func tooDeep(at position: Int) -> DSVError {
    source.error(at: position, "the expression is nested more than \(Expression.heightLimit) levels deep")
  }

  /// Parses one level further in, so that the nesting of the text bounds the stack.
  private mutating func nested(
    _ parse: (inout Parser) throws(DSVError) -> Expression
  ) throws(DSVError) -> Expression {
    guard depth < Expression.heightLimit else { throw tooDeep(at: token.position) }
    depth += 1
    defer { depth -= 1 }
    return try parse(&self)
  }

  // MARK: Conditions

  private mutating func disjunction() throws(DSVError) -> Expression {
    let first = try conjunction()
    guard token.kind == .keyword(.or) else { return first }
    var all = [first]
    while take(.keyword(.or)) { all.append(try conjunction()) }
    return try make(.or(all), at: first.position)
  }

  private mutating func conjunction() throws(DSVError) -> Expression {
    let first = try negation()
    guard token.kind == .keyword(.and) else { return first }
    var all = [first]
    while take(.keyword(.and)) { all.append(try negation()) }
    return try make(.and(all), at: first.position)
  }

  private mutating func negation() throws(DSVError) -> Expression {
    let start = token.position
    guard take(.keyword(.not)) else { return try predicate() }
    let inner = try nested { (parser) throws(DSVError) in try parser.negation() }
    return try make(.not(inner), at: start)
  }

  private mutating func predicate() throws(DSVError) -> Expression {
    let left = try sum()
    let start = left.position
    if case .symbol(let symbol) = token.kind,
      let comparison = Expression.Comparison(rawValue: symbol.rawValue)
    {
      advance()
      return try make(.compare(comparison, left, try sum()), at: start)
    }
    if take(.keyword(.is)) {
      let negated = take(.keyword(.not))
      if take(.keyword(.null)) { return try make(.isNull(left, negated: negated), at: start) }
      guard case .name(let word) = token.kind, word.lowercased() == "missing" else {
        throw unexpected("\"null\" or \"missing\"")
      }
      advance()
      guard case .column = left.kind else { throw source.error(at: start, "only a column can be missing") }
      return try make(.isMissing(left, negated: negated), at: start)
    }
    let negated = take(.keyword(.not))
    if take(.keyword(.in)) { return try make(.isIn(left, try list(), negated: negated), at: start) }
    if take(.keyword(.between)) {
      let low = try sum()
      guard take(.keyword(.and)) else { throw unexpected("\"and\"") }
      return try make(.between(left, low: low, high: try sum(), negated: negated), at: start)
    }
    if take(.keyword(.like)) { return try like(left, negated: negated) }
    if negated { throw unexpected("\"in\", \"between\" or \"like\"") }
    return left
  }

  private mutating func like(_ left: Expression, negated: Bool) throws(DSVError) -> Expression {
    let patternPosition = token.position
    let pattern = try text()
    var escape: Unicode.Scalar?
    if take(.keyword(.escape)) {
      let position = token.position
      let scalars = try text().unicodeScalars
      guard scalars.count == 1 else { throw source.error(at: position, "an escape is one character") }
      escape = scalars.first
    }
    guard LikePattern(pattern, escape: escape) != nil else {
      throw source.error(at: patternPosition, "the pattern ends with its escape character")
    }
    return try make(
      .like(left, pattern: pattern, escape: escape, negated: negated), at: left.position)
  }

  private mutating func text() throws(DSVError) -> String {
    guard case .literal(.text(let text)) = token.kind else { throw unexpected("a text in single quotes") }
    advance()
    return text
  }

  // MARK: Values

  private mutating func sum() throws(DSVError) -> Expression {
    var left = try product()
    while case .symbol(let symbol) = token.kind, symbol == .plus || symbol == .minus {
      advance()
      let operation: Expression.Arithmetic = symbol == .plus ? .add : .subtract
      left = try make(.arithmetic(operation, left, try product()), at: left.position)
    }
    return left
  }

  private mutating func product() throws(DSVError) -> Expression {
    var left = try factor()
    while case .symbol(let symbol) = token.kind, symbol == .star || symbol == .slash || symbol == .percent {
      advance()
      let operation: Expression.Arithmetic =
        symbol == .star ? .multiply : symbol == .slash ? .divide : .remainder
      left = try make(.arithmetic(operation, left, try factor()), at: left.position)
    }
    return left
  }

  private mutating func factor() throws(DSVError) -> Expression {
    let start = token.position
    guard take(.symbol(.minus)) else { return try primary() }
    if case .literal(let literal) = token.kind, let negative = literal.negated {
      advance()
      return try make(.literal(negative), at: start)
    }
    if case .literal(.unsigned) = token.kind {
      throw source.error(at: start, "an integer is smaller than -9223372036854775808")
    }
    let inner = try nested { (parser) throws(DSVError) in try parser.factor() }
    return try make(.negate(inner), at: start)
  }

  private mutating func primary() throws(DSVError) -> Expression {
    let start = token.position
    switch token.kind {
    case .literal(let literal):
      advance()
      return try make(.literal(literal), at: start)
    case .keyword(.null):
      advance()
      return try make(.literal(.null), at: start)
    case .keyword(.true), .keyword(.false):
      defer { advance() }
      return try make(.literal(.bool(token.kind == .keyword(.true))), at: start)
    case .symbol(.open):
      advance()
      let inner = try nested { (parser) throws(DSVError) in try parser.disjunction() }
      try expect(.close)
      return inner
    case .name(let name) where following.kind == .symbol(.open):
      return try call(name)
    case .name, .quotedName:
      return try column()
    default:
      throw unexpected("a value")
    }
  }

  private mutating func column() throws(DSVError) -> Expression {
    let start = token.position
    var path: [String] = []
    repeat {
      switch token.kind {
      case .name(let name), .quotedName(let name): path.append(name)
      default: throw unexpected("a name (quoted, if it is a keyword)")
      }
      advance()
    } while take(.symbol(.dot))
    return try make(.column(path), at: start)
  }

  private mutating func call(_ name: String) throws(DSVError) -> Expression {
    let start = token.position
    guard let function = Expression.Function(rawValue: name.lowercased()) else {
      throw source.error(at: start, Parser.unknownFunction(name))
    }
    advance()
    let arguments = try list()
    guard function.argumentCount.contains(arguments.count) else {
      let wanted = function.argumentCount.lowerBound
      throw source.error(
        at: start,
        "\(function.rawValue) takes \(wanted) argument\(wanted == 1 ? "" : "s"), not \(arguments.count)")
    }
    return try make(.call(function, arguments), at: start)
  }

  private static func unknownFunction(_ name: String) -> String {
    if ["matches", "regexp", "regexp_matches"].contains(name.lowercased()) {
      return "regular expressions are not supported; use like, contains, starts_with or ends_with"
    }
    let names = Expression.Function.allCases.map(\.rawValue)
    let hint = nearest(to: name.lowercased(), among: names).map { "; is it \($0)?" } ?? ""
    return "there is no such function\(hint) (there are \(names.joined(separator: ", ")))"
  }

  /// One expression or more, in parentheses.
  private mutating func list() throws(DSVError) -> [Expression] {
    try expect(.open)
    var items: [Expression] = []
    repeat {
      items.append(try nested { (parser) throws(DSVError) in try parser.disjunction() })
    } while take(.symbol(.comma))
    try expect(.close)
    return items
  }
}

extension Expression.Literal {
  /// The number with a minus before it; nil for other literals and where no int64 holds it.
  fileprivate var negated: Expression.Literal? {
    switch self {
    case .integer(let value): .integer(-value)
    case .unsigned(let value): value == UInt64(Int64.max) + 1 ? .integer(.min) : nil
    case .double(let value): .double(-value)
    case .null, .bool, .text: nil
    }
  }
}
