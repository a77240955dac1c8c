/// Decides from statistics alone whether a chunk of rows can be skipped, or taken whole.
///
/// Each node of the expression gets what its values may be over the rows of the chunk: an interval, and
/// whether null or NaN is among them; of a condition, which of true, false and null it may be. That is
/// always at least what the rows hold, so `.none` and `.all` are never wrong; `.some` says nothing.
package struct PruningPredicate: Sendable {
  /// How many rows of a chunk an expression selects, as far as statistics tell.
  package enum Outcome: Sendable {
    case none, some, all
  }

  /// The expression; its `columns` say of which columns it wants statistics.
  package let expression: CheckedExpression
  private let kinds: [Node.Kind]

  package init(_ expression: CheckedExpression) {
    self.expression = expression
    var kinds: [Node.Kind] = []
    for node in expression.nodes { kinds.append(node.kind(after: kinds)) }
    self.kinds = kinds
  }

  /// Whether the expression selects no row of a chunk, every row, or neither for certain.
  ///
  /// - Parameters:
  ///   - statistics: of each of `expression.columns`, in that order; nil if nothing is known of it.
  ///   - rowCount: of the chunk.
  package func outcome(_ statistics: [ChunkStatistics?], rowCount: Int) -> Outcome {
    precondition(statistics.count == expression.columns.count)
    if rowCount == 0 { return .none }
    var ranges: [ValueRange] = []
    ranges.reserveCapacity(expression.nodes.count)
    for (index, node) in expression.nodes.enumerated() {
      ranges.append(range(of: node, kind: kinds[index], ranges, statistics))
    }
    let answer = ranges[ranges.count - 1].truth
    if !answer.mayBeTrue { return .none }
    return answer.mayBeFalse || answer.mayBeNull ? .some : .all
  }

  private func range(
    of node: Node, kind: Node.Kind, _ ranges: [ValueRange], _ statistics: [ChunkStatistics?]
  ) -> ValueRange {
    switch node {
    case .int64(let value): ValueRange(exactly: .integer(Int128(value)))
    case .uint64(let value): ValueRange(exactly: .integer(Int128(value)))
    case .double(let value): ValueRange(exactly: .double(value))
    case .text(let text): ValueRange(exactly: .text(text))
    case .column(let column, let kind): ValueRange(statistics[column], kind)
    case .toDouble, .arithmetic, .map: ValueRange.unknown(kind)
    case .toInt64(let a): ranges[a].orNull
    case .abs(let a): ranges[a].magnitude
    case .length(let a), .byteLength(let a):
      ValueRange(low: .integer(0), mayBeNull: ranges[a].mayBeNull, mayBeValue: ranges[a].mayBeValue)
    case .coalesce(let a, let b): ranges[a].orElse(ranges[b])
    default: ValueRange(truth: truth(of: node, ranges, statistics))
    }
  }

  private func truth(
    of node: Node, _ ranges: [ValueRange], _ statistics: [ChunkStatistics?]
  ) -> TruthRange {
    switch node {
    case .truth(let value): return TruthRange(value)
    case .boolColumn(let column): return TruthRange(column: statistics[column])
    case .and(let a, let b): return ranges[a].truth.and(ranges[b].truth)
    case .or(let a, let b): return ranges[a].truth.negated.and(ranges[b].truth.negated).negated
    case .not(let a): return ranges[a].truth.negated
    case .sameTruth(let a, let b): return ranges[a].truth.same(as: ranges[b].truth)
    case .coalesceTruth(let a, let b): return ranges[a].truth.orElse(ranges[b].truth)
    case .isNull(let a):
      return kinds[a] == .truth
        ? TruthRange(ranges[a].truth.mayBeNull, ranges[a].truth.mayBeTrue || ranges[a].truth.mayBeFalse)
        : TruthRange(ranges[a].mayBeNull, ranges[a].mayBeValue)
    case .columnIsNull(let column):
      guard let known = statistics[column] else { return .unknown(mayBeNull: false) }
      return TruthRange(known.nullCount > 0, known.nullCount < known.rowCount)
    case .columnIsMissing(let column):
      guard let known = statistics[column] else { return .unknown(mayBeNull: false) }
      let mayBeMissing = known.missingCount.map { $0 > 0 } ?? (known.nullCount > 0)
      return TruthRange(mayBeMissing, known.missingCount.map { $0 < known.rowCount } ?? true)
    case .whereKnown(let a, let answer):
      return ranges[a].test { _ in (answer, !answer) }
    case .compare(let comparison, let a, let b):
      return ranges[a].compare(comparison, ranges[b])
    case .compareMixed(let comparison, let a, let left, let b, let right):
      return ranges[a].scaled(by: left).compare(comparison, ranges[b].scaled(by: right))
    case .isInIntegers(let a, let values):
      return ranges[a].test { $0.isIn(values.map { .integer(Int128($0)) }) }
    case .isInTexts(let a, let values): return ranges[a].test { $0.isIn(values.map { .text($0) }) }
    case .search(let search, let a, let b): return ranges[a].search(search, ranges[b])
    case .like(let a, let pattern):
      return ranges[a].test { ($0.startsWith(Bytes(pattern.prefix)).mayBeTrue, true) }
    default: return .unknown(mayBeNull: true)
    }
  }
}
