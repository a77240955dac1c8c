/// Bits that grow at their end, least significant first: a bitmap as Arrow has it. For one owner at a time.
package final class GrowingBits {
  private let storage: GrowingBytes
  package private(set) var count = 0

  package init(capacity: Int = 0) { storage = GrowingBytes(capacity: (capacity + 7) / 8) }

  package var bits: UnsafePointer<UInt8> {
    UnsafePointer(storage.base.assumingMemoryBound(to: UInt8.self))
  }

  /// How many of the bits are 1.
  package var oneCount: Int { storage.bytes.reduce(0) { $0 + $1.nonzeroBitCount } }

  /// Appends one bit many times.
  package func append(repeating bit: Bool, count more: Int) {
    appendBytes(more) { _, width in bit ? UInt8(truncatingIfNeeded: 0xff >> (8 - width)) : 0 }
  }

  /// Appends `more` bits that begin at bit `start` of `source`.
  package func append(_ source: UnsafePointer<UInt8>, from start: Int, count more: Int) {
    if count & 7 == 0, start & 7 == 0 {
      storage.append(UnsafeRawBufferPointer(start: source + start >> 3, count: more >> 3))
      count += more & ~7
      let rest = more & 7
      if rest > 0 { appendByte(Self.read(source, start + more - rest, rest), width: rest) }
      return
    }
    appendBytes(more) { done, width in Self.read(source, start + done, width) }
  }

  /// `width` bits, at most 8, of `source`; reads no byte that holds none of them.
  @inline(__always)
  private static func read(_ source: UnsafePointer<UInt8>, _ start: Int, _ width: Int) -> UInt8 {
    let shift = start & 7
    var byte = source[start >> 3] >> UInt8(shift)
    if shift + width > 8 { byte |= source[start >> 3 + 1] << UInt8(8 - shift) }
    return byte & UInt8(truncatingIfNeeded: 0xff >> (8 - width))
  }

  @inline(__always)
  private func appendBytes(_ more: Int, _ byte: (_ done: Int, _ width: Int) -> UInt8) {
    var done = 0
    while done < more {
      let width = min(8 - count & 7, more - done)
      appendByte(byte(done, width), width: width)
      done += width
    }
  }

  /// The bits fit into what is left of the last byte, or begin one.
  @inline(__always)
  private func appendByte(_ byte: UInt8, width: Int) {
    let shift = count & 7
    if shift == 0 {
      storage.append(byte)
    } else {
      let last = storage.count - 1
      let old = storage.base.load(fromByteOffset: last, as: UInt8.self)
      storage.base.storeBytes(of: old | byte << UInt8(shift), toByteOffset: last, as: UInt8.self)
    }
    count += width
  }
}
