/// One step of a checked expression; the numbers are indexes of nodes before it, or of columns.
enum Node: Hashable {
  // Conditions.
  case truth(Bool?)
  case boolColumn(Int)
  case and(Int, Int)
  case or(Int, Int)
  case not(Int)
  /// Whether two conditions are the same; null if either is.
  case sameTruth(Int, Int)
  case coalesceTruth(Int, Int)
  case isNull(Int)
  case columnIsNull(Int)
  case columnIsMissing(Int)
  /// The given answer where the node has a value, else null.
  case whereKnown(Int, Bool)
  /// Both of one kind. A constant, if any, is the second.
  case compare(Expression.Comparison, Int, Int)
  /// Numbers of different kinds, or times of different units: each is first multiplied, exactly.
  case compareMixed(Expression.Comparison, Int, Int64, Int, Int64)
  /// The values are in order and different.
  case isInIntegers(Int, [Int64])
  case isInTexts(Int, [Bytes])
  case search(Search, Int, Int)
  case like(Int, LikePattern)

  // Values.
  case int64(Int64)
  case uint64(UInt64)
  case double(Double)
  case text(Bytes)
  case column(Int, Kind)
  case toDouble(Int)
  /// Of a uint64; null if it does not fit.
  case toInt64(Int)
  /// Both int64 or both double.
  case arithmetic(Expression.Arithmetic, Int, Int)
  case abs(Int)
  case length(Int)
  case byteLength(Int)
  case map(TextMap, Int)
  case coalesce(Int, Int)

  /// What a node gives for each row.
  enum Kind: Hashable {
    case truth, int64, uint64, double, text
  }

  enum TextMap: Hashable {
    case lower, upper, trim
  }

  /// The nodes that this one reads.
  var operands: [Int] {
    switch self {
    case .truth, .boolColumn, .columnIsNull, .columnIsMissing, .int64, .uint64, .double, .text, .column: []
    case .and(let a, let b), .or(let a, let b), .sameTruth(let a, let b), .coalesceTruth(let a, let b),
      .compare(_, let a, let b), .compareMixed(_, let a, _, let b, _), .search(_, let a, let b),
      .arithmetic(_, let a, let b), .coalesce(let a, let b):
      [a, b]
    case .not(let a), .isNull(let a), .whereKnown(let a, _), .isInIntegers(let a, _), .isInTexts(let a, _),
      .like(let a, _), .toDouble(let a), .toInt64(let a), .abs(let a), .length(let a), .byteLength(let a),
      .map(_, let a):
      [a]
    }
  }

  /// The kind of this node, given those of the nodes before it.
  func kind(after kinds: [Kind]) -> Kind {
    switch self {
    case .truth, .boolColumn, .and, .or, .not, .sameTruth, .coalesceTruth, .isNull, .columnIsNull,
      .columnIsMissing, .whereKnown, .compare, .compareMixed, .isInIntegers, .isInTexts, .search, .like:
      .truth
    case .int64, .toInt64, .length, .byteLength: .int64
    case .uint64: .uint64
    case .double, .toDouble: .double
    case .text, .map: .text
    case .column(_, let kind): kind
    case .arithmetic(_, let a, _), .abs(let a), .coalesce(let a, _): kinds[a]
    }
  }

  var isConstant: Bool {
    switch self {
    case .int64, .uint64, .double, .text: true
    default: false
    }
  }
}

/// The bytes of a text, compared and ordered as such.
struct Bytes: Hashable, Comparable, Sendable {
  var bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  static func < (a: Bytes, b: Bytes) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }

  /// The smallest bytes above all that begin with these; nil if there are none.
  var afterPrefix: Bytes? {
    var bytes = bytes
    while let last = bytes.popLast() {
      if last < 0xff { return Bytes(bytes + [last + 1]) }
    }
    return nil
  }
}
