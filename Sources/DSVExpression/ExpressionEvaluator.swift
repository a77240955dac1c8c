import DSVFormat

/// Evaluates an expression over batches of rows, a node at a time.
///
/// It owns the memory for what is between the columns and the answer (each vector is reused as soon
/// as its last reader is done), so make one per thread and keep it: a batch then allocates nothing,
/// unless `lower` or `upper` meet more text than before.
package final class ExpressionEvaluator {
  /// The most rows in a batch.
  package static let batchRowLimit = 8192
  static let wordCount = batchRowLimit / 64

  /// What is evaluated; its `columns` say what a batch must bring.
  package let expression: CheckedExpression
  let nodes: [Node]
  let kinds: [Node.Kind]
  var vectors: [Vector]
  private var memory: [UnsafeMutableRawPointer] = []
  /// The texts that each `lower` and `upper` has made, by node.
  private var arenas: [Int: UnsafeMutableRawBufferPointer] = [:]
  /// What `lower` and `upper` make texts in before they know how much memory those take.
  var mapped: [UInt8] = []
  var mappedEnds: [Int] = []
  var rowCount = 0

  /// Takes the memory that the expression needs: up to 128 KiB for each value that is computed at one time.
  package init(_ expression: CheckedExpression) {
    self.expression = expression
    nodes = expression.nodes
    var kinds: [Node.Kind] = []
    for node in nodes { kinds.append(node.kind(after: kinds)) }
    self.kinds = kinds
    vectors = Array(repeating: Vector(), count: nodes.count)
    allocate()
  }

  deinit {
    for pointer in memory { pointer.deallocate() }
    for arena in arenas.values { arena.deallocate() }
  }

  /// Finds the rows for which the expression is true.
  ///
  /// - Parameters:
  ///   - columns: one for each of `expression.columns`, in that order, with values unless only presence
  ///     is needed.
  ///   - rowCount: at most ``batchRowLimit``.
  ///   - selection: takes the answer; its memory is reused.
  package func select(_ columns: [ExpressionColumn], rowCount: Int, into selection: inout Selection) {
    precondition(columns.count == expression.columns.count)
    precondition((0...ExpressionEvaluator.batchRowLimit).contains(rowCount))
    self.rowCount = rowCount
    for index in nodes.indices { evaluate(index, columns) }
    let answer = vectors[nodes.count - 1].bits
    let words = (rowCount + 63) / 64
    selection.words.removeAll(keepingCapacity: true)
    selection.words.append(contentsOf: UnsafeBufferPointer(start: answer, count: words))
    selection.count = selection.words.reduce(0) { $0 + $1.nonzeroBitCount }
  }

  // MARK: Memory

  private func new(byteCount: Int) -> UnsafeMutableRawPointer {
    let pointer = UnsafeMutableRawPointer.allocate(byteCount: max(16, byteCount), alignment: 16)
    memory.append(pointer)
    return pointer
  }

  /// Gives each node its memory; what a node no longer read has used goes to a later one.
  private func allocate() {
    var lastReader = Array(nodes.indices)
    for (index, node) in nodes.enumerated() { for operand in node.operands { lastReader[operand] = index } }
    var freeBits: [UnsafeMutableRawPointer] = []
    var freeValues: [UnsafeMutableRawPointer] = []
    for (index, node) in nodes.enumerated() {
      let bits = freeBits.popLast() ?? new(byteCount: 2 * 8 * ExpressionEvaluator.wordCount)
      vectors[index].bits = bits.assumingMemoryBound(to: UInt64.self)
      switch (kinds[index], node) {
      case (.truth, _), (_, .column): break
      case (_, _) where node.isConstant: storeConstant(index, node)
      default:
        // 16 bytes a row hold any number or a slice of text.
        vectors[index].storage =
          freeValues.popLast() ?? new(byteCount: ExpressionEvaluator.batchRowLimit * 16)
        vectors[index].base = UnsafeRawPointer(vectors[index].storage)
      }
      for operand in Set(node.operands) where lastReader[operand] == index {
        freeBits.append(UnsafeMutableRawPointer(vectors[operand].bits))
        if let storage = vectors[operand].storage { freeValues.append(storage) }
      }
    }
  }

  /// Memory of the node's own that holds `bytes` until the next batch.
  func arena(_ index: Int, copying bytes: [UInt8]) -> UnsafePointer<UInt8> {
    var arena = arenas[index] ?? UnsafeMutableRawBufferPointer.allocate(byteCount: 1024, alignment: 16)
    if arena.count < bytes.count {
      arena.deallocate()
      arena = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count * 2, alignment: 16)
    }
    arena.copyBytes(from: bytes)
    arenas[index] = arena
    return UnsafePointer(arena.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self))
  }

  /// A constant has one row, which its mask repeats.
  private func storeConstant(_ index: Int, _ node: Node) {
    let base = new(byteCount: 16)
    switch node {
    case .int64(let value): base.storeBytes(of: value, as: Int64.self)
    case .uint64(let value): base.storeBytes(of: value, as: UInt64.self)
    case .double(let value): base.storeBytes(of: value, as: Double.self)
    case .text(let text):
      let copy = new(byteCount: text.bytes.count)
      copy.copyMemory(from: text.bytes, byteCount: text.bytes.count)
      let slice = TextSlice(
        start: copy.assumingMemoryBound(to: UInt8.self), count: text.bytes.count)
      base.storeBytes(of: slice, as: TextSlice.self)
    default: preconditionFailure("not a constant")
    }
    vectors[index].base = UnsafeRawPointer(base)
    vectors[index].mask = 0
  }
}

