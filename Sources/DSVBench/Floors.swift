import DSVFormat
import DSVRecords
import DSVSystem

/// What any store must do at least to the rows of a file, on one thread; each work gives the bytes that it did it to.
enum Floors {
  private static let byteCountMax = 64 << 20

  private static func start(of path: String) throws -> [UInt8] {
    let file = try File(path, .read)
    return try file.read(upTo: min(byteCountMax, try file.byteCount()), at: 0)
  }

  /// The file's start in pieces of 64 KiB.
  private static func pieces(_ path: String) throws -> [[UInt8]] {
    let bytes = try start(of: path)
    return stride(from: 0, to: bytes.count, by: 1 << 16).map {
      Array(bytes[$0..<min(bytes.count, $0 + 1 << 16)])
    }
  }

  static func parse(_ path: String) throws -> ServedWorks.Work {
    let lines = try start(of: path).split(separator: UInt8(ascii: "\n")).dropLast().map(Array.init)
    let parser = JSONParser()
    return {
      try lines.reduce(0) { count, line in
        _ = try line.withUnsafeBytes { try parser.parse(copying: $0).events.count }
        return count + line.count
      }
    }
  }

  static func hash(_ path: String) throws -> ServedWorks.Work {
    let pieces = try pieces(path)
    return {
      pieces.reduce(0) { count, piece in
        let id: ColumnID = piece.withUnsafeBytes { SHA256.id(kind: .chunk, $0) }
        return count + (id.w0 == 0 ? 0 : piece.count)
      }
    }
  }

  static func compress(_ path: String) throws -> ServedWorks.Work {
    let (pieces, zstd) = (try pieces(path), Zstd())
    return {
      pieces.reduce(0) { count, piece in
        let frame = piece.withUnsafeBytes { zstd.compressed($0) }
        return count + (frame?.isEmpty == true ? 0 : piece.count)
      }
    }
  }

  static func decompress(_ path: String) throws -> ServedWorks.Work {
    let zstd = Zstd()
    let frames = try pieces(path).compactMap { piece in
      piece.withUnsafeBytes { zstd.compressed($0) }.map { (frame: $0, byteCount: piece.count) }
    }
    var plain = [UInt8](repeating: 0, count: 1 << 16)
    return {
      try frames.reduce(0) { count, part in
        try part.frame.withUnsafeBytes { frame in
          try plain.withUnsafeMutableBytes { plain in
            let target = UnsafeMutableRawBufferPointer(rebasing: plain[..<part.byteCount])
            try zstd.decompress(frame, into: target, of: "a piece")
          }
        }
        return count + part.byteCount
      }
    }
  }
}
