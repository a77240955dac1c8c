package import DSVFormat

/// A run of consecutive values of one column, in plain form: what its ID is computed over.
///
/// Immutable; `array` points into memory that lives as long as the chunk does.
package final class Chunk: @unchecked Sendable {
  // Unchecked because of the pointers: nothing writes through them after `init`.
  package let array: ArrayView
  private let buffer: GrowingBytes

  package var plainBytes: UnsafeRawBufferPointer { buffer.bytes }
  package var count: Int { array.count }

  /// Takes over `buffer`, which holds a plain form and nothing else, and must not be changed after.
  ///
  /// - Throws: `corrupt` if the bytes are no plain form.
  package init(taking buffer: GrowingBytes, of subject: String) throws(DSVError) {
    var parser = PlainParser(bytes: buffer.bytes, subject: subject)
    array = try parser.parseNode(depth: 0)
    try parser.finish()
    self.buffer = buffer
  }

  package convenience init(copying bytes: UnsafeRawBufferPointer, of subject: String) throws(DSVError) {
    let buffer = GrowingBytes(capacity: bytes.count)
    buffer.append(bytes)
    try self.init(taking: buffer, of: subject)
  }

  /// What keeps the bytes from being the one plain form of their values, beyond what `init` has checked; `nil` if nothing.
  ///
  /// Not part of reading: whoever recomputes IDs asks.
  package var problem: String? { array.problem }

  /// Makes sure that the chunk is what its column's root or tree says of it: whoever reads it goes by that.
  ///
  /// - Parameter id: `nil` for a chunk that is kept inline.
  func check(_ id: ColumnID?, layout: Layout, rowCount: Int, nullCount: Int) throws(DSVError) {
    guard array.layout == layout, count == rowCount, array.nullCount == nullCount else {
      throw DSVError(
        .corrupt,
        "\(id.map { "chunk \($0)" } ?? "an inline chunk"): \(count) values, \(array.nullCount) of them null, where its column has \(rowCount) "
          + "and \(nullCount), or values of another layout")
    }
  }

  /// The chunk's name, which follows from its kind and its plain form.
  package func id(_ naming: ObjectNaming) -> ColumnID { naming.id(kind: .chunk, plainBytes) }
}

/// Finds the parts of a plain form, checking every count and offset before anything relies on it.
private struct PlainParser {
  let bytes: UnsafeRawBufferPointer
  let subject: String
  var offset = 0

  static let depthMax = 32

  func corrupt(_ what: String) -> DSVError { DSVError(.corrupt, "\(subject): \(what) at byte \(offset)") }

  mutating func take(_ count: Int) throws(DSVError) -> UnsafeRawPointer {
    let padded = (count + 7) & ~7
    guard count >= 0, padded <= bytes.count - offset, let base = bytes.baseAddress else {
      throw corrupt("\(count) bytes wanted, \(bytes.count - offset) left")
    }
    for index in offset + count..<offset + padded where bytes[index] != 0 {
      throw corrupt("padding is not zero")
    }
    defer { offset += padded }
    return base + offset
  }

  mutating func parseNode(depth: Int) throws(DSVError) -> ArrayView {
    guard depth < Self.depthMax else { throw corrupt("lists are nested too deeply") }
    let header = try take(8)
    let code = header.load(as: UInt8.self)
    let flags = header.load(fromByteOffset: 1, as: UInt8.self)
    let reserved = header.load(fromByteOffset: 2, as: UInt16.self)
    let count = Int(header.load(fromByteOffset: 4, as: UInt32.self))
    guard flags & ~3 == 0, reserved == 0, flags & 2 == 0 || (code == 7 && depth == 0) else {
      throw DSVError(.unsupportedFormat, "\(subject): a flag that is not known to this dsv")
    }
    let perRow = code == 9 ? Int(clamping: try take(8).load(as: UInt64.self)) : 1
    guard perRow >= 1 else { throw corrupt("lists of no elements") }
    let validity = flags & 1 == 0 ? nil : try takeBits(count)
    if let validity, Self.bitCount(validity, count) == count {
      throw corrupt("a validity bitmap without a null")
    }
    let blobs = flags & 2 == 0 ? nil : try takeBits(count)
    func view(
      _ layout: Layout, _ values: UnsafeRawPointer, offsets: UnsafePointer<UInt32>? = nil,
      children: [ArrayView] = []
    ) -> ArrayView {
      ArrayView(
        layout: layout, count: count, validity: validity, values: values, offsets: offsets, blobs: blobs,
        children: children)
    }
    switch code {
    case 0: return view(.none, header)
    case 1: return view(.bool, try takeBits(count))
    case 2...6:
      let width = 1 << (Int(code) - 2)
      return view(.fixed(width), try take(count * width))
    case 7:
      let offsets = try takeOffsets(count)
      let result = view(.bytes, try take(Int(offsets[count])), offsets: offsets)
      if let problem = EncodedArray(result).blobProblem { throw corrupt(problem) }
      return result
    case 8:
      let offsets = try takeOffsets(count)
      let child = try parseNode(depth: depth + 1)
      guard child.count == Int(offsets[count]) else { throw corrupt("a list's elements do not add up") }
      return view(.list(child.layout), header, offsets: offsets, children: [child])
    case 9:
      let child = try parseNode(depth: depth + 1)
      let (wanted, overflow) = count.multipliedReportingOverflow(by: perRow)
      guard !overflow, child.count == wanted else { throw corrupt("a list's elements do not add up") }
      return view(.fixedSizeList(child.layout, count: perRow), header, children: [child])
    case 10:
      let fieldCount = Int(clamping: try take(8).load(as: UInt64.self))
      guard fieldCount <= 4096 else { throw corrupt("too many fields") }
      var children: [ArrayView] = []
      for _ in 0..<fieldCount {
        children.append(try parseNode(depth: depth + 1))
        guard children.last?.count == count else { throw corrupt("a struct's fields differ in length") }
      }
      return view(.struct(children.map(\.layout)), header, children: children)
    default: throw DSVError(.unsupportedFormat, "\(subject): layout \(code) is not known to this dsv")
    }
  }

  mutating func takeOffsets(_ count: Int) throws(DSVError) -> UnsafePointer<UInt32> {
    let offsets = try take((count + 1) * 4).assumingMemoryBound(to: UInt32.self)
    guard offsets[0] == 0 else { throw corrupt("offsets do not begin at 0") }
    // Without branches, so that many are compared at once.
    var decreases: UInt32 = 0
    for index in 0..<count { decreases |= offsets[index] > offsets[index &+ 1] ? 1 : 0 }
    guard decreases == 0 else { throw corrupt("offsets decrease") }
    return offsets
  }

  /// One bit for each of `count` values.
  mutating func takeBits(_ count: Int) throws(DSVError) -> UnsafePointer<UInt8> {
    let bits = try take((count + 7) / 8).assumingMemoryBound(to: UInt8.self)
    guard count & 7 == 0 || bits[count >> 3] >> UInt8(count & 7) == 0 else {
      throw corrupt("trailing bits are not zero")
    }
    return bits
  }

  static func bitCount(_ bits: UnsafePointer<UInt8>, _ count: Int) -> Int {
    (0..<(count + 7) / 8).reduce(0) { $0 + bits[$1].nonzeroBitCount }
  }

  func finish() throws(DSVError) {
    if offset != bytes.count { throw corrupt("\(bytes.count - offset) bytes too many") }
  }
}
