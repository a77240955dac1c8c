/// What the values of a node may be over the rows of a chunk: at least what they are.
struct ValueRange {
  /// A point at which the values begin or end.
  enum Bound: Comparable {
    case integer(Int128)
    /// Never NaN.
    case double(Double)
    case text(Bytes)

    static func order(_ a: Bound, _ b: Bound) -> Order {
      switch (a, b) {
      case (.integer(let x), .integer(let y)): Order(x, y)
      case (.integer(let x), .double(let y)): Order(x, y)
      case (.double(let x), .integer(let y)): Order(y, x).flipped
      case (.double(let x), .double(let y)): Order(x, y)
      case (.text(let x), .text(let y)): Order(x, y)
      default: .none
      }
    }

    static func < (a: Bound, b: Bound) -> Bool { order(a, b) == .before }

    static func == (a: Bound, b: Bound) -> Bool { order(a, b) == .same }
  }

  /// Nil if there is no bound.
  var low: Bound?
  var high: Bound?
  var mayBeNull = false
  /// Whether any row has a value.
  var mayBeValue = true
  var mayBeNaN = false
  /// Of a condition, instead of all the others.
  var truth = TruthRange.unknown(mayBeNull: true)

  init(
    low: Bound? = nil, high: Bound? = nil, mayBeNull: Bool, mayBeValue: Bool = true, mayBeNaN: Bool = false
  ) {
    self.low = low
    self.high = high
    self.mayBeNull = mayBeNull
    self.mayBeValue = mayBeValue
    self.mayBeNaN = mayBeNaN
  }

  init(truth: TruthRange) {
    self.init(mayBeNull: true)
    self.truth = truth
  }

  init(exactly bound: Bound) { self.init(low: bound, high: bound, mayBeNull: false) }

  static func unknown(_ kind: Node.Kind) -> ValueRange {
    ValueRange(mayBeNull: true, mayBeNaN: kind == .double)
  }

  init(_ statistics: ChunkStatistics?, _ kind: Node.Kind) {
    guard let statistics else {
      self = .unknown(kind)
      return
    }
    self.init(
      low: statistics.min.flatMap { Bound($0, kind) }, high: statistics.max.flatMap { Bound($0, kind) },
      mayBeNull: statistics.nullCount > 0, mayBeValue: statistics.nullCount < statistics.rowCount,
      mayBeNaN: kind == .double && statistics.mayHoldNaN)
  }

  // MARK: Values from values

  var orNull: ValueRange {
    var result = self
    result.mayBeNull = true
    return result
  }

  /// What `abs` makes of it; only the sign is followed.
  var magnitude: ValueRange {
    var result = orNull
    switch low {
    case .integer(let value) where value >= 0: break
    case .double(let value) where value >= 0: break
    default:
      result.low = nil
      result.high = nil
    }
    return result
  }

  func orElse(_ other: ValueRange) -> ValueRange {
    guard mayBeNull, other.mayBeValue else {
      var result = self
      result.mayBeNull = mayBeNull && other.mayBeNull
      return result
    }
    guard mayBeValue else { return other }
    return ValueRange(
      low: low.flatMap { a in other.low.map { min(a, $0) } },
      high: high.flatMap { a in other.high.map { max(a, $0) } },
      mayBeNull: other.mayBeNull, mayBeNaN: mayBeNaN || other.mayBeNaN)
  }

  func scaled(by factor: Int64) -> ValueRange {
    guard factor != 1 else { return self }
    func scaled(_ bound: Bound?) -> Bound? {
      if case .integer(let value)? = bound { .integer(value * Int128(factor)) } else { bound }
    }
    var result = self
    result.low = scaled(low)
    result.high = scaled(high)
    return result
  }

  // MARK: Conditions on values

