/// Looks up the classes of a scalar: two loads for ASCII, three for the rest.
///
/// One for the process, made at first use: 4,352 page numbers, about a hundred distinct pages of 256 bytes, and the
/// distinct sets of classes.
///
/// `@unchecked Sendable`: the memory behind the pointers is written in `init` only.
final class ScalarClassTable: @unchecked Sendable {
  static let shared = ScalarClassTable()

  private let pageOf: UnsafeMutablePointer<UInt16>
  private let pages: UnsafeMutablePointer<UInt8>
  private let kinds: UnsafeMutablePointer<ScalarClass>
  /// The classes of each of the 128 ASCII scalars.
  private let ascii: UnsafeMutablePointer<ScalarClass>
  /// What a byte at the start of a scalar says about white space.
  let byteKinds: UnsafeMutablePointer<ByteKind>

  /// What one byte, met where a scalar starts, can tell.
  enum ByteKind: UInt8 {
    /// Not white space.
    case plain
    /// ASCII white space.
    case space
    /// The first byte of scalars of which some are white space: decode it.
    case maybeSpace
  }

  private init() {
    var distinct: [[UInt8]: UInt16] = [:]
    var bytes: [UInt8] = []
    pageOf = .allocate(capacity: 0x1100)
    let runs = ScalarClassRuns.runs
    var run = 0
    for page in 0..<0x1100 {
      let content = (0..<256).map { low -> UInt8 in
        while run + 1 < runs.count, Int(runs[run + 1] >> 8) <= page << 8 | low { run += 1 }
        return UInt8(truncatingIfNeeded: runs[run])
      }
      if distinct[content] == nil {
        distinct[content] = UInt16(distinct.count)
        bytes += content
      }
      (pageOf + page).initialize(to: distinct[content, default: 0])
    }
    pages = .allocate(capacity: bytes.count)
    pages.initialize(from: bytes, count: bytes.count)
    let sets = ScalarClassRuns.kinds.map(ScalarClass.init(rawValue:))
    kinds = .allocate(capacity: 256)
    kinds.initialize(repeating: [], count: 256)
    kinds.update(from: sets, count: sets.count)
    ascii = .allocate(capacity: 128)
    byteKinds = .allocate(capacity: 256)
    byteKinds.initialize(repeating: .plain, count: 256)
    for code in 0..<128 {
      (ascii + code).initialize(to: sets[Int(bytes[code])])
      if ascii[code].contains(.space) { byteKinds[code] = .space }
    }
    // U+0085 and U+00A0, U+1680, U+2000 … U+205F, U+3000.
    for lead in [0xC2, 0xE1, 0xE2, 0xE3] { byteKinds[lead] = .maybeSpace }
  }

  /// The classes of `scalar`; none for a number above U+10FFFF.
  @inline(__always)
  subscript(scalar: UInt32) -> ScalarClass {
    if scalar < 128 { return ascii[Int(scalar)] }
    guard scalar < 0x110000 else { return [] }
    return kinds[Int(pages[Int(pageOf[Int(scalar >> 8)]) << 8 | Int(scalar & 0xFF)])]
  }
}
