import DSVFormat

/// Gathers values of one layout, one at a time, until they become a chunk.
///
/// Null slots hold zero or nothing, so equal values always give equal bytes.
package final class ArrayBuilder {
  package let layout: Layout
  // Unchecked for the reason given in GrowingBytes.
  @exclusivity(unchecked) package private(set) var count = 0
  @exclusivity(unchecked) package private(set) var nullCount = 0
  package let children: [ArrayBuilder]
  private let width: Int
  private let listCount: Int
  // One byte a value until it is written: a bit a value is slower to append to.
  private let validity = GrowingBytes()
  private let blobs = GrowingBytes()
  @exclusivity(unchecked) private var blobCount = 0
  private let values = GrowingBytes()
  private let offsets = GrowingBytes()

  package init(_ layout: Layout) {
    self.layout = layout
    if case .fixed(let width) = layout { self.width = width } else { width = 0 }
    if case .fixedSizeList(_, let count) = layout { listCount = count } else { listCount = 0 }
    switch layout {
    case .list(let child), .fixedSizeList(let child, _): children = [ArrayBuilder(child)]
    case .struct(let fields): children = fields.map(ArrayBuilder.init)
    case .none, .bool, .fixed, .bytes: children = []
    }
    offsets.append(UInt32(0))
  }

  package func removeAll() {
    (count, nullCount, blobCount) = (0, 0, 0)
    validity.removeAll()
    blobs.removeAll()
    values.removeAll()
    offsets.removeAll()
    offsets.append(UInt32(0))
    for child in children { child.removeAll() }
  }

  @inline(__always)
  private func appendPresent() {
    if nullCount > 0 { validity.append(UInt8(1)) }
    if blobCount > 0 { blobs.append(UInt8(0)) }
    count += 1
  }

  package func appendNull() {
    if nullCount == 0 {
      validity.removeAll()
      for _ in 0..<count { validity.append(UInt8(1)) }
    }
    validity.append(UInt8(0))
    if blobCount > 0 { blobs.append(UInt8(0)) }
    nullCount += 1
    count += 1
    switch layout {
    case .none: break
    case .bool: values.append(UInt8(0))
    case .fixed: values.appendZeros(width)
    case .bytes: offsets.append(UInt32(truncatingIfNeeded: values.count))
    case .list: offsets.append(UInt32(truncatingIfNeeded: children[0].count))
    case .fixedSizeList: for _ in 0..<listCount { children[0].appendNull() }
    case .struct: for child in children { child.appendNull() }
    }
  }

  /// A value of the layout `none`: there is one, and that is all.
  package func appendValue() { appendPresent() }

  @inline(__always)
  package func append(_ value: Bool) {
    appendPresent()
    values.append(UInt8(value ? 1 : 0))
  }

  /// A value of a fixed layout of `T`'s width.
  @inline(__always)
  package func append<T: BitwiseCopyable>(fixed value: T) {
    appendPresent()
    values.append(value)
  }

  /// Many values of a fixed layout, as they lie in memory, where nothing is null.
  package func append(contentsOf bytes: UnsafeRawBufferPointer) {
    precondition(width > 0 && bytes.count % width == 0 && nullCount == 0 && blobCount == 0)
    values.append(bytes)
    count += bytes.count / width
  }

  /// The same value of a fixed layout of `T`'s width again and again, where nothing is null.
  func append<T: BitwiseCopyable>(repeating value: T, count more: Int) {
    precondition(width == MemoryLayout<T>.size && nullCount == 0 && blobCount == 0)
    values.grow(by: more * width).initializeMemory(as: T.self, repeating: value, count: more)
    count += more
  }

  @inline(__always)
  package func append(_ bytes: UnsafeRawBufferPointer) {
    appendPresent()
    values.append(bytes)
    offsets.append(UInt32(truncatingIfNeeded: values.count))
  }

  package func append(_ blob: BlobReference) {
    if blobCount == 0 {
      blobs.removeAll()
      blobs.appendZeros(count)
    }
    blobCount += 1
    if nullCount > 0 { validity.append(UInt8(1)) }
    blobs.append(UInt8(1))
    count += 1
    blob.bytes.withUnsafeBytes { values.append($0) }
    offsets.append(UInt32(truncatingIfNeeded: values.count))
  }

  /// Ends a list or a struct whose elements or fields have been appended to `children`.
  package func appendNested() {
    appendPresent()
    if case .list = layout { offsets.append(UInt32(truncatingIfNeeded: children[0].count)) }
  }

  /// Copies value `index` of `source`, whose layout is this one's.
  package func append(from source: ArrayView, _ index: Int) {
    if source.isNull(index) { return appendNull() }
    switch layout {
    case .none: appendPresent()
    case .bool: append(source.bool(index))
    case .fixed:
      appendPresent()
      values.append(UnsafeRawBufferPointer(start: source.values + index * width, count: width))
    case .bytes:
      if source.isBlob(index), let blob = try? BlobReference(source.bytes(index)) {
        append(blob)
      } else {
        append(source.bytes(index))
      }
    case .list, .fixedSizeList:
      let (start, end) = source.range(index)
      for element in start..<end { children[0].append(from: source.children[0], element) }
      appendNested()
    case .struct:
      for (child, field) in zip(children, source.children) { child.append(from: field, index) }
      appendPresent()
    }
  }
}