  /// The range of a test on the values, of which `answer` says whether it may hold and may fail.
  func test(_ answer: (ValueRange) -> (mayBeTrue: Bool, mayBeFalse: Bool)) -> TruthRange {
    guard mayBeValue else { return TruthRange(nil) }
    let (mayBeTrue, mayBeFalse) = answer(self)
    return TruthRange(mayBeTrue, mayBeFalse, mayBeNull)
  }

  func compare(_ comparison: Expression.Comparison, _ other: ValueRange) -> TruthRange {
    guard mayBeValue, other.mayBeValue else { return TruthRange(nil) }
    // Each says whether some pair of values may lie so.
    let mayBeBefore = ValueRange.mayBe(low, below: other.high)
    let mayBeAfter = ValueRange.mayBe(other.low, below: high)
    let mayBeSame = !ValueRange.isBelow(high, other.low) && !ValueRange.isBelow(other.high, low)
    let mayBeNone = mayBeNaN || other.mayBeNaN
    var result = TruthRange(false, false, mayBeNull || other.mayBeNull)
    let orders: [(Order, Bool)] = [
      (.before, mayBeBefore), (.same, mayBeSame), (.after, mayBeAfter), (.none, mayBeNone),
    ]
    for (order, mayBe) in orders where mayBe {
      if comparison.holds(order) { result.mayBeTrue = true } else { result.mayBeFalse = true }
    }
    return result
  }

  func isIn(_ values: [Bound]) -> (mayBeTrue: Bool, mayBeFalse: Bool) {
    let mayBeTrue = values.contains { value in
      !ValueRange.isBelow(value, low) && !ValueRange.isBelow(high, value)
    }
    guard let low, let high, low == high, !mayBeNaN else { return (mayBeTrue, true) }
    return (mayBeTrue, !mayBeTrue)
  }

  func search(_ search: Search, _ sought: ValueRange) -> TruthRange {
    guard mayBeValue, sought.mayBeValue else { return TruthRange(nil) }
    var answer = (mayBeTrue: true, mayBeFalse: true)
    if case .text(let text)? = sought.low, sought.low == sought.high {
      if search == .startsWith { answer = startsWith(text) }
      if text.bytes.isEmpty { answer = (true, false) }
    }
    return TruthRange(answer.mayBeTrue, answer.mayBeFalse, mayBeNull || sought.mayBeNull)
  }

  func startsWith(_ prefix: Bytes) -> (mayBeTrue: Bool, mayBeFalse: Bool) {
    // What begins with `prefix` is all that is not below it and is below `afterPrefix`.
    let after = prefix.afterPrefix.map { Bound.text($0) }
    let first = Bound.text(prefix)
    let isBeyond = if let low, let after { low >= after } else { false }
    let mayBeTrue = !ValueRange.isBelow(high, first) && !isBeyond
    let isInside =
      if let low, let high { low >= first && (after.map { high < $0 } ?? true) } else { false }
    return (mayBeTrue, !isInside)
  }

  /// Whether a value not below `low` may be below one not above `high`.
  private static func mayBe(_ low: Bound?, below high: Bound?) -> Bool {
    guard let low, let high else { return true }
    return order(low, high) == .before
  }

  private static func order(_ a: Bound, _ b: Bound) -> Order { Bound.order(a, b) }

  private static func isBelow(_ a: Bound?, _ b: Bound?) -> Bool {
    guard let a, let b else { return false }
    return a < b
  }
}

extension ValueRange.Bound {
  /// Nil for a bound of another kind than the column, or NaN: it bounds nothing.
  fileprivate init?(_ bound: ChunkStatistics.Bound, _ kind: Node.Kind) {
    switch (bound, kind) {
    case (.int64(let value), .int64): self = .integer(Int128(value))
    case (.uint64(let value), .uint64): self = .integer(Int128(value))
    case (.double(let value), .double) where !value.isNaN: self = .double(value)
    case (.bytes(let bytes), .text): self = .text(Bytes(bytes))
    default: return nil
    }
  }
}
