import DSVFormat
import DSVRecords
import Testing

@Suite struct CSVByPythonTests {
  @Test("cells are split as Python's csv module splits them", arguments: csvByPython.split(separator: "\n"))
  func cells(line: Substring) throws {
    var csv: [UInt8] = []
    var rows: [[String]] = []
    parsing(Array(line.utf8)) { result in
      guard let events = try? result.get() else { return }
      var cursor = EventCursor(events, at: 2)
      csv = Array(cursor.next().text)
      cursor.index += 2
      while cursor.next().kind == .arrayBegin {
        var row: [String] = []
        while cursor.peek.kind == .string { row.append(String(decoding: cursor.next().text, as: UTF8.self)) }
        rows.append(row)
        cursor.index += 1
      }
    }
    #expect(!rows.isEmpty)
    #expect(try ours(csv, columnCount: rows[0].count) == Array(rows.dropFirst()))
  }

  /// The rows' cells as text; null is the empty one.
  private func ours(_ csv: [UInt8], columnCount: Int) throws -> [[String]] {
    var position = 0
    let reader = RecordReader(source: "test", format: .csv) { (room) throws(DSVError) -> Int in
      let count = min(room.count, csv.count - position)
      room.copyBytes(from: csv[position..<position + count])
      position += count
      return count
    }
    var rows: [[String]] = []
    while case .record(let record) = try reader.next() {
      var cursor = EventCursor(record.events, at: 1)
      rows.append(
        (0..<columnCount).map { _ in
          cursor.index += 1
          return cursor.nextText().map { String(decoding: $0, as: UTF8.self) } ?? ""
        })
    }
    return rows
  }
}
