import DSVFormat
import Glibc

/// What kinds of values each field of many rows has, and so which type the field needs.
///
/// The rules, for one field over all rows:
///
/// | values | type |
/// |---|---|
/// | none but null | `null` |
/// | bools | `bool` |
/// | integers, all within 64 bits with sign | `int64` |
/// | integers, none negative, all within 64 bits | `uint64` |
/// | numbers with a point or exponent, and perhaps integers up to 2^53 in magnitude | `float64` |
/// | strings | `utf8` |
/// | objects | `struct`, fields in the order in which they first appeared |
/// | arrays | `list` of the elements' common type |
/// | any other mix of these; any number that no type holds (an integer beyond 64 bits, `1e400`) | `json` |
/// | objects with more than 256 distinct keys in all; anything nested deeper than 16 levels | `json` |
/// | arrays with objects or mixed kinds among their elements | `json` for the whole field |
///
/// Null goes with everything. In CSV, which has no nested values, `utf8` stands wherever the table says
/// `json`, and the column keeps its cells as they were written.
///
/// One value a thread; ``merge(_:)`` joins several. Costs a few nanoseconds a value when rows are alike.
package final class KindSummary {
  /// Levels of nesting within a row that become structs and lists.
  package static let maxLevel = 16
  /// Distinct keys that a nested object may have in all rows to become a struct. A row itself has no such
  /// bound.
  package static let maxFieldCount = 256

  /// Whether what would be `json` is `utf8`, as for CSV.
  let isText: Bool
  /// Every place where a value may be; 0 is the row itself.
  var nodes: UnsafeMutablePointer<KindNode>
  private var nodeCount = 0
  private var nodeCapacity = 64
  private var names = ByteBuffer()
  /// A node by the hash of its parent and name.
  private var nodesByName: [UInt64: Int] = [:]

  /// A summary of no rows, by the rules for the format.
  package init(for format: RecordFormat) {
    isText = format == .csv
    nodes = .allocate(capacity: nodeCapacity)
    _ = addNode(level: 0)
  }

  deinit { nodes.deallocate() }

  /// How many rows were observed.
  package var rowCount: Int { nodes[0].valueCount }

  /// In how many rows the field is null or not there.
  package func missingCount(of field: String) -> Int {
    var field = field
    let node = field.withUTF8 { name in
      children(of: 0).first { isNamed($0, UnsafeRawBufferPointer(name)) }
    }
    guard let node else { return rowCount }
    return rowCount - nodes[node].valueCount + nodes[node].nullCount
  }

  /// Takes a row into account.
  package func observe(_ record: Events) {
    var cursor = EventCursor(record)
    observeValue(0, &cursor)
  }

  /// Takes the value that comes next into account and moves behind it.
  func observeValue(_ node: Int, _ cursor: inout EventCursor) {
    let event = cursor.next()
    switch event.kind {
    case .objectBegin: observeObject(node, event, &cursor)
    case .arrayBegin: observeArray(node, event, &cursor)
    default: nodes[node].observe(scalar: event)
    }
  }

  private func observeObject(_ node: Int, _ begin: Event, _ cursor: inout EventCursor) {
    nodes[node].objectCount += 1
    defer { cursor.index = begin.endIndex }
    guard nodes[node].canDescend else {
      nodes[node].isWhole = true
      return
    }
    var expected = Int(nodes[node].firstChild)
    while cursor.index < begin.endIndex - 1 {
      let key = cursor.next().text
      var child = expected
      if child < 0 || !isNamed(child, key) {
        child = self.child(of: node, named: key)
        if child < 0 { return }
      }
      observeValue(child, &cursor)
      expected = Int(nodes[child].nextSibling)
    }
  }

  private func observeArray(_ node: Int, _ begin: Event, _ cursor: inout EventCursor) {
    nodes[node].observe(arrayOf: begin.length)
    defer { cursor.index = begin.endIndex }
    guard begin.length > 0 else { return }
    guard nodes[node].canDescend else {
      nodes[node].isWhole = true
      return
    }
    let element = elementNode(of: node)
    while cursor.index < begin.endIndex - 1 { observeValue(element, &cursor) }
  }

  // MARK: The tree of nodes

  /// The node of an array's elements.
  func elementNode(of node: Int) -> Int {
    if nodes[node].element < 0 {
      let element = addNode(level: nodes[node].level + 1)
      nodes[node].element = Int32(element)
    }
    return Int(nodes[node].element)
  }

  /// The node of an object's field, new if need be; −1 if the object has too many, which ends its being a
  /// struct.
  func child(of node: Int, named name: UnsafeRawBufferPointer) -> Int {
    var hash = Hash64.of(name, seed: UInt64(node))
    while let found = nodesByName[hash] {
      if nodes[found].parent == node, isNamed(found, name) { return found }
      hash &+= 1
    }
    if node != 0, nodes[node].childCount == Self.maxFieldCount {
      nodes[node].isWhole = true
      return -1
    }
    let child = addNode(level: nodes[node].level + 1)
    nodes[child].parent = Int32(node)
    nodes[child].nameOffset = names.count
    nodes[child].nameByteCount = name.count
    names.append(name)
    if nodes[node].lastChild < 0 {
      nodes[node].firstChild = Int32(child)
    } else {
      nodes[Int(nodes[node].lastChild)].nextSibling = Int32(child)
    }
    nodes[node].lastChild = Int32(child)
    nodes[node].childCount += 1
    nodesByName[hash] = child
    return child
  }

  /// The field's name. Valid until the next field is added.
  func name(_ node: Int) -> UnsafeRawBufferPointer {
    let start = nodes[node].nameOffset
    return UnsafeRawBufferPointer(rebasing: names.bytes[start..<start + nodes[node].nameByteCount])
  }

  /// The nodes of an object's fields, in the order in which they appeared.
  func children(of node: Int) -> some Sequence<Int> {
    sequence(first: Int(nodes[node].firstChild)) { [nodes] in Int(nodes[$0].nextSibling) }.prefix { $0 >= 0 }
  }

  private func isNamed(_ node: Int, _ name: UnsafeRawBufferPointer) -> Bool {
    guard nodes[node].nameByteCount == name.count else { return false }
    guard let ours = self.name(node).baseAddress, let theirs = name.baseAddress else { return true }
    return memcmp(ours, theirs, name.count) == 0
  }

  private func addNode(level: Int32) -> Int {
    if nodeCount == nodeCapacity {
      let bigger = UnsafeMutablePointer<KindNode>.allocate(capacity: nodeCapacity * 2)
      bigger.moveInitialize(from: nodes, count: nodeCount)
      nodes.deallocate()
      nodes = bigger
      nodeCapacity *= 2
    }
    (nodes + nodeCount).initialize(to: KindNode(level: level))
    nodeCount += 1
    return nodeCount - 1
  }
}
