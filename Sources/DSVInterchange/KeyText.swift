package import DSVColumns
package import DSVFormat
import DSVRecords

/// Keys as people write them: each column's value as it would stand in a CSV.
package enum KeyText {
  /// A chunk of the one value that a text means in a column of a type.
  ///
  /// `nil` where the text may stand for several values, or for none.
  package static func value(_ text: String, _ type: DataType) throws(DSVError) -> Chunk? {
    let builder = ArrayBuilder(type.layout)
    switch type {
    case .utf8:
      let bytes = Array(text.utf8)
      guard bytes.count < ColumnWriter.blobByteCountMin else { return nil }
      bytes.withUnsafeBytes { builder.append($0) }
    case .bool, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64, .float16, .float32,
      .float64,
      .date, .timestamp, .decimal128:
      guard try append(text, type, to: builder), builder.count == 1, builder.nullCount == 0 else {
        return nil
      }
    default: return nil
    }
    let plain = GrowingBytes()
    builder.writePlain(to: plain)
    let chunk = try Chunk(taking: plain, of: "a key")
    return isNaN(chunk.array, type) ? nil : chunk
  }

  /// Many bit patterns are written alike.
  private static func isNaN(_ array: ArrayView, _ type: DataType) -> Bool {
    switch type {
    case .float16: array.fixed(0, as: Float16.self).isNaN
    case .float32: array.fixed(0, as: Float.self).isNaN
    case .float64: array.fixed(0, as: Double.self).isNaN
    default: false
    }
  }

  private static func append(_ text: String, _ type: DataType, to builder: ArrayBuilder) throws(DSVError)
    -> Bool
  {
    var csv = ByteBuffer()
    Array("key\n".utf8).withUnsafeBytes { csv.append($0) }
    Array(text.utf8).withUnsafeBytes { csv.appendCSV(text: $0) }
    csv.append(UInt8(ascii: "\n"))
    let bytes = csv.array
    var offset = 0
    let reader = RecordReader(source: "key", format: .csv) { (buffer) throws(DSVError) in
      let count = min(buffer.count, bytes.count - offset)
      buffer.copyBytes(from: bytes[offset..<offset + count])
      offset += count
      return count
    }
    guard case .record(let record) = try reader.next() else { return false }
    var cursor = EventCursor(record.events, at: 1)
    guard cursor.next().kind == .key, cursor.peek.kind != .null else { return false }
    return try ValueAppender(format: .csv).append(&cursor, type: type, to: builder)
  }
}
