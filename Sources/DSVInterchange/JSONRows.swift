import DSVColumns
package import DSVFormat
package import DSVRecords
package import DSVTables

/// Writes loaded rows as JSON objects, one after another.
///
/// What is the same for all rows that are loaded together is found out once: a row of short values is then written without
/// a look at types, and without counting a reference.
package final class JSONRows {
  /// How the values of a field are read.
  private enum Form {
    case bool, int32, int64, float32, float64, text
    /// As ``FieldCursor`` has them.
    case any
  }

  /// A field as it is loaded. Points into the chunk that its cursor holds.
  private struct Cell: BitwiseCopyable {
    let form: Form
    /// Of the chunk.
    let startRow: Int
    let validity: UnsafePointer<UInt8>?
    let values: UnsafeRawPointer
    let offsets: UnsafePointer<UInt32>?
    let blobs: UnsafePointer<UInt8>?
    /// Where `,"name":` stands in `names`.
    let nameStart: Int
    let nameEnd: Int
  }

  private let fields: [FieldCursor]
  private let names: ByteBuffer
  private let nameEnds: [Int]
  private var cells: [Cell] = []

  package init(_ fields: [FieldCursor]) {
    self.fields = fields
    var names = ByteBuffer()
    var nameEnds: [Int] = []
    for field in fields {
      names.append(UInt8(ascii: ","))
      names.appendJSON(string: field.field.name)
      names.append(UInt8(ascii: ":"))
      nameEnds.append(names.count)
    }
    self.names = names
    self.nameEnds = nameEnds
  }

  /// To be called when the cursors have loaded other rows.
  package func reload() {
    cells.removeAll(keepingCapacity: true)
    for (index, field) in fields.enumerated() {
      let (slice, array) = (field.loaded, field.loaded.array)
      cells.append(
        Cell(
          form: Self.form(field.field.type), startRow: slice.startRow, validity: array.validity,
          values: array.values, offsets: array.offsets, blobs: array.blobs,
          nameStart: index == 0 ? 0 : nameEnds[index - 1], nameEnd: nameEnds[index]))
    }
  }

  private static func form(_ type: DataType) -> Form {
    switch type {
    case .bool: .bool
    case .int32: .int32
    case .int64: .int64
    case .float32: .float32
    case .float64: .float64
    case .utf8: .text
    default: .any
    }
  }

  /// Appends a loaded row with the fields that it has.
  package func append(_ row: Int, to text: inout ByteBuffer) throws(DSVError) {
    text.append(UInt8(ascii: "{"))
    var isFirst = true
    let cells = cells
    for index in cells.indices {
      let cell = cells[index]
      let position = row - cell.startRow
      let isNull = Self.isSet(cell.validity, position).map { !$0 } ?? false
      if isNull, try fields[index].isMissing(row) { continue }
      // The first has no comma.
      let name = cell.nameStart + (isFirst ? 1 : 0)..<cell.nameEnd
      text.append(UnsafeRawBufferPointer(rebasing: names.bytes[name]))
      isFirst = false
      if isNull {
        text.appendJSONNull()
      } else if cell.form == .any || Self.isSet(cell.blobs, position) == true {
        try text.appendJSON(fields[index], row)
      } else {
        Self.append(cell, position, to: &text)
      }
    }
    text.append(UInt8(ascii: "}"))
  }

  @inline(__always)
  private static func isSet(_ bits: UnsafePointer<UInt8>?, _ index: Int) -> Bool? {
    bits.map { $0[index >> 3] >> UInt8(index & 7) & 1 == 1 }
  }

  @inline(__always)
  private static func append(_ cell: Cell, _ index: Int, to text: inout ByteBuffer) {
    func fixed<T: BitwiseCopyable>(_: T.Type) -> T {
      cell.values.loadUnaligned(fromByteOffset: index * MemoryLayout<T>.size, as: T.self)
    }
    switch cell.form {
    case .bool:
      text.appendJSON(
        cell.values.load(fromByteOffset: index >> 3, as: UInt8.self) >> UInt8(index & 7) & 1 == 1)
    case .int32: text.appendJSON(Int64(fixed(Int32.self)))
    case .int64: text.appendJSON(fixed(Int64.self))
    case .float32: text.appendJSON(fixed(Float.self))
    case .float64: text.appendJSON(fixed(Double.self))
    case .text:
      let (start, end) = cell.offsets.map { (Int($0[index]), Int($0[index + 1])) } ?? (0, 0)
      text.appendJSON(string: UnsafeRawBufferPointer(start: cell.values + start, count: end - start))
    case .any: preconditionFailure("not by its form")
    }
  }
}
