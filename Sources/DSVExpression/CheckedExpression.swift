package import DSVFormat

/// An expression that fits a table: every column found, every type right.
///
/// A list of steps without recursion: each ``Node`` refers to nodes before it, equal parts are one
/// node, and the last is the answer. ``ExpressionEvaluator`` and ``PruningPredicate`` walk that list.
package struct CheckedExpression: Sendable {
  /// The expression as it was parsed.
  package let source: Expression
  /// The columns it reads, each once, in the order in which ``ExpressionEvaluator`` wants them.
  package let columns: [Column]
  let nodes: [Node]

  /// A column that an expression reads.
  package struct Column: Hashable, Sendable {
    /// What of the column is read.
    package enum Need: Int, Sendable, Comparable {
      /// Only which rows are null or missing.
      case presence
      /// The values; of a list, how many elements each has.
      case values

      package static func < (a: Need, b: Need) -> Bool { a.rawValue < b.rawValue }
    }

    /// The names that lead to it, through structs.
    package let path: [String]
    /// The type of its field.
    package let type: DataType
    /// The most that any part of the expression reads of it.
    package internal(set) var need: Need
  }

  /// Resolves `expression` against the fields of a table.
  ///
  /// - Parameter text: what `expression` was parsed from, to show places in; the canonical text, whose
  ///   places may differ, if nil.
  /// - Throws: `notFound` for a column that is not there, with the nearest name; `badInput` for a type
  ///   that does not fit. Both show the place by a caret.
  package init(_ expression: Expression, text: String? = nil, fields: [Field]) throws(DSVError) {
    var checker = Checker(source: SourceText(text ?? expression.description), fields: fields)
    let root = try checker.condition(expression)
    checker.endWith(root)
    source = expression
    columns = checker.columns
    nodes = checker.nodes
  }

  /// Parses `text` and resolves it against the fields of a table.
  ///
  /// - Throws: as ``Expression/init(parsing:)`` and ``init(_:text:fields:)`` do.
  package init(parsing text: String, fields: [Field]) throws(DSVError) {
    try self.init(Expression(parsing: text), text: text, fields: fields)
  }
}
