extension Expression: CustomStringConvertible {
  /// The canonical text: parsing it gives this expression again.
  ///
  /// Keywords in lower case, one blank around operators, parentheses only where needed, names quoted
  /// only where needed. Meant for `explain` and for comparing what users wrote.
  package var description: String {
    switch kind {
    case .literal(let literal): literal.description
    case .column(let path): Expression.text(ofPath: path)
    case .compare(let comparison, let a, let b):
      "\(a.text(.sum)) \(comparison.rawValue) \(b.text(.sum))"
    case .and(let all): all.map { $0.text(.negation) }.joined(separator: " and ")
    case .or(let all): all.map { $0.text(.conjunction) }.joined(separator: " or ")
    case .not(let a): "not \(a.text(.negation))"
    case .isNull(let a, let negated): "\(a.text(.sum)) is \(negated ? "not " : "")null"
    case .isMissing(let a, let negated): "\(a.text(.sum)) is \(negated ? "not " : "")missing"
    case .isIn(let a, let items, let negated):
      "\(a.text(.sum))\(negated ? " not" : "") in (\(items.map(\.description).joined(separator: ", ")))"
    case .between(let a, let low, let high, let negated):
      "\(a.text(.sum))\(negated ? " not" : "") between \(low.text(.sum)) and \(high.text(.sum))"
    case .like(let a, let pattern, let escape, let negated):
      "\(a.text(.sum))\(negated ? " not" : "") like \(quoted(pattern, "'"))"
        + (escape.map { " escape \(quoted(String(Character($0)), "'"))" } ?? "")
    case .arithmetic(let operation, let a, let b):
      operation == .add || operation == .subtract
        ? "\(a.text(.sum)) \(operation.rawValue) \(b.text(.product))"
        : "\(a.text(.product)) \(operation.rawValue) \(b.text(.factor))"
    case .negate(let a): a.isNumber ? "-(\(a.description))" : "-\(a.text(.factor))"
    case .call(let function, let arguments):
      "\(function.rawValue)(\(arguments.map(\.description).joined(separator: ", ")))"
    }
  }

  /// A column's path as an expression names it: `meta.lang`, `"first name"`.
  package static func text(ofPath path: [String]) -> String {
    path.map { name in
      let plain =
        name.unicodeScalars.first?.startsName == true
        && name.unicodeScalars.allSatisfy { $0.isASCII && $0.continuesName }
      return plain && Keyword(rawValue: name.lowercased()) == nil ? name : quoted(name, "\"")
    }.joined(separator: ".")
  }

  /// The rules of the grammar, from the loosest to the tightest.
  private enum Rule: Int {
    case disjunction, conjunction, negation, predicate, sum, product, factor, primary
  }

  private var rule: Rule {
    switch kind {
    case .or: .disjunction
    case .and: .conjunction
    case .not: .negation
    case .compare, .isNull, .isMissing, .isIn, .between, .like: .predicate
    case .arithmetic(.add, _, _), .arithmetic(.subtract, _, _): .sum
    case .arithmetic: .product
    case .negate: .factor
    case .literal, .column, .call: .primary
    }
  }

  private var isNumber: Bool {
    switch kind {
    case .literal(.integer), .literal(.unsigned), .literal(.double): true
    default: false
    }
  }

  /// The text, in parentheses unless it can stand where the grammar wants `wanted`.
  private func text(_ wanted: Rule) -> String {
    rule.rawValue >= wanted.rawValue ? description : "(\(description))"
  }
}

extension Expression.Literal: CustomStringConvertible {
  /// The literal as it is written in an expression.
  package var description: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .unsigned(let value): "\(value)"
    case .double(let value): "\(value)"
    case .text(let value): quoted(value, "'")
    }
  }
}

/// `text` between two of `quote`, with each such quote inside doubled.
private func quoted(_ text: String, _ quote: Unicode.Scalar) -> String {
  var result = String.UnicodeScalarView([quote])
  for scalar in text.unicodeScalars {
    if scalar == quote { result.append(quote) }
    result.append(scalar)
  }
  result.append(quote)
  return String(result)
}
