package import DSVFormat

/// Turns the bytes that a pack holds back into a chunk.
///
/// For one thread at a time. Whatever the bytes are, the result is a chunk or an error: every count is checked
/// against a limit before memory is taken for it.
package final class ChunkDecoder {
  private let zstd: Zstd
  private let scratch = GrowingBytes()

  /// No chunk is larger in plain form: a line of input is at most 256 MiB, and a chunk goes beyond its limit only
  /// for one value.
  package static let plainByteCountMax = 1 << 30

  package init(zstd: Zstd) { self.zstd = zstd }

  /// Whether a stored chunk has all its values in a frame over its base.
  static func isWholeOverBase(_ stored: [UInt8]) -> Bool {
    stored.count > 1 && stored[0] == 2 && stored[1] == 0
  }

  /// The chunk whose stored form is `stored`.
  ///
  /// - Parameters:
  ///   - plainByteCount: the size of its plain form, as the pack's record says.
  ///   - base: what the chunk builds on, if it has a base.
  package func chunk(
    _ stored: UnsafeRawBufferPointer, plainByteCount: Int, base: Chunk? = nil, of subject: String
  ) throws(DSVError) -> Chunk {
    var reader = ByteReader(stored, of: subject)
    let compression = try reader.read(UInt8.self)
    let form = try reader.read(UInt8.self)
    guard form <= 1, try reader.read(UInt16.self) == 0 else {
      throw reader.unsupported("a flag that is not known")
    }
    guard compression <= 2 else {
      throw DSVError(.unsupportedFormat, "\(subject): compression \(compression) is not known to this dsv")
    }
    guard (form == 1 || compression == 2) == (base != nil) else {
      throw reader.corrupt(base == nil ? "a base is not named" : "a base is named and not used")
    }
    let encodedByteCount = Int(try reader.read(UInt32.self))
    guard plainByteCount <= Self.plainByteCountMax, encodedByteCount <= plainByteCount + 4096 else {
      throw reader.corrupt("\(encodedByteCount) bytes are too many")
    }
    let body = try reader.readBytes(reader.remaining)
    scratch.removeAll()
    switch compression {
    case 0:
      guard body.count == encodedByteCount else { throw reader.corrupt("the length is not the one given") }
      scratch.append(body)
    default:
      let target = UnsafeMutableRawBufferPointer(
        start: scratch.grow(by: encodedByteCount), count: encodedByteCount)
      try zstd.decompress(body, after: compression == 2 ? base?.plainBytes : nil, into: target, of: subject)
    }
    guard form == 1, let base else { return try expanded(plainByteCount, isAll: true, subject) }
    let more = try expanded(plainByteCount, isAll: false, subject)
    guard let plain = ArrayView.plain(base.array, more.array, plainByteCount: plainByteCount) else {
      throw DSVError(
        .corrupt, "\(subject): its base's \(base.count) values and \(more.count) more do not make it up")
    }
    return try Chunk(taking: plain, of: subject)
  }

  /// What is encoded in `scratch`, of at most `plainByteCount` bytes, or exactly so many.
  private func expanded(_ plainByteCount: Int, isAll: Bool, _ subject: String) throws(DSVError) -> Chunk {
    let plain = GrowingBytes(capacity: isAll ? plainByteCount : scratch.count)
    var expander = Expander(
      reader: ByteReader(scratch.bytes, of: subject), plain: plain, plainByteCountMax: plainByteCount)
    _ = try expander.expand(depth: 0)
    try expander.reader.finish()
    guard plain.count == plainByteCount || !isAll else {
      throw expander.reader.corrupt("\(plain.count) plain bytes")
    }
    return try Chunk(taking: plain, of: subject)
  }
}

/// Writes the plain form of encoded nodes, one after another.
private struct Expander {
  var reader: ByteReader
  let plain: GrowingBytes
  let plainByteCountMax: Int

