/// Reads little-endian fields in order from bytes that may be damaged.
///
/// Every read checks the bytes that remain; running out is corruption, never a trap.
package struct ByteReader {
  private let bytes: UnsafeRawBufferPointer
  private let subject: String
  package private(set) var offset = 0

  /// - Parameters:
  ///   - bytes: borrowed for as long as the reader lives.
  ///   - subject: what is being read, for messages: `"commit 3fa9…"`.
  package init(_ bytes: UnsafeRawBufferPointer, of subject: String) {
    self.bytes = bytes
    self.subject = subject
  }

  package var remaining: Int { bytes.count - offset }

  package func corrupt(_ what: String) -> DSVError {
    DSVError(.corrupt, "\(subject): \(what) at byte \(offset)")
  }

  /// For what this revision leaves free: a newer dsv may have given it a meaning.
  package func unsupported(_ what: String) -> DSVError {
    DSVError(.unsupportedFormat, "\(subject): \(what) at byte \(offset)")
  }

  /// The byte that nodes, snapshots and commits begin with.
  package mutating func readRevision() throws(DSVError) {
    let revision = try read(UInt8.self)
    guard revision == ObjectKind.revision else { throw unsupported("revision \(revision)") }
  }

  package mutating func read<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) throws(DSVError) -> T {
    let start = try skip(MemoryLayout<T>.size)
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: T.self))
  }

  /// An unsigned LEB128 number of at most 63 bits.
  package mutating func readVarint() throws(DSVError) -> Int {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let byte = try read(UInt8.self)
      value |= UInt64(byte & 0x7f) << shift
      if byte & 0x80 == 0 {
        guard byte != 0 || shift == 0 else { throw corrupt("a number is padded") }
        guard let result = Int(exactly: value) else { throw corrupt("a number is too large") }
        return result
      }
      shift += 7
      guard shift < 63 else { throw corrupt("a number is too long") }
    }
  }

  /// A count that the rest of the bytes must be able to hold: at least `unitByteCount` bytes each.
  ///
  /// Checked before anything is allocated for it.
  package mutating func readCount(unitByteCount: Int) throws(DSVError) -> Int {
    let count = try readVarint()
    guard count <= remaining / max(1, unitByteCount) else {
      throw corrupt("a count of \(count) is too large")
    }
    return count
  }

  package mutating func readID<Kind>() throws(DSVError) -> ObjectID<Kind> {
    func word(_ start: Int) -> UInt64 {
      UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self))
    }
    let start = try skip(32)
    return ObjectID(word(start), word(start + 8), word(start + 16), word(start + 24))
  }

  package mutating func readBytes(_ count: Int) throws(DSVError) -> UnsafeRawBufferPointer {
    let start = try skip(count)
    return UnsafeRawBufferPointer(rebasing: bytes[start..<start + count])
  }

  /// A length (varint) and as many bytes of UTF-8.
  package mutating func readString() throws(DSVError) -> String {
    let count = try readCount(unitByteCount: 1)
    let utf8 = try readBytes(count)
    guard let string = String(validating: utf8, as: UTF8.self) else { throw corrupt("a text is not UTF-8") }
    return string
  }

  package func finish() throws(DSVError) {
    if remaining != 0 { throw corrupt("\(remaining) bytes too many") }
  }

  /// Moves on by `count` bytes and returns where they begin.
  private mutating func skip(_ count: Int) throws(DSVError) -> Int {
    guard count >= 0, remaining >= count else {
      throw corrupt("\(count) bytes wanted, \(remaining) left")
    }
    defer { offset += count }
    return offset
  }
}

/// Writes little-endian fields in order; what ``ByteReader`` reads.
package struct ByteWriter {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  package var count: Int { bytes.count }

  package mutating func write<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  package mutating func writeVarint(_ value: Int) {
    precondition(value >= 0)
    var rest = UInt64(value)
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  package mutating func write<Kind>(_ id: ObjectID<Kind>) {
    for word in [id.w0, id.w1, id.w2, id.w3] {
      withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) }
    }
  }

  package mutating func write(bytes more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

  package mutating func write(_ string: String) {
    writeVarint(string.utf8.count)
    bytes.append(contentsOf: string.utf8)
  }
}
