package import DSVFormat

extension KindSummary {
  /// The fields that the rows observed so far need, in the order in which they first appeared, all nullable.
  package func inferredFields() -> [Field] { fields(of: 0) }

  /// The type that holds every value observed; for rows a struct of ``inferredFields()``.
  package func inferredType() -> DataType { inferredType(0) }

  /// Adds what `other` observed, as if its rows came after this one's.
  package func merge(_ other: KindSummary) { merge(0, other, 0) }

  func inferredType(_ node: Int) -> DataType {
    let seen = nodes[node]
    switch seen.kindCount {
    case 0: return .null
    case 1 where seen.boolCount > 0: return .bool
    case 1 where seen.stringCount > 0: return .utf8
    case 1 where seen.numberCount > 0: return numberType(seen) ?? openType
    case 1 where seen.isWhole: return openType
    case 1 where seen.objectCount > 0: return .struct(fields(of: node))
    case 1: return listType(node) ?? openType
    default: return openType
    }
  }

  /// The type of what no other type holds.
  var openType: DataType { isText ? .utf8 : .json }

  private func numberType(_ seen: KindNode) -> DataType? {
    if seen.bigNumberCount > 0 { return nil }
    if seen.doubleCount > 0 { return seen.areIntegersExactDoubles ? .float64 : nil }
    if seen.uint64Count == 0 { return .int64 }
    return seen.int64Count == 0 || seen.minInt64 >= 0 ? .uint64 : nil
  }

  /// `nil` if an element, at any level of lists, is an object or of no one type.
  private func listType(_ node: Int) -> DataType? {
    guard nodes[node].element >= 0 else { return .list(.null) }
    let element = inferredType(Int(nodes[node].element))
    switch element {
    case .json, .struct: return nil
    default: return .list(element)
    }
  }

  private func fields(of node: Int) -> [Field] {
    children(of: node).map { Field(String(decoding: name($0), as: UTF8.self), inferredType($0)) }
  }

  private func merge(_ node: Int, _ other: KindSummary, _ otherNode: Int) {
    nodes[node].merge(other.nodes[otherNode])
    if other.nodes[otherNode].element >= 0 {
      merge(elementNode(of: node), other, Int(other.nodes[otherNode].element))
    }
    for otherChild in other.children(of: otherNode) {
      let child = child(of: node, named: other.name(otherChild))
      if child < 0 { return }
      merge(child, other, otherChild)
    }
  }
}
