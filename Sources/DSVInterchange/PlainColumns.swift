import DSVColumns
import DSVFormat
import DSVRecords
import DSVTables
import Glibc

/// Appends the fields of rows that are like those before them: in the same order, and of types that are one number, bool or
/// text.
///
/// That is most of short rows, where what surrounds a value costs more than the value: so a field is looked at once here,
/// and no reference is counted. What is not as expected is left to whoever can find out what it is.
final class PlainColumns {
  private enum Form {
    /// None of the others.
    case any
    case bool, int64, float64, text
  }

  private struct Cell {
    let nameStart: Int
    let nameByteCount: Int
    var form = Form.any
    /// Its column keeps it alive.
    var values: Unmanaged<ColumnWriter>?
  }

  private var cells: [Cell] = []
  private let names = GrowingBytes()

  /// Adds a column behind the others.
  func add(named name: [UInt8]) {
    cells.append(Cell(nameStart: names.count, nameByteCount: name.count))
    name.withUnsafeBytes { names.append($0) }
  }

  /// To be called whenever a column gets a writer, another one or none, or its writer a type.
  func set(_ index: Int, _ writer: FieldWriter?) {
    switch writer?.type {
    case .bool: cells[index].form = .bool
    case .int64: cells[index].form = .int64
    case .float64: cells[index].form = .float64
    case .utf8: cells[index].form = .text
    default: cells[index].form = .any
    }
    cells[index].values = writer.map { Unmanaged.passUnretained($0.values) }
  }

  /// Appends the fields that come next, where they are those of the columns from `first` on, as far as all is as expected.
  ///
  /// - Parameter rowCount: rows before this one.
  /// - Returns: the column behind the last that got its value.
  func append(_ cursor: inout EventCursor, from first: Int, rowCount: Int) throws(DSVError) -> Int {
    let (events, names) = (cursor.events.events, UnsafeRawPointer(names.base))
    var (index, column) = (cursor.index, first)
    try cells.withUnsafeBufferPointer { (cells) throws(DSVError) in
      while column < cells.count {
        let cell = cells[column]
        // The last event of a row is its end, so behind a key there is one more.
        let key = events[index]
        guard key.kind == .key, key.length == cell.nameByteCount, let values = cell.values,
          key.text.baseAddress.map({ memcmp($0, names + cell.nameStart, cell.nameByteCount) == 0 }) ?? true,
          try values._withUnsafeGuaranteedRef({ (values) in
            // It passes no typed errors on.
            Result { () throws(DSVError) in
              try Self.append(events[index + 1], cell.form, to: values, at: rowCount)
            }
          }).get()
        else { return }
        (index, column) = (index + 2, column + 1)
      }
    }
    cursor.index = index
    return column
  }

  /// Appends a value, if it is of the form and the column has one for each row before.
  @inline(__always)
  private static func append(
    _ event: Event, _ form: Form, to values: ColumnWriter, at rowCount: Int
  ) throws(DSVError) -> Bool {
    guard values.rowCount == rowCount else { return false }
    switch (form, event.kind) {
    case (.text, .string): try values.append(event.text)
    case (.int64, .int64): try values.append(word: UInt64(bitPattern: event.int64))
    case (.float64, .double): try values.append(word: event.double.bitPattern)
    case (.float64, .int64):
      guard let value = Double(exactly: event.int64) else { return false }
      try values.append(word: value.bitPattern)
    case (.bool, .true): try values.append(flag: true)
    case (.bool, .false): try values.append(flag: false)
    default: return false
    }
    return true
  }
}
