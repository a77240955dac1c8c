extension ArrayView {
  /// The plain form of one array's values and then another's: what a builder would make of all of them.
  ///
  /// - Parameter plainByteCount: what it must come to; checked before memory is taken.
  /// - Returns: `nil` if the two differ in layout or come to another size.
  static func plain(_ first: ArrayView, _ second: ArrayView, plainByteCount: Int) -> GrowingBytes? {
    guard first.layout == second.layout, byteCount(first, second) == plainByteCount else { return nil }
    let plain = GrowingBytes(capacity: plainByteCount)
    write(first, second, to: plain)
    return plain
  }

  /// The plain form of one array's values and then another's.
  ///
  /// - Returns: `nil` if the two differ in layout or are more than a chunk can have.
  static func plain(_ first: ArrayView, _ second: ArrayView) -> GrowingBytes? {
    byteCount(first, second).flatMap { plain(first, second, plainByteCount: $0) }
  }

  /// How many bytes `write` writes; `nil` if there are more values, or more bytes, than a chunk can have.
  private static func byteCount(_ first: ArrayView, _ second: ArrayView) -> Int? {
    let count = first.count + second.count
    func padded(_ byteCount: Int) -> Int { (byteCount + 7) & ~7 }
    guard UInt32(exactly: count) != nil, UInt32(exactly: first.byteLength + second.byteLength) != nil else {
      return nil
    }
    var sum = 8
    if first.validity != nil || second.validity != nil { sum += padded((count + 7) / 8) }
    if first.blobs != nil || second.blobs != nil { sum += padded((count + 7) / 8) }
    switch first.layout {
    case .none: break
    case .bool: sum += padded((count + 7) / 8)
    case .fixed(let width): sum += padded(count * width)
    case .bytes: sum += padded((count + 1) * 4) + padded(first.byteLength + second.byteLength)
    case .list: sum += padded((count + 1) * 4)
    case .fixedSizeList, .struct: sum += 8
    }
    for (child, more) in zip(first.children, second.children) {
      guard let byteCount = byteCount(child, more) else { return nil }
      sum += byteCount
    }
    return sum
  }

  /// How many bytes, or elements of a list, the values have together.
  private var byteLength: Int { offsets.map { Int($0[count]) } ?? 0 }

  private static func write(_ first: ArrayView, _ second: ArrayView, to plain: GrowingBytes) {
    let flags: UInt8 =
      (first.validity != nil || second.validity != nil ? 1 : 0)
      | (first.blobs != nil || second.blobs != nil ? 2 : 0)
    plain.append(first.layout.code)
    plain.append(flags)
    plain.append(UInt16(0))
    plain.append(UInt32(first.count + second.count))
    if case .fixedSizeList(_, let count) = first.layout { plain.append(UInt64(count)) }
    let counts = (first.count, second.count)
    if flags & 1 == 1 { writeBits(first.validity, second.validity, counts, missing: 0xff, to: plain) }
    if flags & 2 == 2 { writeBits(first.blobs, second.blobs, counts, missing: 0, to: plain) }
    switch first.layout {
    case .none, .fixedSizeList: break
    case .bool:
      func bits(_ array: ArrayView) -> UnsafePointer<UInt8> {
        UnsafePointer(array.values.assumingMemoryBound(to: UInt8.self))
      }
      writeBits(bits(first), bits(second), counts, missing: 0, to: plain)
    case .fixed(let width):
      for array in [first, second] {
        plain.append(UnsafeRawBufferPointer(start: array.values, count: array.count * width))
      }
    case .bytes:
      writeOffsets(first, second, to: plain)
      for array in [first, second] {
        plain.append(UnsafeRawBufferPointer(start: array.values, count: array.byteLength))
      }
    case .list: writeOffsets(first, second, to: plain)
    case .struct(let fields): plain.append(UInt64(fields.count))
    }
    plain.align8()
    for (child, more) in zip(first.children, second.children) { write(child, more, to: plain) }
  }

  private static func writeOffsets(_ first: ArrayView, _ second: ArrayView, to plain: GrowingBytes) {
    guard let offsets = first.offsets, let more = second.offsets else { return }
    plain.append(UnsafeRawBufferPointer(start: offsets, count: (first.count + 1) * 4))
    let target = plain.grow(by: second.count * 4)
    for index in 0..<second.count {
      let offset = offsets[first.count] + more[index + 1]
      target.storeBytes(of: offset, toByteOffset: index * 4, as: UInt32.self)
    }
    plain.align8()
  }

  /// Two runs of bits as one, padded; where one is `nil` its bits are those of `missing`.
  private static func writeBits(
    _ first: UnsafePointer<UInt8>?, _ second: UnsafePointer<UInt8>?, _ counts: (Int, Int), missing: UInt8,
    to plain: GrowingBytes
  ) {
    let (count, more) = counts
    let byteCount = (count + more + 7) / 8
    let target = plain.grow(by: byteCount).assumingMemoryBound(to: UInt8.self)
    for byte in 0..<byteCount {
      let firstByte = byte * 8 < count ? first?[byte] ?? missing : 0
      // Of the byte on the seam only the bits before it are the first run's.
      target[byte] =
        byte * 8 + 8 > count && byte * 8 < count ? firstByte & (1 << UInt8(count & 7) - 1) : firstByte
    }
    for index in 0..<more {
      let bit = (second?[index >> 3] ?? missing) >> UInt8(index & 7) & 1
      target[(count + index) >> 3] |= bit << UInt8((count + index) & 7)
    }
    plain.align8()
  }
}
