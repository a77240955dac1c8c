/// Which of true, false and null a condition may be over the rows of a chunk.
struct TruthRange {
  var mayBeTrue: Bool
  var mayBeFalse: Bool
  var mayBeNull = false

  init(_ mayBeTrue: Bool, _ mayBeFalse: Bool, _ mayBeNull: Bool = false) {
    self.mayBeTrue = mayBeTrue
    self.mayBeFalse = mayBeFalse
    self.mayBeNull = mayBeNull
  }

  init(_ value: Bool?) { self.init(value == true, value == false, value == nil) }

  init(column: ChunkStatistics?) {
    guard let column else {
      self = .unknown(mayBeNull: true)
      return
    }
    let mayBeValue = column.nullCount < column.rowCount
    self.init(
      mayBeValue && column.max != .bool(false), mayBeValue && column.min != .bool(true), column.nullCount > 0)
  }

  static func unknown(mayBeNull: Bool) -> TruthRange { TruthRange(true, true, mayBeNull) }

  var negated: TruthRange { TruthRange(mayBeFalse, mayBeTrue, mayBeNull) }

  func and(_ other: TruthRange) -> TruthRange {
    TruthRange(
      mayBeTrue && other.mayBeTrue, mayBeFalse || other.mayBeFalse,
      mayBeNull && (other.mayBeNull || other.mayBeTrue) || other.mayBeNull && mayBeTrue)
  }

  func same(as other: TruthRange) -> TruthRange {
    TruthRange(
      mayBeTrue && other.mayBeTrue || mayBeFalse && other.mayBeFalse,
      mayBeTrue && other.mayBeFalse || mayBeFalse && other.mayBeTrue, mayBeNull || other.mayBeNull)
  }

  func orElse(_ other: TruthRange) -> TruthRange {
    guard mayBeNull else { return self }
    return TruthRange(mayBeTrue || other.mayBeTrue, mayBeFalse || other.mayBeFalse, other.mayBeNull)
  }
}
