extension ArrayView {
  /// Where a null slot holds something; `nil` where all are zero, and their children empty or null.
  ///
  /// Otherwise the same values could have two names.
  var problem: String? {
    for child in children { if let problem = child.problem { return problem } }
    guard validity != nil else { return nil }
    for index in 0..<count where isNull(index) {
      if !isSlotEmpty(index) { return "the slot of null \(index) is not empty" }
    }
    return nil
  }

  private func isSlotEmpty(_ index: Int) -> Bool {
    switch layout {
    case .none: return true
    case .bool: return !bool(index)
    case .fixed(let width):
      return UnsafeRawBufferPointer(start: values + index * width, count: width).allSatisfy { $0 == 0 }
    case .bytes, .list: return range(index).start == range(index).end
    case .fixedSizeList(_, let n): return (index * n..<(index + 1) * n).allSatisfy(children[0].isNull)
    case .struct: return children.allSatisfy { $0.isNull(index) }
    }
  }
}