  func room(for more: Int) throws(DSVError) {
    guard more >= 0, more <= plainByteCountMax - plain.count else {
      throw reader.corrupt("more plain bytes than were announced")
    }
  }

  func isNull(_ validity: UnsafeRawBufferPointer?, _ index: Int) -> Bool {
    guard let validity else { return false }
    return validity[index >> 3] >> UInt8(index & 7) & 1 == 0
  }

  mutating func append(_ bytes: UnsafeRawBufferPointer) throws(DSVError) {
    try room(for: (bytes.count + 7) & ~7)
    plain.append(bytes)
    plain.align8()
  }

  /// Expands one node and its children; returns how many values it has.
  mutating func expand(depth: Int) throws(DSVError) -> Int {
    guard depth < 32 else { throw reader.corrupt("lists are nested too deeply") }
    let code = try reader.read(UInt8.self)
    let flags = try reader.read(UInt8.self)
    let encodingCode = try reader.read(UInt8.self)
    let width = Int(try reader.read(UInt8.self))
    let count = Int(try reader.read(UInt32.self))
    guard let encoding = Encoding(rawValue: encodingCode), encoding.fits(layout: code) else {
      throw reader.unsupported("encoding \(encodingCode) of layout \(code)")
    }
    guard flags & ~3 == 0, flags & 2 == 0 || code == 7 else {
      throw reader.unsupported("a flag that is not known")
    }
    guard width <= (encoding.isPacked ? BitPacking.widthMax : 0) else {
      throw reader.corrupt("numbers of \(width) bits")
    }
    try room(for: 8)
    plain.append(code)
    plain.append(flags)
    plain.append(UInt16(0))
    plain.append(UInt32(count))
    var fields = 0
    if code == 9 || code == 10 {
      let number = try reader.read(UInt64.self)
      if code == 9 { plain.append(number) } else { fields = Int(clamping: number) }
    }
    let validity = flags & 1 == 1 ? try reader.readBytes((count + 7) / 8) : nil
    if let validity { try append(validity) }
    if flags & 2 == 2 { try append(try reader.readBytes((count + 7) / 8)) }
    switch code {
    case 0: break
    case 1: try append(try reader.readBytes((count + 7) / 8))
    case 2: try expandFixed(UInt8.self, encoding, count, width, validity)
    case 3: try expandFixed(UInt16.self, encoding, count, width, validity)
    case 4: try expandFixed(UInt32.self, encoding, count, width, validity)
    case 5: try expandFixed(UInt64.self, encoding, count, width, validity)
    case 6: try append(try reader.readBytes(count * 16))
    case 7: try expandBytes(encoding, count, width, validity)
    case 8:
      try expandLengths(count)
      _ = try expand(depth: depth + 1)
    case 9: _ = try expand(depth: depth + 1)
    case 10:
      guard fields <= 4096 else { throw reader.corrupt("too many fields") }
      try room(for: 8)
      plain.append(UInt64(fields))
      for _ in 0..<fields { _ = try expand(depth: depth + 1) }
    default: throw reader.unsupported("layout \(code)")
    }
    return count
  }

