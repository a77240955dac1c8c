import DSVFormat

/// The bytes of a source that are not used yet, in one piece, with the parser's padding after them.
///
/// Holds one row and what was read with it: at most the longest row and two reads beyond.
struct ByteWindow: ~Copyable {
  private static let readByteCount = 1 << 20

  private enum Source {
    case direct(ByteSource)
    case ahead(ReadAhead)
    /// All there is, is there.
    case none
  }

  private let source: Source
  /// Where a direct source's bytes are.
  private var buffer = ByteBuffer()
  /// What is there and not consumed. Valid until the next `fill`.
  private(set) var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
  private(set) var isAtEnd = false

  /// Reads when it must.
  init(_ pull: @escaping ByteSource) { source = .direct(pull) }

  /// Is read for by another thread.
  init(_ ahead: ReadAhead) { source = .ahead(ahead) }

  /// Has all bytes from the start.
  init(all bytes: UnsafeRawBufferPointer) {
    source = .none
    let room = buffer.reserve(bytes.count + JSONParser.padding)
    if let start = bytes.baseAddress { room.copyMemory(from: start, byteCount: bytes.count) }
    (room + bytes.count).initializeMemory(as: UInt8.self, repeating: 0, count: JSONParser.padding)
    buffer.advance(by: bytes.count)
    self.bytes = buffer.bytes
  }

  /// Adds what the source gives next; false at its end. Bytes already there keep their offsets in ``bytes``.
  mutating func fill() throws(DSVError) -> Bool {
    guard !isAtEnd else { return false }
    let before = bytes.count
    switch source {
    case .direct(let pull): try fill(pull)
    case .ahead(let ahead): bytes = try ahead.next(after: bytes)
    case .none: break
    }
    isAtEnd = bytes.count == before
    return !isAtEnd
  }

  private mutating func fill(_ pull: ByteSource) throws(DSVError) {
    buffer.removeFirst(buffer.count - bytes.count)
    let room = buffer.reserve(Self.readByteCount + JSONParser.padding)
    let count = try pull(UnsafeMutableRawBufferPointer(start: room, count: Self.readByteCount))
    precondition(count >= 0 && count <= Self.readByteCount, "a source says it filled \(count) bytes")
    buffer.advance(by: count)
    (room + count).initializeMemory(as: UInt8.self, repeating: 0, count: JSONParser.padding)
    bytes = buffer.bytes
  }

  /// Goes on behind the first `count` bytes. They stay readable until the next `fill`.
  mutating func consume(_ count: Int) { bytes = UnsafeRawBufferPointer(rebasing: bytes[count...]) }

  /// Goes past a byte order mark, which only the start of a source may have.
  mutating func skipByteOrderMark() throws(DSVError) {
    while bytes.count < 3, try fill() {}
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { consume(3) }
  }
}
