import DSVFormat
import Dispatch

/// Reads a source one piece ahead of its user, on another thread: while a row is parsed, the next ones are on their way.
///
/// Two blocks take turns. What is left of one is copied in front of the next, so that its user sees one run of bytes.
final class ReadAhead {
  fileprivate static let pieceByteCount = 1 << 20
  /// Room before a piece, for the part of a row that the piece before it ended with.
  fileprivate static let headByteCount = 1 << 16

  private let blocks: Blocks
  private let queue = DispatchQueue(label: "dsv.read-ahead")
  private var filling = 0
  /// What is left of a row that is longer than the room before a piece.
  private var long = ByteBuffer()
  private var isLong = false
  private var isAtEnd = false

  init(_ pull: @escaping @Sendable (UnsafeMutableRawBufferPointer) throws(DSVError) -> Int) {
    blocks = Blocks(pull)
    begin()
  }

  private func begin() {
    // The blocks outlive this reader until the read is done.
    queue.async { [blocks, filling] in blocks.fill(filling) }
  }

  /// What is left of the bytes that were given last, and the next ones; as many as were left, at the end.
  ///
  /// Valid until the next call. Followed by the parser's padding.
  func next(after rest: UnsafeRawBufferPointer) throws(DSVError) -> UnsafeRawBufferPointer {
    guard !isAtEnd else { return rest }
    blocks.filled.wait()
    // Waits for nobody from here on; with an error there is nothing more to come.
    isAtEnd = true
    let count = try blocks.outcome.get()
    precondition(count >= 0 && count <= Self.pieceByteCount, "a source says it filled \(count) bytes")
    guard count > 0 else { return rest }
    let piece = UnsafeMutableRawBufferPointer(rebasing: blocks.piece(filling)[..<count])
    let bytes =
      rest.count <= Self.headByteCount ? put(rest, before: piece) : putLong(rest, before: piece)
    isAtEnd = false
    filling = 1 - filling
    begin()
    return bytes
  }

  private func put(
    _ rest: UnsafeRawBufferPointer, before piece: UnsafeMutableRawBufferPointer
  ) -> UnsafeRawBufferPointer {
    guard let base = piece.baseAddress else { return rest }
    let start = base - rest.count
    if let head = rest.baseAddress { start.copyMemory(from: head, byteCount: rest.count) }
    isLong = false
    (base + piece.count).initializeMemory(as: UInt8.self, repeating: 0, count: JSONParser.padding)
    return UnsafeRawBufferPointer(start: start, count: rest.count + piece.count)
  }

  private func putLong(
    _ rest: UnsafeRawBufferPointer, before piece: UnsafeMutableRawBufferPointer
  ) -> UnsafeRawBufferPointer {
    if isLong {
      // `rest` is the end of it.
      long.removeFirst(long.count - rest.count)
    } else {
      long.removeAll()
      long.append(rest)
    }
    isLong = true
    long.append(UnsafeRawBufferPointer(piece))
    long.reserve(JSONParser.padding).initializeMemory(
      as: UInt8.self, repeating: 0, count: JSONParser.padding)
    return long.bytes
  }
}

/// The memory that pieces are read into.
///
/// `@unchecked Sendable`: the reading thread has `outcome` and one block from the start of `fill` until it signals
/// `filled`, and its user has them from then until the next `fill`.
private final class Blocks: @unchecked Sendable {
  let filled = DispatchSemaphore(value: 0)
  private(set) var outcome: Result<Int, DSVError> = .success(0)
  private let pull: @Sendable (UnsafeMutableRawBufferPointer) throws(DSVError) -> Int
  private let starts: [UnsafeMutableRawPointer]

  init(_ pull: @escaping @Sendable (UnsafeMutableRawBufferPointer) throws(DSVError) -> Int) {
    self.pull = pull
    starts = (0..<2).map { _ in
      .allocate(
        byteCount: ReadAhead.headByteCount + ReadAhead.pieceByteCount + JSONParser.padding, alignment: 64)
    }
  }

  deinit { for start in starts { start.deallocate() } }

  func piece(_ index: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(
      start: starts[index] + ReadAhead.headByteCount, count: ReadAhead.pieceByteCount)
  }

  func fill(_ index: Int) {
    do throws(DSVError) { outcome = .success(try pull(piece(index))) } catch { outcome = .failure(error) }
    filled.signal()
  }
}
