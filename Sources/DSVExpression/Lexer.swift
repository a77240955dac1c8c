import DSVFormat

/// Cuts the text of an expression into tokens.
struct Lexer {
  private let source: SourceText
  private var position = 0

  init(_ source: SourceText) { self.source = source }

  /// All the tokens, the last of which is `.end`.
  static func tokens(of source: SourceText) throws(DSVError) -> [Token] {
    var lexer = Lexer(source)
    var tokens: [Token] = []
    repeat { tokens.append(try lexer.next()) } while tokens.last?.kind != .end
    return tokens
  }

  private func peek(_ ahead: Int = 0) -> Unicode.Scalar? {
    position + ahead < source.scalars.count ? source.scalars[position + ahead] : nil
  }

  private mutating func next() throws(DSVError) -> Token {
    while let scalar = peek(), scalar.properties.isWhitespace { position += 1 }
    let start = position
    guard let scalar = peek() else { return Token(kind: .end, position: start) }
    let kind: Token.Kind
    switch scalar {
    case "'": kind = .literal(.text(try quoted(by: "'")))
    case "\"", "`": kind = .quotedName(try quotedName(by: scalar))
    case "0"..."9": kind = .literal(try number())
    case "." where peek(1)?.isDigit == true: kind = .literal(try number())
    case _ where scalar.startsName: kind = name()
    default: kind = .symbol(try symbol(scalar))
    }
    return Token(kind: kind, position: start)
  }

  /// What stands between two of `quote`; a doubled quote stands for one.
  private mutating func quoted(by quote: Unicode.Scalar) throws(DSVError) -> String {
    let start = position
    var text = String.UnicodeScalarView()
    position += 1
    while let scalar = peek() {
      position += 1
      if scalar == quote {
        guard peek() == quote else { return String(text) }
        position += 1
      }
      text.append(scalar)
    }
    throw source.error(at: start, "this quote is never closed")
  }

  private mutating func quotedName(by quote: Unicode.Scalar) throws(DSVError) -> String {
    let start = position
    let name = try quoted(by: quote)
    if name.isEmpty { throw source.error(at: start, "a name is empty; a text is written in single quotes") }
    return name
  }

  private mutating func name() -> Token.Kind {
    var name = String.UnicodeScalarView()
    while let scalar = peek(), scalar.continuesName {
      name.append(scalar)
      position += 1
    }
    return Keyword(rawValue: String(name).lowercased()).map { .keyword($0) } ?? .name(String(name))
  }

  private mutating func number() throws(DSVError) -> Expression.Literal {
    let start = position
    var isInteger = true
    skipDigits()
    if peek() == ".", peek(1)?.isDigit == true {
      isInteger = false
      position += 1
      skipDigits()
    }
    if peek() == "e" || peek() == "E" {
      let signed = peek(1) == "+" || peek(1) == "-"
      if peek(signed ? 2 : 1)?.isDigit == true {
        isInteger = false
        position += signed ? 2 : 1
        skipDigits()
      }
    }
    if let scalar = peek(), scalar.continuesName || scalar == "." {
      throw source.error(at: position, "a number runs into what follows it")
    }
    var text = String.UnicodeScalarView()
    text.append(contentsOf: source.scalars[start..<position])
    if isInteger {
      guard let value = UInt64(String(text)) else {
        throw source.error(at: start, "an integer is larger than 18446744073709551615")
      }
      return Expression.Literal(value)
    }
    guard let value = Double(String(text)), value.isFinite else {
      throw source.error(at: start, "a number is too large")
    }
    return .double(value)
  }

  private mutating func skipDigits() { while peek()?.isDigit == true { position += 1 } }

  private mutating func symbol(_ scalar: Unicode.Scalar) throws(DSVError) -> Symbol {
    if let following = peek(1) {
      let two: Symbol? =
        switch (scalar, following) {
        case ("=", "="): .equal
        case ("!", "="), ("<", ">"): .notEqual
        case ("<", "="): .lessOrEqual
        case (">", "="): .greaterOrEqual
        default: nil
        }
      if let two {
        position += 2
        return two
      }
    }
    guard scalar != "!", let one = Symbol(rawValue: String(Character(scalar))) else {
      throw source.error(at: position, "this character means nothing here")
    }
    position += 1
    return one
  }
}

extension Unicode.Scalar {
  fileprivate var isDigit: Bool { ("0"..."9").contains(self) }

  var startsName: Bool { self == "_" || (isASCII ? properties.isAlphabetic : properties.isXIDStart) }

  var continuesName: Bool {
    startsName || (isASCII ? isDigit : properties.isXIDContinue)
  }
}
