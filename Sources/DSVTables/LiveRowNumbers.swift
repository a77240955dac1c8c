package import DSVColumns
package import DSVFormat

/// Finds live rows by their number among the live rows.
///
/// Keeps two numbers for each chunk of the selection, which it reads once.
package struct LiveRowNumbers: Sendable {
  private let table: Table
  private let reader: ObjectReader
  /// The first row of each chunk of the selection, and how many live rows stand before it.
  private let chunks: [(startRow: Int, liveBefore: Int)]

  package init(_ table: Table, reader: ObjectReader) throws(DSVError) {
    (self.table, self.reader) = (table, reader)
    var chunks: [(startRow: Int, liveBefore: Int)] = []
    if let selection = table.selection {
      let cursor = ColumnCursor(selection, layout: Table.selectionLayout, reader: reader)
      var (row, live) = (0, 0)
      while row < table.rowCount {
        let slice = try cursor.slice(at: row)
        chunks.append((row, live))
        for index in 0..<slice.array.count where slice.array.fixed(index, as: UInt16.self) == 0 { live += 1 }
        row = slice.endRow
      }
      guard live == table.liveCount else {
        throw DSVError(.corrupt, "table \(table.name): \(live) live rows, \(table.liveCount) wanted")
      }
    }
    self.chunks = chunks
  }

  /// The positions of live rows, in the order in which they are asked for.
  ///
  /// - Throws: `badInput` if there is no row of such a number.
  package func positions(_ numbers: [Int]) throws(DSVError) -> [Int] {
    for number in numbers where number < 0 || number >= table.liveCount {
      throw DSVError(
        .badInput, "table '\(table.name)' has no row \(number); it has \(table.liveCount), from 0")
    }
    guard let selection = table.selection else { return numbers }
    var result = [Int](repeating: 0, count: numbers.count)
    let cursor = ColumnCursor(
      selection, layout: Table.selectionLayout, reader: reader.onCaller, readAhead: 1)
    // In ascending order, so that each chunk is read once and its rows are passed once.
    var (chunk, row, live) = (-1, 0, 0)
    for index in numbers.indices.sorted(by: { numbers[$0] < numbers[$1] }) {
      while chunk + 1 < chunks.count, chunks[chunk + 1].liveBefore <= numbers[index] {
        chunk += 1
        (row, live) = chunks[chunk]
      }
      while true {
        let slice = try cursor.slice(at: row)
        let isLive = slice.array.fixed(row - slice.startRow, as: UInt16.self) == 0
        if isLive, live == numbers[index] { break }
        if isLive { live += 1 }
        row += 1
      }
      result[index] = row
    }
    return result
  }
}
