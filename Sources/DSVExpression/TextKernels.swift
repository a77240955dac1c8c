// What is done to the UTF-8 bytes of one text. None of it minds bytes that are not UTF-8.

@inline(__always)
private func load<T: FixedWidthInteger & BitwiseCopyable>(_ text: TextSlice, _ at: Int, _: T.Type) -> T {
  UnsafeRawPointer(text.baseAddress.unsafelyUnwrapped).loadUnaligned(fromByteOffset: at, as: T.self)
}

@inline(__always)
func areEqual(_ a: TextSlice, _ b: TextSlice) -> Bool {
  a.count == b.count && commonPrefixCount(a, b, a.count) == a.count
}

@inline(__always)
func hasPrefix(_ text: TextSlice, _ prefix: TextSlice) -> Bool {
  text.count >= prefix.count && commonPrefixCount(text, prefix, prefix.count) == prefix.count
}

@inline(__always)
func hasSuffix(_ text: TextSlice, _ suffix: TextSlice) -> Bool {
  text.count >= suffix.count
    && areEqual(TextSlice(rebasing: text[(text.count - suffix.count)...]), suffix)
}

/// Compares by bytes, which orders UTF-8 as its scalars.
@inline(__always)
func order(_ a: TextSlice, _ b: TextSlice) -> Order {
  let count = min(a.count, b.count)
  let same = commonPrefixCount(a, b, count)
  return same < count ? Order(a[same], b[same]) : Order(a.count, b.count)
}

/// How many of the first `count` bytes, up to the first that differs, are the same.
@inline(__always)
private func commonPrefixCount(_ a: TextSlice, _ b: TextSlice, _ count: Int) -> Int {
  var at = 0
  while at + 8 <= count {
    let difference = load(a, at, UInt64.self).littleEndian ^ load(b, at, UInt64.self).littleEndian
    if difference != 0 { return at + difference.trailingZeroBitCount / 8 }
    at += 8
  }
  while at < count, a[at] == b[at] { at += 1 }
  return at
}

/// How many scalars a text has: bytes that do not continue one.
@inline(__always)
func scalarCount(_ text: TextSlice) -> Int {
  var continuations = 0
  var at = 0
  while at + 8 <= text.count {
    let word = load(text, at, UInt64.self)
    continuations += (word >> 7 & ~word >> 6 & 0x0101_0101_0101_0101).nonzeroBitCount
    at += 8
  }
  while at < text.count {
    if text[at] & 0xc0 == 0x80 { continuations += 1 }
    at += 1
  }
  return text.count - continuations
}

/// The text without white space (as Unicode has it) at either end.
func trimmed(_ text: TextSlice) -> TextSlice {
  var start = 0
  while start < text.count {
    let (scalar, count) = decode(text, start)
    guard let scalar, scalar.properties.isWhitespace else { break }
    start += count
  }
  var end = text.count
  while end > start {
    var last = end - 1
    while last > start, text[last] & 0xc0 == 0x80 { last -= 1 }
    let (scalar, count) = decode(text, last)
    guard let scalar, scalar.properties.isWhitespace, last + count == end else { break }
    end = last
  }
  return TextSlice(rebasing: text[start..<end])
}

/// Maps each scalar by itself; bytes that are no UTF-8 stay as they are.
func appendMapped(_ text: TextSlice, isUpper: Bool, to result: inout [UInt8]) {
  var at = 0
  while at < text.count {
    let end = endOfASCII(text, at)
    if end > at {
      appendMappedASCII(TextSlice(rebasing: text[at..<end]), isUpper: isUpper, to: &result)
      at = end
      continue
    }
    let (scalar, count) = decode(text, at)
    if let scalar {
      let properties = scalar.properties
      result.append(contentsOf: (isUpper ? properties.uppercaseMapping : properties.lowercaseMapping).utf8)
    } else {
      result.append(contentsOf: text[at..<at + count])
    }
    at += count
  }
}

private func appendMappedASCII(_ text: TextSlice, isUpper: Bool, to result: inout [UInt8]) {
  let start = result.count
  result.append(contentsOf: text)
  let first: UInt8 = isUpper ? 0x61 : 0x41
  result.withUnsafeMutableBufferPointer { bytes in
    for index in start..<bytes.count {
      let byte = bytes[index]
      bytes[index] = byte ^ (byte &- first < 26 ? 0x20 : 0)
    }
  }
}

/// Where the ASCII that begins at `start` ends.
private func endOfASCII(_ text: TextSlice, _ start: Int) -> Int {
  var at = start
  while at + 8 <= text.count, load(text, at, UInt64.self) & 0x8080_8080_8080_8080 == 0 { at += 8 }
  while at < text.count, text[at] < 0x80 { at += 1 }
  return at
}

/// The scalar at a place, and its length; nil and 1 if what is there is no UTF-8.
func decode(_ text: TextSlice, _ at: Int) -> (scalar: Unicode.Scalar?, byteCount: Int) {
  let first = text[at]
  if first < 0x80 { return (Unicode.Scalar(first), 1) }
  let count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
  guard first >= 0xc2, first < 0xf5, at + count <= text.count else { return (nil, 1) }
  var value = UInt32(first) & (0x7f >> UInt32(count))
  for next in text[at + 1..<at + count] {
    guard next & 0xc0 == 0x80 else { return (nil, 1) }
    value = value << 6 | UInt32(next & 0x3f)
  }
  let least: UInt32 = count == 4 ? 0x10000 : count == 3 ? 0x800 : 0x80
  guard value >= least, let scalar = Unicode.Scalar(value) else { return (nil, 1) }
  return (scalar, count)
}
