extension ExpressionEvaluator {
  /// The words that hold the rows of this batch.
  var words: Int { (rowCount + 63) / 64 }

  /// The bits of word `word` that stand for rows of this batch.
  @inline(__always)
  func rows(inWord word: Int) -> UInt64 {
    let left = rowCount - word * 64
    return left >= 64 ? .max : (1 << UInt64(left)) - 1
  }

  func evaluate(_ index: Int, _ columns: [ExpressionColumn]) {
    switch nodes[index] {
    case .truth(let value):
      fill(vectors[index].truth, value == true)
      fill(vectors[index].falsity, value == false)
    case .boolColumn(let column): boolColumn(index, columns[column])
    case .column(let column, _): valueColumn(index, columns[column])
    case .columnIsNull(let column):
      presence(columns[column], vectors[index].falsity)
      complement(vectors[index].falsity, vectors[index].truth)
    case .columnIsMissing(let column):
      absence(columns[column], vectors[index].truth)
      complement(vectors[index].truth, vectors[index].falsity)
    case .int64, .uint64, .double, .text: fill(vectors[index].known, true)
    case .and(let a, let b): join(index, a, b, { $0 & $1 }, { $0 | $1 })
    case .or(let a, let b): join(index, a, b, { $0 | $1 }, { $0 & $1 })
    case .not(let a): not(index, a)
    case .sameTruth(let a, let b): sameTruth(index, a, b)
    case .coalesceTruth(let a, let b): coalesceTruth(index, a, b)
    case .isNull(let a): isNull(index, a)
    case .whereKnown(let a, let answer): whereKnown(index, a, answer)
    default: evaluateValues(index)
    }
  }

  // MARK: Bits

  private func fill(_ target: UnsafeMutablePointer<UInt64>, _ value: Bool) {
    for word in 0..<words { target[word] = value ? rows(inWord: word) : 0 }
  }

  private func complement(_ source: UnsafeMutablePointer<UInt64>, _ target: UnsafeMutablePointer<UInt64>) {
    for word in 0..<words { target[word] = ~source[word] & rows(inWord: word) }
  }

  /// Copies a caller's bitmap, of which only whole bytes are there to read.
  private func copy(_ bitmap: UnsafePointer<UInt8>, _ target: UnsafeMutablePointer<UInt64>) {
    let byteCount = (rowCount + 7) / 8
    if words > 0 { target[words - 1] = 0 }
    UnsafeMutableRawPointer(target).copyMemory(from: bitmap, byteCount: byteCount)
    for word in 0..<words { target[word] = UInt64(littleEndian: target[word]) & rows(inWord: word) }
  }

  private func absence(_ column: ExpressionColumn, _ target: UnsafeMutablePointer<UInt64>) {
    if let missing = column.missing { copy(missing, target) } else { fill(target, false) }
  }

  private func presence(_ column: ExpressionColumn, _ target: UnsafeMutablePointer<UInt64>) {
    if let validity = column.validity { copy(validity, target) } else { fill(target, true) }
    guard let missing = column.missing else { return }
    for byte in 0..<(rowCount + 7) / 8 {
      target[byte / 8] &= ~(UInt64(missing[byte]) << UInt64(byte % 8 * 8))
    }
  }

  // MARK: Columns

  private func boolColumn(_ index: Int, _ column: ExpressionColumn) {
    guard case .bits(let bits) = column.values else { preconditionFailure("a column of bool is bits") }
    let (truth, falsity) = (vectors[index].truth, vectors[index].falsity)
    copy(bits, truth)
    presence(column, falsity)
    for word in 0..<words {
      let (value, known) = (truth[word], falsity[word])
      truth[word] = value & known
      falsity[word] = ~value & known
    }
  }

  private func valueColumn(_ index: Int, _ column: ExpressionColumn) {
    presence(column, vectors[index].known)
    switch (kinds[index], column.values) {
    case (.int64, .int64(let base)), (.int64, .listLengths(let base)):
      vectors[index].base = UnsafeRawPointer(base)
    case (.uint64, .uint64(let base)): vectors[index].base = UnsafeRawPointer(base)
    case (.double, .double(let base)): vectors[index].base = UnsafeRawPointer(base)
    case (.text, .bytes(let offsets, let data)):
      vectors[index].base = UnsafeRawPointer(data)
      vectors[index].offsets = offsets
    default: preconditionFailure("the values of a column are of another kind than its type")
    }
  }

  // MARK: Logic

  @inline(__always)
  private func join(
    _ index: Int, _ a: Int, _ b: Int, _ truths: (UInt64, UInt64) -> UInt64,
    _ falsities: (UInt64, UInt64) -> UInt64
  ) {
    let (left, right, result) = (vectors[a], vectors[b], vectors[index])
    for word in 0..<words {
      result.truth[word] = truths(left.truth[word], right.truth[word])
      result.falsity[word] = falsities(left.falsity[word], right.falsity[word])
    }
  }

  private func not(_ index: Int, _ a: Int) {
    let (operand, result) = (vectors[a], vectors[index])
    for word in 0..<words {
      result.truth[word] = operand.falsity[word]
      result.falsity[word] = operand.truth[word]
    }
  }

  private func sameTruth(_ index: Int, _ a: Int, _ b: Int) {
    let (left, right, result) = (vectors[a], vectors[b], vectors[index])
    for word in 0..<words {
      let (truth, falsity) = (left.truth[word], left.falsity[word])
      result.truth[word] = truth & right.truth[word] | falsity & right.falsity[word]
      result.falsity[word] = truth & right.falsity[word] | falsity & right.truth[word]
    }
  }

  private func coalesceTruth(_ index: Int, _ a: Int, _ b: Int) {
    let (left, right, result) = (vectors[a], vectors[b], vectors[index])
    for word in 0..<words {
      let unknown = ~(left.truth[word] | left.falsity[word])
      result.truth[word] = left.truth[word] | unknown & right.truth[word]
      result.falsity[word] = left.falsity[word] | unknown & right.falsity[word]
    }
  }

  private func isNull(_ index: Int, _ a: Int) {
    let (operand, result) = (vectors[a], vectors[index])
    for word in 0..<words {
      let known = kinds[a] == .truth ? operand.truth[word] | operand.falsity[word] : operand.known[word]
      result.truth[word] = ~known & rows(inWord: word)
      result.falsity[word] = known
    }
  }

  private func whereKnown(_ index: Int, _ a: Int, _ answer: Bool) {
    let (operand, result) = (vectors[a], vectors[index])
    for word in 0..<words {
      result.truth[word] = answer ? operand.known[word] : 0
      result.falsity[word] = answer ? 0 : operand.known[word]
    }
  }
}
