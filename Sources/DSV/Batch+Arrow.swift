import CArrow
import DSVColumns
public import DSVFormat
import Glibc

extension Batch {
  /// Hands the batch to another library in this process, through Arrow's C data interface, without copying a value.
  ///
  /// The batch is a struct array whose fields are its columns. What is handed over lives until whoever takes it calls the
  /// array's `release`, also after the batch itself is gone.
  /// - Parameter address: an uninitialized `struct ArrowArray`.
  public func exportArrow(to address: UnsafeMutableRawPointer) {
    address.initializeMemory(as: ArrowArray.self, to: ArrowExport.array(self))
  }
}

extension Scan {
  /// Hands the scan's remaining batches to another library in this process, through Arrow's C stream interface.
  ///
  /// The scan must not be used otherwise from then on. Batches outlive the stream.
  /// - Parameter address: an uninitialized `struct ArrowArrayStream`.
  public func exportArrow(to address: UnsafeMutableRawPointer) {
    address.initializeMemory(as: ArrowArrayStream.self, to: ArrowStreamState.stream(self))
  }
}

/// The schema of batches, for Arrow's C data interface.
public enum ArrowSchemaExport {
  /// - Parameter address: an uninitialized `struct ArrowSchema`, to be ended by its `release`.
  /// - Throws: `badInput` if a name has a NUL, where the interface would have it end; nothing is written then.
  public static func export(_ fields: [Field], to address: UnsafeMutableRawPointer) throws(DSVError) {
    for field in fields { try ArrowExport.checkNames(field, of: field) }
    let schema = ArrowExport.schema(Field("", .struct(fields), isNullable: false))
    address.initializeMemory(as: ArrowSchema.self, to: schema)
  }
}

/// Makes the structs of the C data interface. What each needs is held by its `private_data`, and ended by its `release`.
private enum ArrowExport {
  /// What a schema points to.
  final class SchemaOwner {
    let format: UnsafeMutablePointer<CChar>?
    let name: UnsafeMutablePointer<CChar>?
    var metadata: UnsafeMutablePointer<CChar>?
    let children: Children<ArrowSchema>

    init(_ field: Field, _ metadata: [UInt8], _ children: [ArrowSchema]) {
      format = strdup(ArrowExport.format(field.type))
      name = strdup(field.name)
      self.children = Children(children)
      guard !metadata.isEmpty else { return }
      let copy = UnsafeMutablePointer<CChar>.allocate(capacity: metadata.count)
      for (index, byte) in metadata.enumerated() { copy[index] = CChar(bitPattern: byte) }
      self.metadata = copy
    }

    deinit {
      free(format)
      free(name)
      metadata?.deallocate()
    }
  }

  /// What an array points to.
  final class ArrayOwner {
    private let column: Batch.Column?
    let buffers: UnsafeMutablePointer<UnsafeRawPointer?>
    let children: Children<ArrowArray>

    init(_ column: Batch.Column?, _ buffers: [UnsafeRawPointer?], _ children: [ArrowArray]) {
      self.column = column
      self.buffers = .allocate(capacity: max(1, buffers.count))
      for (index, buffer) in buffers.enumerated() { (self.buffers + index).initialize(to: buffer) }
      self.children = Children(children)
    }

    deinit { buffers.deallocate() }
  }

  /// The structs of children, and an array of pointers to them. Their contents have releases of their own.
  final class Children<Item> {
    private let items: UnsafeMutablePointer<Item>
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<Item>?>
    let count: Int

    init(_ children: [Item]) {
      count = children.count
      items = .allocate(capacity: max(1, count))
      pointers = .allocate(capacity: max(1, count))
      for (index, child) in children.enumerated() {
        (items + index).initialize(to: child)
        (pointers + index).initialize(to: items + index)
      }
    }

    deinit {
      items.deallocate()
      pointers.deallocate()
    }
  }

  /// Makes sure that the names of a column, and of what is in it, are ones that a C text can say.
  static func checkNames(_ field: Field, of column: Field) throws(DSVError) {
    guard !field.name.utf8.contains(0), !format(field.type).utf8.contains(0) else {
      let name = column.name.replacing("\0", with: "\\u0000")
      throw DSVError(
        .badInput,
        "column '\(name)': a name in it has a NUL, where C would have it end; leave the column out")
    }
    switch field.type {
    case .list(let element), .fixedSizeList(let element, _):
      try checkNames(Field("item", element), of: column)
    case .struct(let fields): for inner in fields { try checkNames(inner, of: column) }
    default: break
    }
  }

  static func schema(_ field: Field) -> ArrowSchema {
    let children: [ArrowSchema] =
      switch field.type {
      case .list(let element), .fixedSizeList(let element, _): [schema(Field("item", element))]
      case .struct(let fields): fields.map(schema)
      default: []
      }
    let owner = SchemaOwner(field, metadata(field), children)
    return ArrowSchema(
      format: owner.format, name: owner.name, metadata: owner.metadata,
      flags: field.isNullable ? 2 : 0, n_children: Int64(children.count), children: owner.children.pointers,
      dictionary: nil,
      release: { schema in
        guard let schema, let owner = schema.pointee.private_data else { return }
        for index in 0..<Int(schema.pointee.n_children) {
          if let child = schema.pointee.children[index], let release = child.pointee.release {
            release(child)
          }
        }
        schema.pointee.release = nil
        Unmanaged<SchemaOwner>.fromOpaque(owner).release()
      },
      private_data: Unmanaged.passRetained(owner).toOpaque())
  }

