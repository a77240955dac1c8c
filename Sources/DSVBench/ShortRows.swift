import DSVFormat
import DSVSystem

/// Tables of ten short columns, the same on every machine: numbers, times, categories, a key of 20 bytes.
enum ShortRows {
  /// What is done to some rows of a table.
  enum Change {
    case none
    /// One cell gets another value.
    case edit
    /// A new row before it.
    case insert
  }

  /// Writes `rows` as JSONL, `change` done to every one whose number is a multiple of `step` plus half of it.
  static func write(
    _ rows: Range<Int>, _ change: Change = .none, step: Int = .max, half: Int? = nil, to path: String
  ) throws {
    let file = try File(path, .create)
    var (bytes, offset): ([UInt8], Int) = ([], 0)
    for row in rows {
      let isChanged = change != .none && row % step == half ?? step / 2
      if isChanged, change == .insert { append(row + 1_000_000_000, isEdited: false, to: &bytes) }
      append(row, isEdited: isChanged && change == .edit, to: &bytes)
      if bytes.count > 1 << 20 {
        try file.write(bytes, at: offset)
        offset += bytes.count
        bytes.removeAll(keepingCapacity: true)
      }
    }
    try file.write(bytes, at: offset)
  }

  private static func append(_ row: Int, isEdited: Bool, to bytes: inout [UInt8]) {
    var random = Documents.Generator(state: UInt64(row) &* 0x9e6c_63d0_876a_3f6b)
    let (x, y, z) = (random.next(), random.next(), random.next())
    let digits = String(x, radix: 36)
    bytes += #"{"id":""#.utf8
    bytes += repeatElement(UInt8(ascii: "k"), count: 20 - digits.utf8.count)
    bytes += digits.utf8
    bytes += #"","n":\#(row),"a":\#(y % 1_000_000),"b":\#(z % 100),"x":\#(Double(y % 100_000) / 64)"#.utf8
    bytes += #","y":\#(Double(z % 1000) / 8),"t":"\#(isEdited ? "edited" : categories[Int(x % 6)])""#.utf8
    bytes += #","u":\#(1_700_000_000 + row * 7),"c":"\#(categories[Int(y % 6)])","f":\#(z % 2 == 0)}"#.utf8
    bytes.append(UInt8(ascii: "\n"))
  }

  private static let categories = ["red", "green", "blue", "white", "black", "grey"]
}
