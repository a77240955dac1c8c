import DSVColumns
import DSVFormat
import DSVTables

/// Finds out which new rows equal the old ones that they would replace.
///
/// Compares hashes, column after column, and in each only the rows that were equal so far: the columns in which a few
/// rows differ come first, so that most rows are told apart by one column. Both sides are read from first to last.
struct RowComparison {
  /// So many are compared at once, in some 40 MB.
  static let pairCountMax = 1 << 18
  private static let sampleCount = 16

  let table: Table
  let hasher: KeyHasher
  let reader: ObjectReader

  /// - Parameter pairs: in ascending order of their old rows.
  /// - Returns: the new rows of those pairs whose rows are equal in all columns but signals, which follow from the others.
  func equalRows(_ pairs: [(old: Int, new: Int)]) throws(DSVError) -> Set<Int> {
    let fields = table.fields.filter { !$0.isSignal }
    var rest = pairs
    for field in try order(fields, pairs) {
      if rest.isEmpty { break }
      rest = try equalPairs(field, rest)
    }
    return Set(rest.map(\.new))
  }

  /// The fields, those first that differ most in a few pairs, and then those that are quickly read.
  private func order(_ fields: [TableField], _ pairs: [(old: Int, new: Int)]) throws(DSVError) -> [TableField]
  {
    guard fields.count > 1, pairs.count > Self.sampleCount else { return fields }
    let sample = (0..<Self.sampleCount).map { pairs[$0 * pairs.count / Self.sampleCount] }
    let ranked = try fields.map { (field) throws(DSVError) in
      (
        field, equalCount: try equalPairs(field, sample).count,
        byteCount: field.columns.reduce(0) { $0 + $1.plainByteCount }
      )
    }
    return ranked.sorted { ($0.equalCount, $0.byteCount) < ($1.equalCount, $1.byteCount) }.map(\.0)
  }

  private func equalPairs(
    _ field: TableField, _ pairs: [(old: Int, new: Int)]
  ) throws(DSVError) -> [(old: Int, new: Int)] {
    // The new rows in their order, and which pair each belongs to.
    let order = pairs.indices.sorted { pairs[$0].new < pairs[$1].new }
    let newHashes = try hashes(field, order.map { pairs[$0].new })
    var wanted = [SipHash.Digest](repeating: SipHash.Digest(0, 0), count: pairs.count)
    for (index, hash) in zip(order, newHashes) { wanted[index] = hash }
    let found = try hashes(field, pairs.map(\.old))
    return pairs.indices.filter { found[$0] == wanted[$0] }.map { pairs[$0] }
  }

  /// The hashes of a field's cells in some rows, which ascend.
  private func hashes(_ field: TableField, _ rows: [Int]) throws(DSVError) -> [SipHash.Digest] {
    let cursor = FieldCursor(field, reader: reader, readAhead: 8, visits: rows)
    return try rows.map { (row) throws(DSVError) in
      _ = try cursor.load(at: row)
      return try hasher.hash([cursor], row)
    }
  }
}
