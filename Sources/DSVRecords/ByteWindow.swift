import DSVFormat

/// The bytes of a source that are not used yet, in one piece, with the parser's padding after them.
///
/// Holds one row and what was read with it: at most the longest row and one read beyond.
struct ByteWindow: ~Copyable {
  private static let readByteCount = 1 << 20

  private var buffer = ByteBuffer()
  private var start = 0
  private let pull: ByteSource
  private(set) var isAtEnd = false

  init(_ pull: @escaping ByteSource) { self.pull = pull }

  /// What is there and not consumed. Valid until the next `fill`.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer.bytes[start...]) }

  /// Adds what the source gives next; false at its end. Bytes already there keep their offsets in ``bytes``.
  mutating func fill() throws(DSVError) -> Bool {
    guard !isAtEnd else { return false }
    if start > 0 {
      buffer.removeFirst(start)
      start = 0
    }
    let room = buffer.reserve(Self.readByteCount + JSONParser.padding)
    let count = try pull(UnsafeMutableRawBufferPointer(start: room, count: Self.readByteCount))
    precondition(count >= 0 && count <= Self.readByteCount, "a source says it filled \(count) bytes")
    buffer.advance(by: count)
    (room + count).initializeMemory(as: UInt8.self, repeating: 0, count: JSONParser.padding)
    isAtEnd = count == 0
    return !isAtEnd
  }

  /// Goes on behind the first `count` bytes. They stay readable until the next `fill`.
  mutating func consume(_ count: Int) { start += count }

  /// Goes past a byte order mark, which only the start of a source may have.
  mutating func skipByteOrderMark() throws(DSVError) {
    while bytes.count < 3, try fill() {}
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { consume(3) }
  }
}
