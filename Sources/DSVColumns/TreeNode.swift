package import DSVFormat

/// What a node says of one of its children.
package struct TreeEntry: Equatable, Sendable {
  package let id: ColumnID
  package let rowCount: Int
  package let nullCount: Int
  /// The plain size of the chunks below.
  package let plainByteCount: Int
  package let bounds: Bounds?
  /// Whether a chunk below refers to blobs: so that whoever looks for them need not decode the others.
  package let hasBlobs: Bool

  package init(
    id: ColumnID, rowCount: Int, nullCount: Int, plainByteCount: Int, bounds: Bounds?, hasBlobs: Bool = false
  ) {
    self.hasBlobs = hasBlobs
    self.id = id
    self.rowCount = rowCount
    self.nullCount = nullCount
    self.plainByteCount = plainByteCount
    self.bounds = bounds
  }

  /// So that the sums of a node's counts are numbers that fit.
  package static let rowCountMax = 1 << 48
  package static let plainByteCountMax = 1 << 54

  /// Whether a part of a column that is not empty can be of this size.
  static func areCounts(_ rowCount: Int, _ nullCount: Int, _ plainByteCount: Int) -> Bool {
    (1...rowCountMax).contains(rowCount) && nullCount <= rowCount
      && (1...plainByteCountMax).contains(plainByteCount)
  }

  /// The entry for a node of `children`.
  init(id: ColumnID, of children: [TreeEntry], order: BoundsOrder?) {
    self.init(
      id: id,
      rowCount: children.reduce(0) { $0 + $1.rowCount },
      nullCount: children.reduce(0) { $0 + $1.nullCount },
      plainByteCount: children.reduce(0) { $0 + $1.plainByteCount },
      bounds: Self.bounds(of: children, order),
      hasBlobs: children.contains(where: \.hasBlobs))
  }

  private static func bounds(of children: [TreeEntry], _ order: BoundsOrder?) -> Bounds? {
    guard let order else { return nil }
    var result: Bounds?
    for child in children {
      if let bounds = child.bounds {
        result = result.map { order.union($0, bounds) } ?? bounds
      } else if child.nullCount < child.rowCount {
        // Values of which nothing is known: so nothing is known of them all. (All NaN, or blobs.)
        return nil
      }
    }
    return result
  }
}

/// An inner node of a column tree. Normative text: `format-spec/tree.md`.
package struct TreeNode: Equatable, Sendable {
  /// 1 if the children are chunks.
  package let level: Int
  package let children: [TreeEntry]

  package static let childCountMin = 16
  package static let childCountMax = 256
  package static let levelMax = 12

  package init(level: Int, children: [TreeEntry]) {
    self.level = level
    self.children = children
  }

  /// Whether a node of `count` children, the last of which is `id`, ends there.
  ///
  /// - Parameter seed: ``ObjectNaming/cutSeed``.
  static func ends(after id: ColumnID, level: Int, count: Int, seed: UInt64) -> Bool {
    guard count >= childCountMin else { return false }
    return count == childCountMax || Hash64.of(id.w0, seed: UInt64(level) ^ seed) < UInt64.max / 48
  }

  package var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.write(ObjectKind.revision)
    writer.write(UInt8(level))
    writer.writeVarint(children.count)
    for child in children {
      writer.write(child.id)
      writer.writeVarint(child.rowCount)
      writer.writeVarint(child.nullCount)
      writer.writeVarint(child.plainByteCount)
      let blobFlag: UInt8 = child.hasBlobs ? 8 : 0
      guard let bounds = child.bounds else {
        writer.write(blobFlag)
        continue
      }
      writer.write(blobFlag | 1 | (bounds.minIsExact ? 2 : 0) | (bounds.maxIsExact ? 4 : 0))
      for bound in [bounds.low, bounds.high] {
        writer.write(bound.byteCount)
        withUnsafeBytes(of: bound.word.littleEndian) { writer.write(bytes: $0[..<Int(bound.byteCount)]) }
      }
    }
    return writer.bytes
  }

  package init(_ bytes: UnsafeRawBufferPointer, of subject: String) throws(DSVError) {
    var reader = ByteReader(bytes, of: subject)
    try reader.readRevision()
    level = Int(try reader.read(UInt8.self))
    guard (1...Self.levelMax).contains(level) else { throw reader.corrupt("level \(level)") }
    let count = try reader.readCount(unitByteCount: 36)
    guard count >= 1, count <= Self.childCountMax else { throw reader.corrupt("\(count) children") }
    var children: [TreeEntry] = []
    for _ in 0..<count { children.append(try TreeEntry(from: &reader)) }
    try reader.finish()
    self.children = children
  }
}

extension TreeEntry {
  fileprivate init(from reader: inout ByteReader) throws(DSVError) {
    id = try reader.readID()
    rowCount = try reader.readVarint()
    nullCount = try reader.readVarint()
    plainByteCount = try reader.readVarint()
    let flags = try reader.read(UInt8.self)
    guard TreeEntry.areCounts(rowCount, nullCount, plainByteCount) else {
      throw reader.corrupt("row counts that cannot be")
    }
    guard flags & ~15 == 0 else { throw reader.unsupported("a flag that is not known") }
    guard flags & 6 == 0 || flags & 1 == 1 else { throw reader.corrupt("flags of bounds that are not there") }
    hasBlobs = flags & 8 == 8
    guard flags & 1 == 1 else {
      bounds = nil
      return
    }
    func bound() throws(DSVError) -> Bound {
      let count = Int(try reader.read(UInt8.self))
      guard count <= Bounds.byteCountMax else { throw reader.corrupt("a bound of \(count) bytes") }
      return Bound(try reader.readBytes(count))
    }
    bounds = Bounds(
      try bound(), try bound(), minIsExact: flags & 2 == 2, maxIsExact: flags & 4 == 4)
  }
}
