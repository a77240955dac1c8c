import DSVFormat

/// One page of an LMDB data file (LMDB 0.9, 64-bit, little-endian), read from its bytes, which may be damaged.
///
/// Layout of a page: number u64, pad u16, flags u16, then lower u16 and upper u16 (or, for the first page of an
/// overflow run, its page count u32), then `(lower − 16) / 2` offsets u16 of nodes, which lie from upper to the
/// end. A node is: low u16, high u16, flags u16, key size u16, key, data.
struct IndexPage {
  enum Kind: UInt16 {
    case branch = 1
    case leaf = 2
    case overflow = 4
    case meta = 8
  }

  static let headerByteCount = 16
  static let nodeHeaderByteCount = 8

  let number: UInt64
  let kind: Kind
  private let bytes: [UInt8]

  /// - Parameter number: where the page was read from, which must be the number that it carries.
  init(_ bytes: [UInt8], number: UInt64) throws(DSVError) {
    self.bytes = bytes
    self.number = number
    let flags = UInt16(bytes.number(10, 2))
    guard bytes.number(0, 8) == number, let kind = Kind(rawValue: flags) else {
      throw Self.damaged(number, "its number or its flags are wrong")
    }
    self.kind = kind
  }

  static func damaged(_ number: UInt64, _ what: String) -> DSVError {
    DSVError(.corrupt, "index: page \(number): \(what)")
  }

  /// How many pages an overflow run has that begins with this page.
  var overflowPageCount: UInt64 { bytes.number(12, 4) }

  /// One entry of a branch or leaf.
  struct Node {
    let key: ArraySlice<UInt8>
    /// A branch: the child's page. A leaf: nothing.
    let child: UInt64
    let flags: UInt16
    let dataByteCount: Int
    /// The data, or the 8 bytes that name the overflow run.
    let data: ArraySlice<UInt8>

    /// The data lie in an overflow run.
    var isBig: Bool { flags & 1 != 0 }
    /// The data are the record of a table.
    var isTable: Bool { flags & 2 != 0 }
  }

  /// The nodes of a branch or leaf, in order; checks that they lie side by side and fill the page to its end.
  func nodes() throws(DSVError) -> [Node] {
    let lower = Int(bytes.number(12, 2))
    let upper = Int(bytes.number(14, 2))
    guard lower >= Self.headerByteCount, lower % 2 == 0, lower <= upper, upper <= bytes.count else {
      throw Self.damaged(number, "its bounds are wrong")
    }
    var nodes: [Node] = []
    var ranges: [Range<Int>] = []
    for slot in 0..<(lower - Self.headerByteCount) / 2 {
      let start = Int(bytes.number(Self.headerByteCount + 2 * slot, 2))
      guard start >= upper, start + Self.nodeHeaderByteCount <= bytes.count else {
        throw Self.damaged(number, "a node lies outside")
      }
      let node = try node(at: start)
      nodes.append(node)
      // Nodes have even sizes.
      ranges.append(start..<(node.data.endIndex + 1) & ~1)
    }
    ranges.sort { $0.lowerBound < $1.lowerBound }
    var end = upper
    for range in ranges {
      guard range.lowerBound == end else { throw Self.damaged(number, "its nodes overlap or leave gaps") }
      end = range.upperBound
    }
    guard end == bytes.count else { throw Self.damaged(number, "its nodes do not fill it") }
    return nodes
  }

  private func node(at start: Int) throws(DSVError) -> Node {
    let low = bytes.number(start, 2)
    let high = bytes.number(start + 2, 2)
    let flags = UInt16(bytes.number(start + 4, 2))
    let keyStart = start + Self.nodeHeaderByteCount
    let keyEnd = keyStart + Int(bytes.number(start + 6, 2))
    let isBranch = kind == .branch
    // Sorted duplicates (4) are not used by dsv. A branch's flags are the highest bits of the child's number.
    guard isBranch || flags & ~3 == 0 else { throw Self.damaged(number, "a node has unknown flags") }
    let dataByteCount = isBranch ? 0 : Int(low | high << 16)
    let dataEnd = keyEnd + (!isBranch && flags & 1 != 0 ? 8 : dataByteCount)
    guard keyEnd <= bytes.count, dataEnd <= bytes.count else {
      throw Self.damaged(number, "a node runs over its end")
    }
    return Node(
      key: bytes[keyStart..<keyEnd], child: isBranch ? low | high << 16 | UInt64(flags) << 32 : 0,
      flags: isBranch ? 0 : flags, dataByteCount: dataByteCount, data: bytes[keyEnd..<dataEnd])
  }
}

extension Collection<UInt8> where Index == Int {
  /// The little-endian number of `byteCount` bytes at `offset` from the start.
  func number(_ offset: Int, _ byteCount: Int) -> UInt64 {
    var value: UInt64 = 0
    for index in stride(from: byteCount - 1, through: 0, by: -1) {
      value = value << 8 | UInt64(self[startIndex + offset + index])
    }
    return value
  }
}