  static func array(_ batch: Batch) -> ArrowArray {
    array(nil, count: batch.rowCount, nullCount: 0, buffers: [nil], batch.columns.map(array))
  }

  private static func array(_ column: Batch.Column) -> ArrowArray {
    let view = column.array
    let validity = UnsafeRawPointer(view.validity)
    let buffers: [UnsafeRawPointer?] =
      switch view.layout {
      case .none: column.field.type == .null ? [] : [validity]
      case .bool, .fixed: [validity, view.values]
      case .bytes: [validity, UnsafeRawPointer(view.offsets), view.values]
      case .list: [validity, UnsafeRawPointer(view.offsets)]
      case .fixedSizeList, .struct: [validity]
      }
    return array(
      column, count: column.count, nullCount: column.nullCount, buffers: buffers, column.children.map(array))
  }

  private static func array(
    _ column: Batch.Column?, count: Int, nullCount: Int, buffers: [UnsafeRawPointer?],
    _ children: [ArrowArray]
  ) -> ArrowArray {
    let owner = ArrayOwner(column, buffers, children)
    return ArrowArray(
      length: Int64(count), null_count: Int64(nullCount), offset: 0, n_buffers: Int64(buffers.count),
      n_children: Int64(children.count), buffers: owner.buffers, children: owner.children.pointers,
      dictionary: nil,
      release: { array in
        guard let array, let owner = array.pointee.private_data else { return }
        for index in 0..<Int(array.pointee.n_children) {
          if let child = array.pointee.children[index], let release = child.pointee.release { release(child) }
        }
        array.pointee.release = nil
        Unmanaged<ArrayOwner>.fromOpaque(owner).release()
      },
      private_data: Unmanaged.passRetained(owner).toOpaque())
  }

  /// A type as the C data interface spells it.
  static func format(_ type: DataType) -> String {
    switch type {
    case .null: "n"
    case .bool: "b"
    case .int8: "c"
    case .uint8: "C"
    case .int16: "s"
    case .uint16: "S"
    case .int32: "i"
    case .uint32: "I"
    case .int64: "l"
    case .uint64: "L"
    case .float16: "e"
    case .float32: "f"
    case .float64: "g"
    case .utf8, .json: "u"
    case .binary: "z"
    case .date: "tdD"
    case .timestamp(let unit, let zone): "ts\(unit.rawValue.first.map(String.init) ?? ""):\(zone ?? "")"
    case .decimal128(let precision, let scale): "d:\(precision),\(scale)"
    case .list: "+l"
    case .fixedSizeList(_, let count): "+w:\(count)"
    case .struct: "+s"
    }
  }

  /// The field's metadata, and what Arrow's types do not say, as the C data interface has it: counts and lengths of 32 bits.
  private static func metadata(_ field: Field) -> [UInt8] {
    var all = field.metadata
    if field.type == .json { all["dsv.type"] = "json" }
    if field.isSignal { all["dsv.signal"] = "true" }
    if all.isEmpty { return [] }
    var bytes: [UInt8] = []
    func append(_ number: Int) { withUnsafeBytes(of: Int32(number)) { bytes.append(contentsOf: $0) } }
    append(all.count)
    for (key, value) in all.sorted(by: { $0.key < $1.key }) {
      for text in [key, value] {
        append(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
      }
    }
    return bytes
  }
}

/// A scan behind the C stream interface.
private final class ArrowStreamState {
  private let scan: Scan
  private var lastError: UnsafeMutablePointer<CChar>?

  private init(_ scan: Scan) { self.scan = scan }

  deinit { free(lastError) }

  static func stream(_ scan: Scan) -> ArrowArrayStream {
    ArrowArrayStream(
      get_schema: { stream, out in
        guard let state = ArrowStreamState.state(stream), let out else { return EINVAL }
        return state.schema(out)
      },
      get_next: { stream, out in
        guard let state = ArrowStreamState.state(stream), let out else { return EINVAL }
        return state.next(out)
      },
      get_last_error: { stream in UnsafePointer(ArrowStreamState.state(stream)?.lastError) },
      release: { stream in
        guard let stream, let owner = stream.pointee.private_data else { return }
        stream.pointee.release = nil
        Unmanaged<ArrowStreamState>.fromOpaque(owner).release()
      },
      private_data: Unmanaged.passRetained(ArrowStreamState(scan)).toOpaque())
  }

  private static func state(_ stream: UnsafeMutablePointer<ArrowArrayStream>?) -> ArrowStreamState? {
    guard let owner = stream?.pointee.private_data else { return nil }
    return Unmanaged<ArrowStreamState>.fromOpaque(owner).takeUnretainedValue()
  }

  private func schema(_ out: UnsafeMutablePointer<ArrowSchema>) -> Int32 {
    answer { () throws(DSVError) in try ArrowSchemaExport.export(scan.fields, to: out) }
  }

  /// Writes the next batch; at the end an array that is released already.
  private func next(_ out: UnsafeMutablePointer<ArrowArray>) -> Int32 {
    answer { () throws(DSVError) in
      if let batch = try scan.next() {
        batch.exportArrow(to: out)
      } else {
        out.initialize(to: ArrowArray())
      }
    }
  }

  /// 0, or an error's number, whose message is kept.
  private func answer(_ body: () throws(DSVError) -> Void) -> Int32 {
    do throws(DSVError) {
      try body()
      return 0
    } catch {
      free(lastError)
      lastError = strdup(error.message)
      switch error.code {
      case .full: return ENOMEM
      case .badInput: return EINVAL
      default: return EIO
      }
    }
  }
}