  mutating func expandFixed<T: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _: T.Type, _ encoding: Encoding, _ count: Int, _ width: Int, _ validity: UnsafeRawBufferPointer?
  ) throws(DSVError) {
    let byteCount = count * MemoryLayout<T>.size
    switch encoding {
    case .plain: return try append(try reader.readBytes(byteCount))
    case .constant:
      let value = try reader.read(T.self)
      try room(for: byteCount)
      let target = plain.grow(by: byteCount).bindMemory(to: T.self, capacity: count)
      for index in 0..<count { target[index] = isNull(validity, index) ? 0 : value }
    case .packed:
      guard let low = T(exactly: try reader.read(UInt64.self)) else {
        throw reader.corrupt("a base that is too large")
      }
      let packed = try readPacked(count, width: width)
      try room(for: byteCount)
      let target = plain.grow(by: byteCount).bindMemory(to: T.self, capacity: count)
      if validity == nil {
        for index in 0..<count {
          target[index] = low &+ T(truncatingIfNeeded: BitPacking.read(packed, index, width: width))
        }
      } else {
        for index in 0..<count {
          let value = low &+ T(truncatingIfNeeded: BitPacking.read(packed, index, width: width))
          target[index] = isNull(validity, index) ? 0 : value
        }
      }
    case .dictionary: throw reader.unsupported("a dictionary of numbers")
    }
    plain.align8()
  }

  /// Packed numbers; the scratch memory that they lie in has readable bytes after its end.
  mutating func readPacked(_ count: Int, width: Int) throws(DSVError) -> UnsafeRawPointer {
    let bytes = try reader.readBytes(BitPacking.byteCount(count, width: width))
    // An empty buffer may have no address; width 0 reads nothing from it.
    guard let base = bytes.baseAddress else { throw reader.corrupt("packed numbers have no bytes") }
    return UnsafeRawPointer(base)
  }

  /// Lengths, written as offsets; returns the sum.
  @discardableResult
  mutating func expandLengths(_ count: Int) throws(DSVError) -> Int {
    let width = Int(try reader.read(UInt8.self))
    guard width <= 32 else { throw reader.corrupt("lengths of \(width) bits") }
    let packed = try readPacked(count, width: width)
    let byteCount = (count + 1) * 4
    try room(for: byteCount)
    let target = plain.grow(by: byteCount).bindMemory(to: UInt32.self, capacity: count + 1)
    var sum = 0
    target[0] = 0
    for index in 0..<count {
      sum += Int(BitPacking.read(packed, index, width: width))
      target[index + 1] = UInt32(truncatingIfNeeded: sum)
    }
    guard sum <= plainByteCountMax else { throw reader.corrupt("lengths that add up to too much") }
    plain.align8()
    return sum
  }

  mutating func expandBytes(
    _ encoding: Encoding, _ count: Int, _ width: Int, _ validity: UnsafeRawBufferPointer?
  ) throws(DSVError) {
    if encoding == .plain {
      let sum = try expandLengths(count)
      return try append(try reader.readBytes(sum))
    }
    let distinctCount: Int
    if encoding == .constant {
      distinctCount = 1
    } else {
      distinctCount = Int(try reader.read(UInt32.self))
    }
    guard distinctCount <= 65536, distinctCount > 0 else { throw reader.corrupt("a dictionary's size") }
    var starts = [0]
    let lengthWidth = Int(try reader.read(UInt8.self))
    guard lengthWidth <= 32 else { throw reader.corrupt("lengths of \(lengthWidth) bits") }
    let lengths = try readPacked(distinctCount, width: lengthWidth)
    for index in 0..<distinctCount {
      starts.append(starts[index] + Int(BitPacking.read(lengths, index, width: lengthWidth)))
    }
    let values = try reader.readBytes(starts[distinctCount])
    let packed = encoding == .dictionary ? try readPacked(count, width: width) : nil
    try room(for: (count + 1) * 4)
    plain.append(UInt32(0))
    var sum = 0
    func which(_ index: Int) -> Int {
      guard let packed else { return 0 }
      return Int(BitPacking.read(packed, index, width: width))
    }
    for index in 0..<count {
      let entry = which(index)
      guard entry < distinctCount else { throw reader.corrupt("a dictionary index is out of range") }
      if !isNull(validity, index) { sum += starts[entry + 1] - starts[entry] }
      plain.append(UInt32(truncatingIfNeeded: sum))
    }
    plain.align8()
    try room(for: sum)
    for index in 0..<count where !isNull(validity, index) {
      let entry = which(index)
      plain.append(UnsafeRawBufferPointer(rebasing: values[starts[entry]..<starts[entry + 1]]))
    }
    plain.align8()
  }
}
