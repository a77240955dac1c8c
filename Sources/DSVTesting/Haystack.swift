package import DSVFormat
import DSVSystem

/// Bytes in which ``Needles`` are looked for: files, values of a bucket, their names, and what is packed in them.
package struct Haystack {
  private var pieces: [[UInt8]] = []

  package init() {}

  /// Every file below a folder, whatever it is.
  package mutating func add(folder: String) throws(DSVError) {
    for name in try FileSystem.list(folder) {
      let path = "\(folder)/\(name)"
      guard let status = try FileSystem.status(path) else { continue }
      if status.isFolder {
        pieces.append(Array(name.utf8))
        try add(folder: path)
      } else {
        add(name, try FileSystem.read(path, limit: 1 << 30))
      }
    }
  }

  /// One value, its name, and what frames of zstd and packed numbers in it hold.
  package mutating func add(_ name: String, _ bytes: [UInt8]) {
    pieces.append(Array(name.utf8))
    for piece in [bytes] + Self.frames(in: bytes) {
      pieces.append(piece)
      pieces += Self.packedNumbers(in: piece)
    }
  }

  package var byteCount: Int { pieces.reduce(0) { $0 + $1.count } }

  // MARK: - Frames

  /// Decodes whatever looks like a frame of zstd.
  private static func frames(in bytes: [UInt8]) -> [[UInt8]] {
    let zstd = Zstd()
    var frames: [[UInt8]] = []
    for start in starts(of: 0xfd2f_b528, in: bytes) {
      guard let (end, count) = frame(bytes, start) else { continue }
      var plain = [UInt8](repeating: 0, count: count)
      let isRight = bytes[start..<end].withUnsafeBytes { frame in
        plain.withUnsafeMutableBytes { (try? zstd.decompress(frame, into: $0, of: "a frame")) != nil }
      }
      if isRight { frames.append(plain) }
    }
    return frames
  }

  /// Where these four bytes, read as a number, stand with a frame's shortest header behind them.
  private static func starts(of magic: UInt32, in bytes: [UInt8]) -> [Int] {
    bytes.withUnsafeBytes { bytes in
      var starts: [Int] = []
      var offset = 0
      while offset + 12 < bytes.count {
        if bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self) == magic { starts.append(offset) }
        offset += 1
      }
      return starts
    }
  }

  /// Where a frame ends, and how long what it holds is (RFC 8878).
  private static func frame(_ bytes: [UInt8], _ start: Int) -> (end: Int, count: Int)? {
    let flags = bytes[start + 4]
    let isSingle = flags >> 5 & 1 == 1
    let sizeByteCount = [isSingle ? 1 : 0, 2, 4, 8][Int(flags >> 6)]
    var offset = start + 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][Int(flags & 3)]
    func number(_ count: Int) -> Int? {
      guard offset + count <= bytes.count else { return nil }
      defer { offset += count }
      return bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    guard sizeByteCount > 0, sizeByteCount < 8, var size = number(sizeByteCount) else { return nil }
    if sizeByteCount == 2 { size += 256 }
    guard size <= 1 << 24 else { return nil }
    while let block = number(3) {
      offset += block >> 1 & 3 == 1 ? 1 : block >> 3
      if block & 1 == 1 {
        let end = offset + Int(flags >> 2 & 1) * 4
        return end <= bytes.count ? (end, size) : nil
      }
    }
    return nil
  }

  // MARK: - Packed numbers

  /// Unpacks whatever looks like a packed array (`format-spec/chunk.md` §2.3): its values, side by side.
  private static func packedNumbers(in bytes: [UInt8]) -> [[UInt8]] {
    bytes.withUnsafeBytes { bytes in
      var arrays: [[UInt8]] = []
      var offset = 0
      while offset + 16 < bytes.count {
        // Encoding 3; most bytes are something else.
        if bytes[offset + 2] == 3, let array = packedArray(bytes, offset) { arrays.append(array) }
        offset += 1
      }
      return arrays
    }
  }

  private static func packedArray(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> [UInt8]? {
    let (layout, flags, width) = (bytes[start], bytes[start + 1], Int(bytes[start + 3]))
    let count = Int(bytes.loadUnaligned(fromByteOffset: start + 4, as: UInt32.self))
    guard layout == 4 || layout == 5, flags <= 1, (1...56).contains(width), (1...1 << 18).contains(count)
    else { return nil }
    let numbers = start + 8 + (flags == 1 ? (count + 7) / 8 : 0) + 8
    guard numbers + (count * width + 7) / 8 <= bytes.count else { return nil }
    let base = bytes.loadUnaligned(fromByteOffset: numbers - 8, as: UInt64.self)
    var values: [UInt8] = []
    for index in 0..<count {
      var (number, bit) = (UInt64(0), index * width)
      for shift in 0..<width {
        number |= UInt64(bytes[numbers + bit / 8] >> UInt8(bit % 8) & 1) << UInt64(shift)
        bit += 1
      }
      withUnsafeBytes(of: (base &+ number).littleEndian) { values += $0[..<(layout == 4 ? 4 : 8)] }
    }
    return values
  }

  // MARK: - Search

  /// Which of these stand somewhere.
  package func search(_ needles: Needles) -> (count: Int, names: [String]) {
    var wanted: [UInt64: [(needle: Int, form: [UInt8])]] = [:]
    // Nearly all bytes are told apart from all needles by one look in here.
    var isWanted = [Bool](repeating: false, count: 1 << 16)
    for (index, needle) in needles.all.enumerated() {
      for form in needle.forms {
        let start = form.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
        wanted[start, default: []].append((index, form))
        isWanted[Self.place(start)] = true
      }
    }
    var found: Set<Int> = []
    for piece in pieces where piece.count >= 8 {
      piece.withUnsafeBytes { bytes in
        var offset = 0
        while offset + 8 <= bytes.count {
          let window = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
          if isWanted[Self.place(window)] {
            for (needle, form) in wanted[window] ?? [] where bytes[offset...].starts(with: form) {
              found.insert(needle)
            }
          }
          offset += 1
        }
      }
    }
    return (found.count, found.sorted().map { needles.all[$0].name })
  }

  private static func place(_ window: UInt64) -> Int { Int((window &* 0x9e37_79b9_7f4a_7c15) >> 48) }
}
