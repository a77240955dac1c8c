import DSVFormat

/// Finds the parts of an encoded array, and checks all that its plain form would be checked for.
///
/// Takes memory for offsets only, at most as much as they have in plain form.
struct EncodedParser {
  var reader: ByteReader
  /// Lengths come here as offsets.
  let offsets: GrowingBytes
  /// How large the plain form may be, and how large it is as far as it has been seen.
  let plainByteCountMax: Int
  private(set) var plainByteCount = 0

  /// - Parameters:
  ///   - bytes: followed by 8 that can be read.
  ///   - offsets: empty.
  init(_ bytes: UnsafeRawBufferPointer, offsets: GrowingBytes, plainByteCountMax: Int, of subject: String) {
    reader = ByteReader(bytes, of: subject)
    (self.offsets, self.plainByteCountMax) = (offsets, plainByteCountMax)
  }

  /// Counts bytes of the plain form.
  private mutating func count(_ byteCount: Int) throws(DSVError) {
    guard byteCount >= 0, byteCount <= plainByteCountMax - plainByteCount else {
      throw reader.corrupt("more plain bytes than were announced")
    }
    plainByteCount += (byteCount + 7) & ~7
  }

  private mutating func take(_ byteCount: Int) throws(DSVError) -> UnsafeRawPointer {
    guard let base = try reader.readBytes(byteCount).baseAddress else { throw reader.corrupt("no bytes") }
    return base
  }

  /// One bit for each of `slots` values.
  private mutating func takeBits(_ slots: Int) throws(DSVError) -> UnsafePointer<UInt8> {
    try count((slots + 7) / 8)
    let bits = try take((slots + 7) / 8).assumingMemoryBound(to: UInt8.self)
    guard slots & 7 == 0 || bits[slots >> 3] >> UInt8(slots & 7) == 0 else {
      throw reader.corrupt("trailing bits are not zero")
    }
    return bits
  }

  /// The lengths of `slots` values, as offsets.
  ///
  /// - Parameter isOnly: whether no other lengths will follow. Else memory is taken for all that may: it must not move.
  private mutating func takeOffsets(_ slots: Int, isOnly: Bool) throws(DSVError) -> UnsafePointer<UInt32> {
    let width = Int(try reader.read(UInt8.self))
    guard width <= 32 else { throw reader.corrupt("lengths of \(width) bits") }
    let packed = try take(BitPacking.byteCount(slots, width: width))
    let byteCount = (slots + 1) * 4
    if offsets.count == 0 { offsets.reserve(isOnly ? byteCount : plainByteCountMax) }
    let target = offsets.grow(by: byteCount).bindMemory(to: UInt32.self, capacity: slots + 1)
    var sum = 0
    target[0] = 0
    for index in 0..<slots {
      sum &+= Int(BitPacking.read(packed, index, width: width))
      target[index + 1] = UInt32(truncatingIfNeeded: sum)
    }
    guard sum <= plainByteCountMax else { throw reader.corrupt("lengths that add up to too much") }
    return UnsafePointer(target)
  }

  /// The next array, and those within it.
  mutating func parse(depth: Int = 0) throws(DSVError) -> EncodedArray {
    guard depth < 32 else { throw reader.corrupt("lists are nested too deeply") }
    let code = try reader.read(UInt8.self)
    let flags = try reader.read(UInt8.self)
    let encodingCode = try reader.read(UInt8.self)
    let width = Int(try reader.read(UInt8.self))
    let slots = Int(try reader.read(UInt32.self))
    guard let encoding = Encoding(rawValue: encodingCode), encoding.fits(layout: code) else {
      throw reader.unsupported("encoding \(encodingCode) of layout \(code)")
    }
    guard flags & ~3 == 0, flags & 2 == 0 || (code == 7 && depth == 0) else {
      throw reader.unsupported("a flag that is not known")
    }
    guard width <= (encoding.isPacked ? BitPacking.widthMax : 0) else {
      throw reader.corrupt("numbers of \(width) bits")
    }
    try count(8)
    let number = code == 9 || code == 10 ? Int(clamping: try reader.read(UInt64.self)) : 0
    let validity = flags & 1 == 1 ? try takeBits(slots) : nil
    let nullCount =
      validity.map { bits in slots - (0..<(slots + 7) / 8).reduce(0) { $0 + bits[$1].nonzeroBitCount } } ?? 0
    if validity != nil, nullCount == 0 { throw reader.corrupt("a validity bitmap without a null") }
    let blobs = flags & 2 == 2 ? try takeBits(slots) : nil
    let those = Slots(
      count: slots, validity: validity, nullCount: nullCount, blobs: blobs, origin: try take(0))
    switch code {
    case 0: return those.array(.none)
    case 1: return those.array(.bool, try takeBits(slots))
    case 2...6: return try parseFixed(1 << (Int(code) - 2), encoding, width, those)
    case 7: return try parseBytes(encoding, width, those, depth)
    case 8, 9: return try parseList(code == 9 ? number : nil, those, depth)
    case 10: return try parseStruct(number, those, depth)
    default: throw reader.unsupported("layout \(code)")
    }
  }

