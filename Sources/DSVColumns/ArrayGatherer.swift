package import DSVFormat

/// Values of one layout in memory of their own, laid out as Arrow has them. Immutable.
package final class GatheredArray: @unchecked Sendable {
  // Unchecked because of the pointers: nothing writes through them once the gatherer has been finished.
  package let array: ArrayView
  private let owner: ArrayGatherer

  fileprivate init(_ array: ArrayView, owner: ArrayGatherer) { (self.array, self.owner) = (array, owner) }
}

/// Puts runs of values from many chunks one behind another.
///
/// Copies run by run, not value by value. Values that are blobs are read whole. A batch's offsets are 32 bits wide and
/// signed, as Arrow's are.
package final class ArrayGatherer {
  private let layout: Layout
  private let reader: ObjectReader
  private var count = 0
  /// `nil` until a run comes that may hold a null.
  private var validity: GrowingBits?
  private let bools: GrowingBits
  private let values: GrowingBytes
  private let offsets: GrowingBytes
  private let children: [ArrayGatherer]

  /// More bytes or elements than that cannot be told by an offset.
  package static let offsetMax = Int(Int32.max)

  /// - Parameters:
  ///   - rowCount: how many values will come; more may.
  ///   - byteCount: about how many bytes they have in plain form.
  ///   - reader: reads blobs.
  package init(_ layout: Layout, rowCount: Int = 0, byteCount: Int = 0, reader: ObjectReader) {
    (self.layout, self.reader) = (layout, reader)
    bools = GrowingBits(capacity: layout == .bool ? rowCount : 0)
    var (valueByteCount, hasOffsets) = (0, false)
    switch layout {
    case .fixed(let width): valueByteCount = rowCount * width
    case .bytes: (valueByteCount, hasOffsets) = (byteCount, true)
    case .list: hasOffsets = true
    case .none, .bool, .fixedSizeList, .struct: break
    }
    values = GrowingBytes(capacity: valueByteCount)
    offsets = GrowingBytes(capacity: hasOffsets ? (rowCount + 1) * 4 : 0)
    offsets.append(UInt32(0))
    children = Self.children(layout, rowCount, byteCount).map { layout, rowCount, byteCount in
      ArrayGatherer(layout, rowCount: rowCount, byteCount: byteCount, reader: reader)
    }
  }

  private static func children(
    _ layout: Layout, _ rowCount: Int, _ byteCount: Int
  ) -> [(Layout, rowCount: Int, byteCount: Int)] {
    switch layout {
    case .list(let child):
      // Most lists are of numbers, and most of their bytes are those.
      if case .fixed(let width) = child { return [(child, byteCount / width, 0)] }
      return [(child, 0, byteCount)]
    case .fixedSizeList(let child, let n): return [(child, rowCount * n, byteCount)]
    case .struct(let fields): return fields.map { ($0, 0, 0) }
    case .none, .bool, .fixed, .bytes: return []
    }
  }

  /// Appends the values at `run` of `source`, whose layout is this one's.
  package func append(_ source: EncodedArray, _ run: Range<Int>) throws(DSVError) {
    if run.isEmpty { return }
    let view = source.view
    appendValidity(view, run)
    switch layout {
    case .none: break
    case .bool:
      bools.append(view.values.assumingMemoryBound(to: UInt8.self), from: run.lowerBound, count: run.count)
    case .fixed(let width): source.writeFixed(run, to: values.grow(by: run.count * width))
    case .bytes:
      if view.blobs != nil { try appendBlobs(source, run) } else { try appendBytes(source, run) }
    case .list:
      let (start, end) = (view.range(run.lowerBound).start, view.range(run.upperBound - 1).end)
      try appendEnds(source, run, base: children[0].count, more: end - start)
      try children[0].append(source.children[0], start..<end)
    case .fixedSizeList(_, let n):
      try children[0].append(source.children[0], run.lowerBound * n..<run.upperBound * n)
    case .struct:
      for (child, field) in zip(children, source.children) { try child.append(field, run) }
    }
    count += run.count
  }

  private func appendValidity(_ source: ArrayView, _ run: Range<Int>) {
    guard let bits = source.validity else {
      validity?.append(repeating: true, count: run.count)
      return
    }
    let validity = validity ?? GrowingBits(capacity: count + run.count)
    if self.validity == nil { validity.append(repeating: true, count: count) }
    self.validity = validity
    validity.append(bits, from: run.lowerBound, count: run.count)
  }

  /// Appends the ends of the values of `run`, which have `more` bytes or elements and come after `base` others.
  private func appendEnds(
    _ source: EncodedArray, _ run: Range<Int>, base: Int, more: Int
  ) throws(DSVError) {
    guard base + more <= Self.offsetMax else {
      throw DSVError(.full, "values of a batch exceed 2 GiB; take fewer rows at once")
    }
    source.writeEnds(run, from: base, to: offsets.grow(by: run.count * 4))
  }

  private func appendBytes(_ source: EncodedArray, _ run: Range<Int>) throws(DSVError) {
    let byteCount = source.length(run)
    try appendEnds(source, run, base: values.count, more: byteCount)
    source.writeBytes(run, to: values.grow(by: byteCount))
  }

  private func appendBlobs(_ source: EncodedArray, _ run: Range<Int>) throws(DSVError) {
    for index in run {
      guard source.view.isBlob(index) else {
        try appendBytes(source, index..<index + 1)
        continue
      }
      let blob = try BlobReference(source.bytes(index))
      guard values.count <= Self.offsetMax - blob.valueByteCount else {
        throw DSVError(.full, "values of a batch exceed 2 GiB; take fewer rows at once")
      }
      try reader.blob(blob).withUnsafeBytes { values.append($0) }
      offsets.append(UInt32(values.count))
    }
  }

  /// What has been appended. Nothing may be appended after.
  package func finish() -> GatheredArray { GatheredArray(view(), owner: self) }

  private func view() -> ArrayView {
    let hasNulls = validity.map { $0.oneCount < count } ?? false
    var hasOffsets = false
    switch layout {
    case .bytes, .list: hasOffsets = true
    case .none, .bool, .fixed, .fixedSizeList, .struct: break
    }
    return ArrayView(
      layout: layout, count: count, validity: hasNulls ? validity?.bits : nil,
      values: layout == .bool ? UnsafeRawPointer(bools.bits) : UnsafeRawPointer(values.base),
      offsets: hasOffsets ? UnsafePointer(offsets.base.assumingMemoryBound(to: UInt32.self)) : nil,
      blobs: nil, children: children.map { $0.view() })
  }
}
