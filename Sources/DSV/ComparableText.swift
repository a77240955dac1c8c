import DSVColumns
import DSVFormat
import DSVInterchange
import DSVRecords
import DSVTables

/// Cells as text that is equal for equal values, whatever the type of their column.
enum ComparableText {
  /// The cell's JSON, with a number that is whole and below 2^53 written as an integer; nothing where the row does not
  /// have the field.
  static func of(_ cell: FieldCursor, _ row: Int) throws(DSVError) -> [UInt8] {
    if cell.isNull(row), try cell.isMissing(row) { return [] }
    var text = ByteBuffer()
    try text.appendJSON(cell, row)
    let bytes = text.array
    guard let first = bytes.first, first == UInt8(ascii: "-") || (48...57).contains(first), bytes.count < 64,
      let number = Double(String(decoding: bytes, as: UTF8.self)), number.magnitude < 0x1p53,
      number == number.rounded(), number != 0 || first != UInt8(ascii: "-")
    else { return bytes }
    return Array(String(Int64(number)).utf8)
  }
}
