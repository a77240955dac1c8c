/// How two values lie to each other.
enum Order {
  case before, same, after
  /// One of them is NaN.
  case none

  @inline(__always)
  init<T: Comparable>(_ a: T, _ b: T) {
    self = a < b ? .before : a == b ? .same : a > b ? .after : .none
  }

  /// Compares an integer with a double exactly.
  @inline(__always)
  init(_ integer: Int128, _ double: Double) {
    if double.isNaN {
      self = .none
    } else if double >= 0x1p126 {
      self = .before
    } else if double < -0x1p126 {
      self = .after
    } else {
      let floor = double.rounded(.down)
      let order = Order(integer, Int128(floor))
      self = order == .same && floor != double ? .before : order
    }
  }

  var flipped: Order {
    switch self {
    case .before: .after
    case .after: .before
    case .same, .none: self
    }
  }
}

extension Expression.Comparison {
  /// Whether values that lie to each other as `order` says satisfy the comparison.
  @inline(__always)
  func holds(_ order: Order) -> Bool {
    switch self {
    case .equal: order == .same
    case .notEqual: order != .same
    case .less: order == .before
    case .lessOrEqual: order == .before || order == .same
    case .greater: order == .after
    case .greaterOrEqual: order == .after || order == .same
    }
  }
}

/// The result, or nil if no int64 holds it or there is none.
@inline(__always)
func apply(_ operation: Expression.Arithmetic, _ a: Int64, _ b: Int64) -> Int64? {
  let result: (partialValue: Int64, overflow: Bool)
  switch operation {
  case .add: result = a.addingReportingOverflow(b)
  case .subtract: result = a.subtractingReportingOverflow(b)
  case .multiply: result = a.multipliedReportingOverflow(by: b)
  case .divide: result = a.dividedReportingOverflow(by: b)
  case .remainder: result = b == -1 ? (0, false) : a.remainderReportingOverflow(dividingBy: b)
  }
  return result.overflow ? nil : result.partialValue
}

/// The result, or nil on division by zero.
@inline(__always)
func apply(_ operation: Expression.Arithmetic, _ a: Double, _ b: Double) -> Double? {
  switch operation {
  case .add: a + b
  case .subtract: a - b
  case .multiply: a * b
  case .divide: b == 0 ? nil : a / b
  case .remainder: b == 0 ? nil : a.truncatingRemainder(dividingBy: b)
  }
}
