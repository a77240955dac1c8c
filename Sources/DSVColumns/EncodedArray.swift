package import DSVFormat

/// Consecutive values of one layout as they lie in a chunk's encoded form: found and checked, and not expanded.
///
/// Any run of them can be had without the others. Points into memory that an ``EncodedChunk`` or a ``Chunk`` owns.
package struct EncodedArray {
  /// How the values of `view` lie.
  enum Form {
    /// As in the plain form.
    case plain
    /// Fixed layouts of at most 8 bytes: each is `low` and a packed number together; a null slot is 0.
    case packed(UnsafeRawPointer, width: Int, low: UInt64)
    /// Bytes: `view` has the entries, and each slot's entry is a packed number; a null slot has no bytes.
    case dictionary(UnsafeRawPointer, width: Int)
  }

  /// Layout, count and bitmaps; values and offsets as `form` says. Its children are `children` instead.
  package let view: ArrayView
  let form: Form
  /// Lists: the elements. Structs: the fields.
  let children: [EncodedArray]

  package var layout: Layout { view.layout }
  package var count: Int { view.count }

  init(_ view: ArrayView, _ form: Form, children: [EncodedArray] = []) {
    (self.view, self.form, self.children) = (view, form, children)
  }

  /// Values that are in plain form already.
  package init(_ plain: ArrayView) {
    self.init(plain, .plain, children: plain.children.map { EncodedArray($0) })
  }

  /// Which entry of a dictionary a slot has.
  @inline(__always)
  private func entry(_ index: Int, _ numbers: UnsafeRawPointer, _ width: Int) -> Int {
    Int(BitPacking.read(numbers, index, width: width))
  }

  /// Writes the values at `run` of a fixed layout.
  func writeFixed(_ run: Range<Int>, to target: UnsafeMutableRawPointer) {
    guard case .fixed(let byteCount) = layout else { preconditionFailure("values of no fixed width") }
    guard case .packed(let numbers, let width, let low) = form else {
      target.copyMemory(from: view.values + run.lowerBound * byteCount, byteCount: run.count * byteCount)
      return
    }
    switch byteCount {
    case 1: unpack(UInt8.self, run, numbers, width, low, to: target)
    case 2: unpack(UInt16.self, run, numbers, width, low, to: target)
    case 4: unpack(UInt32.self, run, numbers, width, low, to: target)
    default: unpack(UInt64.self, run, numbers, width, low, to: target)
    }
  }

  private func unpack<T: FixedWidthInteger & BitwiseCopyable>(
    _: T.Type, _ run: Range<Int>, _ numbers: UnsafeRawPointer, _ width: Int, _ low: UInt64,
    to raw: UnsafeMutableRawPointer
  ) {
    let target = raw.bindMemory(to: T.self, capacity: run.count)
    let (low, start) = (T(truncatingIfNeeded: low), run.lowerBound)
    if width == 0 {
      target.initialize(repeating: low, count: run.count)
    } else {
      for index in 0..<run.count {
        let number = BitPacking.read(numbers, start &+ index, width: width)
        target[index] = low &+ T(truncatingIfNeeded: number)
      }
    }
    if view.validity == nil { return }
    for index in 0..<run.count where view.isNull(start + index) { target[index] = 0 }
  }

  /// The bytes of value `index` of layout bytes, which is not null. Of a blob: its ``BlobReference``.
  func bytes(_ index: Int) -> UnsafeRawBufferPointer {
    guard case .dictionary(let numbers, let width) = form else { return view.bytes(index) }
    return view.bytes(entry(index, numbers, width))
  }

  /// How many bytes value `index` has, if it is a blob; else 0.
  package func blobByteCount(_ index: Int) throws(DSVError) -> Int {
    view.isBlob(index) ? try BlobReference(bytes(index)).valueByteCount : 0
  }

  /// What is wrong with the references of blobs, if there are any; `nil` if nothing.
  var blobProblem: String? {
    guard view.blobs != nil else { return nil }
    var isAny = false
    for index in 0..<count where view.isBlob(index) {
      isAny = true
      guard !view.isNull(index), bytes(index).count == BlobReference.byteCount,
        let reference = try? BlobReference(bytes(index)),
        BlobReference.valueByteCounts.contains(reference.valueByteCount)
      else { return "a blob reference that cannot be" }
    }
    return isAny ? nil : "a blob bitmap without a blob"
  }

  /// How many bytes the values at `run` have, of layout bytes; how many elements, of lists.
  func length(_ run: Range<Int>) -> Int {
    guard let offsets = view.offsets else { return 0 }
    guard case .dictionary(let numbers, let width) = form else {
      return Int(offsets[run.upperBound]) - Int(offsets[run.lowerBound])
    }
    if width == 0, view.validity == nil { return Int(offsets[1]) * run.count }
    var sum = 0
    for index in run where !view.isNull(index) {
      let entry = entry(index, numbers, width)
      sum += Int(offsets[entry + 1] - offsets[entry])
    }
    return sum
  }

  /// Writes where each value at `run` ends, of layouts with offsets, if the first begins at `start`.
  func writeEnds(_ run: Range<Int>, from start: Int, to target: UnsafeMutableRawPointer) {
    guard let offsets = view.offsets else { return }
    let ends = target.bindMemory(to: UInt32.self, capacity: run.count)
    guard case .dictionary(let numbers, let width) = form else {
      let shift = UInt32(start) &- offsets[run.lowerBound]
      let first = offsets + run.lowerBound + 1
      for index in 0..<run.count { ends[index] = first[index] &+ shift }
      return
    }
    var end = UInt32(start)
    if width == 0, view.validity == nil {
      let byteCount = offsets[1]
      for index in 0..<run.count { ends[index] = end &+ UInt32(truncatingIfNeeded: index &+ 1) &* byteCount }
      return
    }
    for index in run {
      if !view.isNull(index) {
        let entry = entry(index, numbers, width)
        end &+= offsets[entry + 1] &- offsets[entry]
      }
      ends[index - run.lowerBound] = end
    }
  }

  /// Writes the bytes of the values at `run`, which has `length(run)` of them, of layout bytes.
  ///
  /// - Parameter target: has room for 16 bytes more, as ``GrowingBytes`` has.
  func writeBytes(_ run: Range<Int>, to target: UnsafeMutableRawPointer) {
    guard let offsets = view.offsets else { return }
    guard case .dictionary(let numbers, let width) = form else {
      let start = Int(offsets[run.lowerBound])
      target.copyMemory(
        from: view.values + start, byteCount: Int(offsets[run.upperBound]) - start)
      return
    }
    if width == 0, view.validity == nil {
      return Self.fill(target, UnsafeRawBufferPointer(start: view.values, count: Int(offsets[1])), run.count)
    }
    var end = target
    for index in run where !view.isNull(index) {
      let entry = entry(index, numbers, width)
      let byteCount = Int(offsets[entry + 1] - offsets[entry])
      let source = view.values + Int(offsets[entry])
      if byteCount <= 16 {
        // One load and one store, whatever the length: what is too much is written over, or behind the end.
        end.storeBytes(of: source.loadUnaligned(as: SIMD16<UInt8>.self), as: SIMD16<UInt8>.self)
      } else {
        end.copyMemory(from: source, byteCount: byteCount)
      }
      end += byteCount
    }
  }

  /// Writes `bytes` so many times, one after another.
  private static func fill(_ target: UnsafeMutableRawPointer, _ bytes: UnsafeRawBufferPointer, _ count: Int) {
    guard let source = bytes.baseAddress, !bytes.isEmpty, count > 0 else { return }
    let byteCount = bytes.count * count
    target.copyMemory(from: source, byteCount: bytes.count)
    var done = bytes.count
    while done < byteCount {
      // What is there is copied behind itself.
      let next = min(done, byteCount - done)
      (target + done).copyMemory(from: target, byteCount: next)
      done += next
    }
  }

  /// Appends the plain form of all values, those of children among them.
  func writePlain(to plain: GrowingBytes) {
    plain.append(layout.code)
    plain.append(UInt8(view.validity == nil ? 0 : 1) | (view.blobs == nil ? 0 : 2))
    plain.append(UInt16(0))
    plain.append(UInt32(count))
    if case .fixedSizeList(_, let n) = layout { plain.append(UInt64(n)) }
    for bitmap in [view.validity, view.blobs] {
      guard let bitmap else { continue }
      plain.append(UnsafeRawBufferPointer(start: bitmap, count: (count + 7) / 8))
      plain.align8()
    }
    switch layout {
    case .none, .fixedSizeList: break
    case .bool: plain.append(UnsafeRawBufferPointer(start: view.values, count: (count + 7) / 8))
    case .fixed(let width): writeFixed(0..<count, to: plain.grow(by: count * width))
    case .bytes, .list:
      plain.append(UInt32(0))
      let ends = plain.grow(by: count * 4)
      writeEnds(0..<count, from: 0, to: ends)
      // Read here, for the memory may move as it grows.
      let length = count == 0 ? 0 : Int(ends.load(fromByteOffset: (count - 1) * 4, as: UInt32.self))
      plain.align8()
      if case .bytes = layout { writeBytes(0..<count, to: plain.grow(by: length)) }
    case .struct(let fields): plain.append(UInt64(fields.count))
    }
    plain.align8()
    for child in children { child.writePlain(to: plain) }
  }
}
