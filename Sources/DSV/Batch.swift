package import DSVColumns
public import DSVFormat
import DSVTables

/// Rows of a table, column by column, in memory laid out as Arrow has it. Immutable; threads may share it.
public struct Batch: Sendable {
  public let rowCount: Int
  public let columns: [Column]

  init(_ batch: GatheredBatch) {
    rowCount = batch.rowCount
    columns = batch.fields.map(Column.init)
  }

  /// The column of that name.
  public subscript(_ name: String) -> Column? { columns.first { $0.field.name.hasSameBytes(as: name) } }
}

extension Batch {
  /// A column's values for the rows of a batch, or the elements or fields of such a column.
  ///
  /// The buffers are Arrow's: a bitmap of validity, one bit a value, least significant first, 1 = there is a value; values of
  /// a fixed width one behind another, 64-byte aligned; of bool a bitmap; of utf8, json and binary, `count + 1` offsets of 32
  /// bits, the first 0, and the bytes; of lists such offsets and the column of elements; of structs their fields' columns.
  /// What stands in a slot without a value is zero or empty.
  public struct Column: @unchecked Sendable {
    // Unchecked because of the pointers in `array`: `owner` keeps what they point to, and nothing changes it.
    public let field: Field
    /// Of a struct its fields' columns; of a list the one of its elements.
    public let children: [Column]
    package let array: ArrayView
    package let owner: GatheredArray
    private let missing: GatheredBits?

    init(_ gathered: GatheredField) {
      self.init(gathered.field, gathered.values.array, gathered.values, gathered.missing, gathered.children)
    }

    private init(
      _ field: Field, _ array: ArrayView, _ owner: GatheredArray, _ missing: GatheredBits? = nil,
      _ fields: [GatheredField] = []
    ) {
      (self.field, self.array, self.owner, self.missing) = (field, array, owner, missing)
      switch field.type {
      case .list(let element), .fixedSizeList(let element, _):
        children = [Column(Field("item", element), array.children[0], owner)]
      case .struct(let inner) where fields.isEmpty:
        children = zip(inner, array.children).map { Column($0, $1, owner) }
      default: children = fields.map(Column.init)
      }
    }

    public var count: Int { array.count }
    public var nullCount: Int { field.type == .null ? count : array.nullCount }

    /// Whether value `index` is null or missing.
    public func isNull(_ index: Int) -> Bool {
      check(index)
      return field.type == .null || array.isNull(index)
    }

    /// Whether the row did not have the field at all. Always false unless the scan was made to tell.
    public func isMissing(_ index: Int) -> Bool {
      check(index)
      guard let missing else { return false }
      return missing.bits[index >> 3] >> UInt8(index & 7) & 1 == 1
    }

    private func check(_ index: Int) {
      precondition(index >= 0 && index < count, "value \(index) of \(count)")
    }
  }
}

extension Batch.Column {
  /// Calls `body` with the validity bitmap; `nil`, and no call, where nothing is null.
  public func withValidity<Value, Failure: Error>(
    _ body: (Span<UInt8>) throws(Failure) -> Value
  ) throws(Failure) -> Value? {
    guard let validity = array.validity else { return nil }
    return try body(Span(_unsafeStart: validity, count: (count + 7) / 8))
  }

  /// Calls `body` with the values of a column whose values all have the width of `T`: `Int32` for int32, uint32, date …
  ///
  /// Traps if they have another.
  public func withValues<T: BitwiseCopyable, Value, Failure: Error>(
    as _: T.Type, _ body: (Span<T>) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    guard case .fixed(MemoryLayout<T>.stride) = array.layout else {
      preconditionFailure("column \(field.name) of type \(field.type) has no values of \(T.self)")
    }
    return try body(Span(_unsafeStart: array.values.assumingMemoryBound(to: T.self), count: count))
  }

  /// A value of a bool column.
  public func bool(_ index: Int) -> Bool {
    precondition(array.layout == .bool && index >= 0 && index < count, "no bool \(index) of \(count)")
    return array.bool(index)
  }

  /// Calls `body` with the offsets of a column of utf8, json, binary or lists: value `i` is from offset `i` to `i + 1`.
  ///
  /// Traps for any other column.
  public func withOffsets<Value, Failure: Error>(
    _ body: (Span<Int32>) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    guard let offsets = array.offsets else {
      preconditionFailure("column \(field.name) of type \(field.type) has no offsets")
    }
    // None is larger than Int32.max.
    return try body(
      Span(_unsafeStart: UnsafeRawPointer(offsets).assumingMemoryBound(to: Int32.self), count: count + 1))
  }

  /// Calls `body` with the bytes of value `index` of a column of utf8, json or binary; none where it is null.
  ///
  /// Traps for any other column.
  public func withBytes<Value, Failure: Error>(
    _ index: Int, _ body: (Span<UInt8>) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    let bytes = bytes(index)
    return try body(Span(_unsafeBytes: bytes))
  }

  /// Value `index` of a column of utf8 or json; `nil` where it is null. Traps for any other column.
  public func string(_ index: Int) -> String? {
    isNull(index) ? nil : String(decoding: bytes(index), as: UTF8.self)
  }

  private func bytes(_ index: Int) -> UnsafeRawBufferPointer {
    guard case .bytes = array.layout, index >= 0, index < count else {
      preconditionFailure("column \(field.name) of type \(field.type) has no bytes \(index) of \(count)")
    }
    return array.bytes(index)
  }
}