/// What a node gave for the rows of a batch.
struct Vector {
  /// Of a condition: first the words of rows where it is true, then those where it is false. Of a value: the
  /// words of rows where there is one. Bits past the last row are 0.
  var bits: UnsafeMutablePointer<UInt64> = UnsafeMutablePointer(bitPattern: 8)!
  /// Numbers, or slices of text unless `offsets` says where the texts are; the caller's for a column.
  var base: UnsafeRawPointer?
  var offsets: UnsafePointer<UInt32>?
  /// 0 if there is but one row, which stands for all; else all ones.
  var mask = -1
  /// Memory of its own that `base` points to.
  var storage: UnsafeMutableRawPointer?

  var truth: UnsafeMutablePointer<UInt64> { bits }
  var falsity: UnsafeMutablePointer<UInt64> { bits + ExpressionEvaluator.wordCount }
  var known: UnsafeMutablePointer<UInt64> { bits }

  func lane<T>(_: T.Type = T.self) -> Lane<T> {
    Lane(base: base.unsafelyUnwrapped.assumingMemoryBound(to: T.self), mask: mask)
  }
}

/// Values of a fixed size, by row.
struct Lane<T> {
  let base: UnsafePointer<T>
  let mask: Int

  @inline(__always)
  subscript(row: Int) -> T { base[row & mask] }
}

/// A text where it lies.
typealias TextSlice = UnsafeBufferPointer<UInt8>

/// Texts, by row: those of a column, or slices of whatever memory.
struct TextRows {
  let base: UnsafeRawPointer
  let offsets: UnsafePointer<UInt32>?
  let mask: Int

  init(_ vector: Vector) {
    base = vector.base.unsafelyUnwrapped
    offsets = vector.offsets
    mask = vector.mask
  }

  @inline(__always)
  subscript(row: Int) -> TextSlice {
    guard let offsets else { return base.assumingMemoryBound(to: TextSlice.self)[row & mask] }
    let start = Int(offsets[row])
    return TextSlice(
      start: base.assumingMemoryBound(to: UInt8.self) + start, count: Int(offsets[row + 1]) - start)
  }
}