  private mutating func parseFixed(
    _ byteCount: Int, _ encoding: Encoding, _ width: Int, _ slots: Slots
  ) throws(DSVError) -> EncodedArray {
    try count(slots.count * byteCount)
    let layout = Layout.fixed(byteCount)
    switch encoding {
    case .plain: return slots.array(layout, try take(slots.count * byteCount))
    case .packed:
      let low = try reader.read(UInt64.self)
      guard byteCount >= 8 || low >> UInt64(8 * byteCount) == 0 else {
        throw reader.corrupt("a base that is too large")
      }
      let numbers = try take(BitPacking.byteCount(slots.count, width: width))
      return slots.array(layout, form: .packed(numbers, width: width, low: low))
    case .constant:
      var low: UInt64 = 0
      for index in 0..<byteCount { low |= UInt64(try reader.read(UInt8.self)) << UInt64(8 * index) }
      return slots.array(layout, form: .packed(slots.origin, width: 0, low: low))
    case .dictionary: throw reader.unsupported("a dictionary of numbers")
    }
  }

  private mutating func parseBytes(
    _ encoding: Encoding, _ width: Int, _ slots: Slots, _ depth: Int
  ) throws(DSVError) -> EncodedArray {
    try count((slots.count + 1) * 4)
    let isOnly = depth == 0
    if encoding == .plain {
      let offsets = try takeOffsets(slots.count, isOnly: isOnly)
      let byteCount = Int(offsets[slots.count])
      try count(byteCount)
      let result = slots.array(.bytes, try take(byteCount), offsets: offsets)
      if let problem = result.blobProblem { throw reader.corrupt(problem) }
      return result
    }
    let entryCount = encoding == .constant ? 1 : Int(try reader.read(UInt32.self))
    // No more than slots, so that they take no more memory than those have in plain form.
    guard 1...65536 ~= entryCount, entryCount <= max(1, slots.count) else {
      throw reader.corrupt("a dictionary's size")
    }
    let offsets = try takeOffsets(entryCount, isOnly: isOnly)
    let entries = try take(Int(offsets[entryCount]))
    let numbers =
      encoding == .constant
      ? slots.origin : try take(BitPacking.byteCount(slots.count, width: width))
    guard let byteCount = slots.byteCount(numbers, width: width, offsets, entryCount: entryCount) else {
      throw reader.corrupt("a dictionary index is out of range")
    }
    try count(byteCount)
    let result = slots.array(.bytes, entries, offsets: offsets, form: .dictionary(numbers, width: width))
    if let problem = result.blobProblem { throw reader.corrupt(problem) }
    return result
  }

  private mutating func parseList(
    _ perSlot: Int?, _ slots: Slots, _ depth: Int
  ) throws(DSVError) -> EncodedArray {
    var offsets: UnsafePointer<UInt32>?
    if let perSlot {
      guard perSlot >= 1 else { throw reader.corrupt("lists of no elements") }
      try count(8)
    } else {
      try count((slots.count + 1) * 4)
      offsets = try takeOffsets(slots.count, isOnly: false)
    }
    let child = try parse(depth: depth + 1)
    let (product, overflow) = slots.count.multipliedReportingOverflow(by: perSlot ?? 0)
    guard !overflow, child.count == offsets.map({ Int($0[slots.count]) }) ?? product else {
      throw reader.corrupt("a list's elements do not add up")
    }
    let layout: Layout =
      if let perSlot { .fixedSizeList(child.layout, count: perSlot) } else { .list(child.layout) }
    return slots.array(layout, offsets: offsets, children: [child])
  }

