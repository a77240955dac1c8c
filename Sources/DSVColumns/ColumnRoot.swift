package import DSVFormat

/// Where a column's values are: the root of its tree, and what a reader wants to know before it reads.
package struct ColumnRoot: Equatable, Sendable {
  package enum Place: Equatable, Sendable {
    /// A column without rows.
    case empty
    /// A small chunk's plain form, kept where the root is.
    case inline([UInt8])
    /// A chunk (level 0), or a node.
    case object(ColumnID, level: Int)
  }
  package let place: Place
  package let rowCount: Int
  package let nullCount: Int
  package let plainByteCount: Int

  /// A chunk of at most this many plain bytes that is a whole column is kept inline.
  package static let inlineByteCountMax = 512

  package static let empty = ColumnRoot(place: .empty, rowCount: 0, nullCount: 0, plainByteCount: 0)

  package init(place: Place, rowCount: Int, nullCount: Int, plainByteCount: Int) {
    self.place = place
    self.rowCount = rowCount
    self.nullCount = nullCount
    self.plainByteCount = plainByteCount
  }

  /// What a parent would say of the chunk or node `id` that is the root.
  package func entry(_ id: ColumnID) -> TreeEntry {
    TreeEntry(id: id, rowCount: rowCount, nullCount: nullCount, plainByteCount: plainByteCount, bounds: nil)
  }

  package var id: ColumnID? {
    if case .object(let id, _) = place { id } else { nil }
  }

  /// A small column has one place, not two.
  private var isWhereItBelongs: Bool {
    switch place {
    case .empty: true
    case .inline(let plain): plain.count == plainByteCount
    case .object(_, let level): level > 0 || plainByteCount > Self.inlineByteCountMax
    }
  }

  package func write(to writer: inout ByteWriter) {
    switch place {
    case .empty:
      writer.write(UInt8(0))
      return
    case .inline(let plain):
      writer.write(UInt8(1))
      writer.writeVarint(plain.count)
      writer.write(bytes: plain)
    case .object(let id, let level):
      writer.write(UInt8(2))
      writer.write(UInt8(level))
      writer.write(id)
    }
    writer.writeVarint(rowCount)
    writer.writeVarint(nullCount)
    writer.writeVarint(plainByteCount)
  }

  package init(from reader: inout ByteReader) throws(DSVError) {
    switch try reader.read(UInt8.self) {
    case 0:
      self = .empty
      return
    case 1:
      let count = try reader.readCount(unitByteCount: 1)
      guard count <= Self.inlineByteCountMax else { throw reader.corrupt("\(count) inline bytes") }
      place = .inline(Array(try reader.readBytes(count)))
    case 2:
      let level = Int(try reader.read(UInt8.self))
      guard level <= TreeNode.levelMax else { throw reader.corrupt("level \(level)") }
      place = .object(try reader.readID(), level: level)
    case let other: throw reader.unsupported("a root of kind \(other)")
    }
    rowCount = try reader.readVarint()
    nullCount = try reader.readVarint()
    plainByteCount = try reader.readVarint()
    guard TreeEntry.areCounts(rowCount, nullCount, plainByteCount), isWhereItBelongs else {
      throw reader.corrupt("counts that cannot be")
    }
  }
}
