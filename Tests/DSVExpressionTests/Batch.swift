import DSVExpression
import DSVFormat

/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}

/// A value of a row, as the reference evaluator sees it.
enum Cell: Equatable {
  case null, missing
  case bool(Bool)
  case integer(Int128)
  case double(Double)
  case text(String)
}

/// Rows by column, and what an evaluator wants of them.
struct Batch {
  var fields: [Field]
  var columns: [[Cell]]
  var rowCount: Int { columns.first?.count ?? 0 }

  func field(_ path: [String]) -> Int { fields.firstIndex { $0.name == path[0] }! }

  /// The rows, as true or false, that the expression selects.
  func select(_ evaluator: ExpressionEvaluator) -> [Bool] {
    var memory: [UnsafeMutableRawPointer] = []
    defer { for pointer in memory { pointer.deallocate() } }
    func keep<T: BitwiseCopyable>(_ values: [T]) -> UnsafePointer<T> {
      let pointer = UnsafeMutablePointer<T>.allocate(capacity: max(1, values.count))
      for (index, value) in values.enumerated() { pointer[index] = value }
      memory.append(UnsafeMutableRawPointer(pointer))
      return UnsafePointer(pointer)
    }
    func bitmap(_ bits: [Bool]) -> UnsafePointer<UInt8> {
      var bytes = [UInt8](repeating: 0, count: (bits.count + 7) / 8)
      for (row, bit) in bits.enumerated() where bit { bytes[row / 8] |= 1 << UInt8(row % 8) }
      return keep(bytes)
    }
    let input = evaluator.expression.columns.map { column -> ExpressionColumn in
      let cells = columns[field(column.path)]
      let values: ExpressionColumn.Values
      switch column.type {
      case .bool: values = .bits(bitmap(cells.map { $0 == .bool(true) }))
      case .uint64:
        values = .uint64(keep(cells.map { if case .integer(let x) = $0 { UInt64(x) } else { 77 } }))
      case .float64: values = .double(keep(cells.map { if case .double(let x) = $0 { x } else { 77 } }))
      case .utf8:
        // Nulls have bytes too: they must not matter.
        let texts = cells.map { if case .text(let x) = $0 { Array(x.utf8) } else { Array("abé".utf8) } }
        var offsets: [UInt32] = [3]
        for text in texts { offsets.append(offsets.last! + UInt32(text.count)) }
        values = .bytes(offsets: keep(offsets), data: keep(Array("ab ".utf8) + texts.flatMap { $0 }))
      case .list:
        values = .listLengths(keep(cells.map { if case .integer(let x) = $0 { Int64(x) } else { 77 } }))
      default: values = .int64(keep(cells.map { if case .integer(let x) = $0 { Int64(x) } else { 77 } }))
      }
      let known = cells.map { $0 != .null && $0 != .missing }
      let missing = cells.map { $0 == .missing }
      // A missing row may be marked valid: the evaluator goes by both.
      return ExpressionColumn(
        column.need == .presence ? .none : values,
        validity: known.contains(false) ? bitmap(zip(known, missing).map { $0 || $1 }) : nil,
        missing: missing.contains(true) ? bitmap(missing) : nil)
    }
    var selection = Selection()
    evaluator.select(input, rowCount: rowCount, into: &selection)
    let answer = (0..<rowCount).map { selection.contains($0) }
    precondition(selection.count == answer.count { $0 })
    return answer
  }

  /// Statistics as a writer makes them: texts cut to 16 bytes, the maximum rounded up.
  func statistics(_ column: CheckedExpression.Column, tellsNaN: Bool) -> ChunkStatistics {
    let cells = columns[field(column.path)]
    var result = ChunkStatistics(
      rowCount: cells.count, nullCount: cells.count { $0 == .null || $0 == .missing })
    if tellsNaN { result.missingCount = cells.count { $0 == .missing } }
    let integers = cells.compactMap { if case .integer(let x) = $0 { x } else { nil } }
    let doubles = cells.compactMap { if case .double(let x) = $0, !x.isNaN { x } else { nil } }
    let texts = cells.compactMap { if case .text(let x) = $0 { Array(x.utf8) } else { nil } }
    let bools = cells.compactMap { if case .bool(let x) = $0 { x } else { nil } }
    if let low = integers.min(), let high = integers.max() {
      result.min = column.type == .uint64 ? .uint64(UInt64(low)) : .int64(Int64(low))
      result.max = column.type == .uint64 ? .uint64(UInt64(high)) : .int64(Int64(high))
    }
    if let low = doubles.min(), let high = doubles.max() {
      result.min = .double(low)
      result.max = .double(high)
    }
    if tellsNaN {
      result.mayHoldNaN = cells.contains { if case .double(let x) = $0 { x.isNaN } else { false } }
    }
    if let low = texts.min(by: { $0.lexicographicallyPrecedes($1) }),
      let high = texts.max(by: { $0.lexicographicallyPrecedes($1) })
    {
      result.min = .bytes(Array(low.prefix(16)))
      result.max = .bytes(roundedUp(high))
    }
    if !bools.isEmpty {
      result.min = .bool(!bools.contains(false))
      result.max = .bool(bools.contains(true))
    }
    return result
  }

  private func roundedUp(_ text: [UInt8]) -> [UInt8] {
    guard text.count > 16 else { return text }
    var cut = Array(text.prefix(16))
    cut[15] += 1
    return cut
  }
}
