package import DSVFormat

extension KindSummary {
  /// The fields that a table with the fields `existing` needs so that it holds the rows observed as well.
  ///
  /// A field keeps its type if every value fits it and else gets the next type that holds both
  /// (``widened(_:)``). Fields that only the rows have come last. So the rows fit a table as it is if this
  /// returns `existing`. Fitting is judged by kind and range: whether a text is a date, a decimal, base64 or,
  /// in CSV, a list shows when it is converted.
  package func fields(widening existing: [Field]) -> [Field] { fields(widening: existing, at: 0) }

  /// What `existing` must become to hold the values observed as well: itself if they fit.
  ///
  /// Integers widen to `int64` or `uint64`; an integer type of up to 32 bits widens to `float64`, and `int64`
  /// and `uint64` do not, since values beyond 2^53 may be stored; a fixed-size list widens to a list; a
  /// struct gets the new fields; all else becomes `json`, or for CSV `utf8`.
  package func widened(_ existing: DataType) -> DataType { widened(existing, 0) }

  private func fields(widening existing: [Field], at node: Int) -> [Field] {
    var result = existing
    var positions: [FieldName: Int] = [:]
    for (position, field) in existing.enumerated() { positions[FieldName(field.name)] = position }
    for child in children(of: node) {
      let name = String(decoding: name(child), as: UTF8.self)
      if let position = positions[FieldName(name)] {
        result[position].type = widened(result[position].type, child)
      } else {
        result.append(Field(name, inferredType(child)))
      }
    }
    return result
  }

  private func widened(_ existing: DataType, _ node: Int) -> DataType {
    let seen = nodes[node]
    if seen.kindCount == 0 { return existing }
    if isText, takesText(existing, seen) { return existing }
    let isOneKind = seen.kindCount == 1
    switch existing {
    case .null: return inferredType(node)
    case .json: return existing
    case .bool: return isOneKind && seen.boolCount > 0 ? existing : openType
    case .utf8, .binary, .date: return isOneKind && seen.stringCount > 0 ? existing : openType
    case .timestamp: return seen.int64Count + seen.stringCount == nonNullCount(seen) ? existing : openType
    case .decimal128: return seen.numberCount + seen.stringCount == nonNullCount(seen) ? existing : openType
    case .float16, .float32, .float64: return widenedFloat(existing, seen)
    case .list(let element):
      guard isOneKind, seen.arrayCount > 0 else { return openType }
      return widenedList(element, node).map { .list($0) } ?? openType
    case .fixedSizeList(let element, let count):
      guard isOneKind, seen.arrayCount > 0, let new = widenedList(element, node) else { return openType }
      let isSameCount = seen.minElementCount == count && seen.maxElementCount == count
      return isSameCount ? .fixedSizeList(new, count: count) : .list(new)
    case .struct(let fields):
      guard isOneKind, seen.objectCount > 0, !seen.isWhole else { return openType }
      return .struct(self.fields(widening: fields, at: node))
    default: return widenedInteger(existing, seen)
    }
  }

  /// Every CSV cell is text as well, and nested values stand there as JSON texts.
  private func takesText(_ existing: DataType, _ seen: KindNode) -> Bool {
    switch existing {
    case .utf8, .binary: true
    case .list, .fixedSizeList, .struct: seen.stringCount == nonNullCount(seen)
    default: false
    }
  }

  private func nonNullCount(_ seen: KindNode) -> Int { seen.valueCount - seen.nullCount }

  /// `nil` if the elements' new type is none that a list may take on by itself.
  private func widenedList(_ element: DataType, _ node: Int) -> DataType? {
    guard !nodes[node].isWhole else { return nil }
    guard nodes[node].element >= 0 else { return element }
    let new = widened(element, Int(nodes[node].element))
    switch (element, new) {
    case (.json, _), (.struct, .struct): return new
    case (_, .json), (_, .struct): return nil
    default: return new
    }
  }

  /// A float column takes every number that does not overflow it, and the words for what is not finite.
  private func widenedFloat(_ existing: DataType, _ seen: KindNode) -> DataType {
    guard seen.numberCount + seen.floatWordCount == nonNullCount(seen), seen.bigNumberCount == 0 else {
      return openType
    }
    switch existing {
    case .float16:
      if seen.maxMagnitude < 65520, seen.areIntegers(within: 1 << 11) { return existing }
    case .float32:
      if seen.maxMagnitude < 0x1.ffffffp127, seen.areIntegers(within: 1 << 24) { return existing }
    default: break
    }
    return seen.areIntegersExactDoubles ? .float64 : openType
  }

  private func widenedInteger(_ existing: DataType, _ seen: KindNode) -> DataType {
    guard seen.kindCount == 1, seen.numberCount > 0, seen.bigNumberCount == 0 else { return openType }
    guard let range = existing.integerRange else { return openType }
    if seen.doubleCount > 0 {
      let isNarrow = existing != .int64 && existing != .uint64
      return isNarrow && seen.areIntegersExactDoubles ? .float64 : openType
    }
    let low = seen.int64Count > 0 ? Int128(seen.minInt64) : Int128(Int64.max)
    let high = max(Int128(seen.maxUInt64), seen.int64Count > 0 ? Int128(seen.maxInt64) : 0)
    if range.contains(low), range.contains(high) { return existing }
    let both = min(low, range.lowerBound)...max(high, range.upperBound)
    if both.lowerBound >= Int128(Int64.min), both.upperBound <= Int128(Int64.max) { return .int64 }
    return both.lowerBound >= 0 ? .uint64 : openType
  }
}

extension DataType {
  /// The values of an integer type.
  var integerRange: ClosedRange<Int128>? {
    switch self {
    case .int8: Int128(Int8.min)...Int128(Int8.max)
    case .int16: Int128(Int16.min)...Int128(Int16.max)
    case .int32: Int128(Int32.min)...Int128(Int32.max)
    case .int64: Int128(Int64.min)...Int128(Int64.max)
    case .uint8: 0...Int128(UInt8.max)
    case .uint16: 0...Int128(UInt16.max)
    case .uint32: 0...Int128(UInt32.max)
    case .uint64: 0...Int128(UInt64.max)
    default: nil
    }
  }
}
