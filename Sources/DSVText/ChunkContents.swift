/// What datatrove's rules look for inside a chunk, a run of scalars without white space.
struct ChunkContents {
  var scalarCount: UInt32 = 0
  /// How many `#` there are.
  var hashCount: UInt32 = 0
  /// How many `...`, counted from the left without overlap, and `…` there are.
  var ellipsisCount: UInt32 = 0
  /// Of the marks, those that concern C4.
  var marks: ChunkMarks = []

  init(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    scalarCount = UInt32(truncatingIfNeeded: bytes.scalarCount(in: 0..<count))
    if scalarCount > 1000 { marks.insert(.long) }
    var stops: UInt32 = 0
    for index in 0..<count {
      let byte = bytes[index]
      stops = byte == UInt8(ascii: ".") ? stops + 1 : 0
      if stops == 3 {
        ellipsisCount += 1
        stops = 0
      }
      switch byte {
      case UInt8(ascii: "#"): hashCount += 1
      case UInt8(ascii: "["): marks.insert(.bracket)
      case UInt8(ascii: "{"): marks.insert(.brace)
      case 0xE2: if matches(bytes, at: index, end: count, "…") { ellipsisCount += 1 }
      default: break
      }
    }
    if C4Phrases.holdsSuspect(bytes, 0..<count) { marks.insert(.suspect) }
  }
}