extension ArrayBuilder {
  /// The size in bits, and the hash, of the values from `start` on: what decides where a chunk is cut.
  ///
  /// Validity and list boundaries count for the size and not for the hash.
  package func measure(from start: Int, seed: UInt64) -> (bitCount: Int, hash: UInt64) {
    let n = count - start
    switch layout {
    case .none: return (n, 0)
    case .bool:
      return (n * 2, Hash64.of(UnsafeRawBufferPointer(start: values.base + start, count: n), seed: seed))
    case .fixed:
      let bytes = UnsafeRawBufferPointer(start: values.base + start * width, count: n * width)
      return (n * (8 * width + 1), Hash64.of(bytes, seed: seed))
    case .bytes:
      let first = offset(start)
      let bytes = UnsafeRawBufferPointer(start: values.base + first, count: values.count - first)
      return (n * 33 + 8 * bytes.count, Hash64.of(bytes, seed: seed))
    case .list:
      let (bitCount, hash) = children[0].measure(from: offset(start), seed: seed)
      return (n * 33 + bitCount, hash)
    case .fixedSizeList:
      let (bitCount, hash) = children[0].measure(from: start * listCount, seed: seed)
      return (n + bitCount, hash)
    case .struct:
      return children.reduce((n, seed)) { sum, child in
        let (bitCount, hash) = child.measure(from: start, seed: seed)
        return (sum.0 + bitCount, Hash64.of(sum.1 &+ hash))
      }
    }
  }

  private func offset(_ index: Int) -> Int {
    Int(offsets.base.load(fromByteOffset: index * 4, as: UInt32.self))
  }

  /// Appends everything gathered to `buffer` in plain form.
  package func writePlain(to buffer: GrowingBytes) {
    let flags: UInt8 = (nullCount > 0 ? 1 : 0) | (blobCount > 0 ? 2 : 0)
    buffer.append(layout.code)
    buffer.append(flags)
    buffer.append(UInt16(0))
    buffer.append(UInt32(count))
    if case .fixedSizeList = layout { buffer.append(UInt64(listCount)) }
    if nullCount > 0 { Self.writeBits(validity.bytes, to: buffer) }
    if blobCount > 0 { Self.writeBits(blobs.bytes, to: buffer) }
    switch layout {
    case .none: break
    case .bool: Self.writeBits(values.bytes, to: buffer)
    case .fixed: buffer.append(values.bytes)
    case .bytes:
      buffer.append(offsets.bytes)
      buffer.align8()
      buffer.append(values.bytes)
    case .list: buffer.append(offsets.bytes)
    case .fixedSizeList: break
    case .struct: buffer.append(UInt64(children.count))
    }
    buffer.align8()
    for child in children { child.writePlain(to: buffer) }
  }

  /// Packs bytes of 0 or 1 into bits, least significant first, padded to 8 bytes.
  private static func writeBits(_ flags: UnsafeRawBufferPointer, to buffer: GrowingBytes) {
    var index = 0
    while index < flags.count {
      var byte: UInt8 = 0
      for bit in 0..<min(8, flags.count - index) { byte |= flags[index + bit] << UInt8(bit) }
      buffer.append(byte)
      index += 8
    }
    buffer.align8()
  }
}