  private mutating func parseStruct(
    _ fieldCount: Int, _ slots: Slots, _ depth: Int
  ) throws(DSVError) -> EncodedArray {
    guard fieldCount <= 4096 else { throw reader.corrupt("too many fields") }
    try count(8)
    var children: [EncodedArray] = []
    for _ in 0..<fieldCount {
      let child = try parse(depth: depth + 1)
      guard child.count == slots.count else { throw reader.corrupt("a struct's fields differ in length") }
      children.append(child)
    }
    return slots.array(.struct(children.map(\.layout)), children: children)
  }
}

/// What every array has, whatever its layout.
private struct Slots {
  let count: Int
  let validity: UnsafePointer<UInt8>?
  let nullCount: Int
  let blobs: UnsafePointer<UInt8>?
  /// Some memory that 8 bytes can be read from: where numbers of no bits are.
  let origin: UnsafeRawPointer

  @inline(__always)
  func isNull(_ index: Int) -> Bool {
    guard let validity else { return false }
    return validity[index >> 3] >> UInt8(index & 7) & 1 == 0
  }

  /// How many bytes all slots have, whose entries `numbers` are; `nil` where one names an entry that is not there.
  func byteCount(
    _ numbers: UnsafeRawPointer, width: Int, _ offsets: UnsafePointer<UInt32>, entryCount: Int
  ) -> Int? {
    if width == 0 { return Int(offsets[1]) * (count - nullCount) }
    if width <= 8, validity == nil, count >= 64 {
      return byteCount(short: numbers, width: width, offsets, entryCount: entryCount)
    }
    var (last, byteCount) = (0, 0)
    for index in 0..<count {
      let entry = Int(truncatingIfNeeded: BitPacking.read(numbers, index, width: width))
      last = max(last, entry)
      if entry >= entryCount || isNull(index) { continue }
      byteCount &+= Int(offsets[entry &+ 1] &- offsets[entry])
    }
    return last < entryCount ? byteCount : nil
  }

  /// The same for numbers of at most 8 bits, of which eight begin with a byte and lie in a word, and for slots that all have
  /// a value.
  private func byteCount(
    short numbers: UnsafeRawPointer, width: Int, _ offsets: UnsafePointer<UInt32>, entryCount: Int
  ) -> Int? {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 256) { lengths in
      // What is not there has a bit that no length has.
      lengths.initialize(repeating: 1 << 63)
      for entry in 0..<min(entryCount, 256) {
        lengths[entry] = UInt64(offsets[entry + 1] &- offsets[entry])
      }
      let mask = (1 as UInt64) &<< UInt64(truncatingIfNeeded: width) &- 1
      var (seen, sum) = (0 as UInt64, 0 as UInt64)
      for group in 0..<count >> 3 {
        var word = numbers.loadUnaligned(fromByteOffset: group &* width, as: UInt64.self)
        for _ in 0..<8 {
          let length = lengths[Int(truncatingIfNeeded: word & mask)]
          seen |= length
          sum &+= length
          word &>>= UInt64(truncatingIfNeeded: width)
        }
      }
      for index in count & ~7..<count {
        let length = lengths[Int(truncatingIfNeeded: BitPacking.read(numbers, index, width: width))]
        seen |= length
        sum &+= length
      }
      return seen >> 63 == 0 ? Int(sum) : nil
    }
  }

  func array(
    _ layout: Layout, _ values: UnsafeRawPointer? = nil, offsets: UnsafePointer<UInt32>? = nil,
    form: EncodedArray.Form = .plain, children: [EncodedArray] = []
  ) -> EncodedArray {
    let view = ArrayView(
      layout: layout, count: count, validity: validity, values: values ?? origin, offsets: offsets,
      blobs: blobs, children: [])
    return EncodedArray(view, form, children: children)
  }
}
