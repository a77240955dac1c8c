import CSimdjson
import DSVFormat

/// Parses JSON texts one at a time into events. One value a thread.
///
/// What is accepted is RFC 8259 with these bounds: valid UTF-8, no half surrogate pair, no key twice in an
/// object, at most 128 levels, at most 256 MiB. `-0` is the double −0.0; a number that fits no type is kept
/// by its spelling.
package final class JSONParser {
  /// The longest text, in bytes.
  package static let maxByteCount = 1 << 28
  /// Containers within each other.
  package static let maxDepth = 128
  /// Bytes that must be readable after a text that is parsed in place.
  package static let padding = Int(DSV_JSON_PADDING)

  /// Why a text was refused, and at which byte from its start.
  package struct Failure: Error {
    package let reason: BadRow.Reason
    package let offset: Int
  }

  private let parser: OpaquePointer
  private var copy = ByteBuffer()

  /// A parser that has allocated little yet; it grows with the longest text.
  package init() {
    guard let parser = dsv_json_parser_create() else { preconditionFailure("no memory for a JSON parser") }
    self.parser = parser
  }

  deinit { dsv_json_parser_destroy(parser) }

  /// The one JSON value in `text`.
  ///
  /// - Parameter text: followed by ``padding`` readable bytes, whatever they hold.
  /// - Returns: events that stay valid until the next call, as long as `text` stays in place.
  package func parse(padded text: UnsafeRawBufferPointer) throws(Failure) -> Events {
    guard let base = text.baseAddress, text.count > 0 else { throw Failure(reason: .empty, offset: 0) }
    let result = dsv_json_parse(parser, base.assumingMemoryBound(to: CChar.self), text.count)
    guard result.error == 0, let events = result.events else {
      throw Failure(reason: BadRow.Reason(shimCode: result.error), offset: result.offset)
    }
    let first = UnsafeRawPointer(events).assumingMemoryBound(to: Event.self)
    return Events(UnsafeBufferPointer(start: first, count: result.count), source: text)
  }

  /// The one JSON value in `text`, of which a copy is made, so that nothing needs to follow it.
  package func parse(copying text: UnsafeRawBufferPointer) throws(Failure) -> Events {
    guard text.count <= Self.maxByteCount else { throw Failure(reason: .tooLong, offset: Self.maxByteCount) }
    copy.removeAll()
    copy.append(text)
    copy.reserve(Self.padding).initializeMemory(as: UInt8.self, repeating: 0, count: Self.padding)
    return try parse(padded: copy.bytes)
  }
}

extension BadRow.Reason {
  fileprivate init(shimCode: Int32) {
    switch UInt32(shimCode) {
    case DSV_JSON_UTF8.rawValue: self = .utf8
    case DSV_JSON_CONTROL_CHARACTER.rawValue: self = .controlCharacter
    case DSV_JSON_UNCLOSED_STRING.rawValue: self = .unclosedString
    case DSV_JSON_ESCAPE.rawValue: self = .escape
    case DSV_JSON_NUMBER.rawValue: self = .number
    case DSV_JSON_DEPTH.rawValue: self = .depth
    case DSV_JSON_DUPLICATE_KEY.rawValue: self = .duplicateKey
    case DSV_JSON_TRAILING.rawValue: self = .trailing
    case DSV_JSON_EMPTY.rawValue: self = .empty
    case DSV_JSON_TOO_LONG.rawValue: self = .tooLong
    case DSV_JSON_MEMORY.rawValue: self = .memory
    default: self = .syntax
    }
  }
}

/// Numbers from and to text, and scans of bytes, by the C shim.
package enum NumberText {
  /// Room that any number's text fits in.
  static let maxByteCount = 32

  /// The bytes as a number's event, if they are one by JSON's grammar: `007`, `+1`, `1.` and `nan` are none.
  static func event(_ bytes: UnsafeRawBufferPointer, offset: Int) -> Event? {
    guard let base = bytes.baseAddress else { return nil }
    var event = dsv_event()
    guard dsv_json_number(base.assumingMemoryBound(to: CChar.self), bytes.count, &event) != 0 else {
      return nil
    }
    return Event(head: event.head | UInt64(offset) << 34, payload: event.payload)
  }

  /// The nearest 32-bit float of a number's spelling; `nil` if it is none or overflows.
  static func float32(_ spelling: UnsafeRawBufferPointer) -> Float? {
    guard let base = spelling.baseAddress else { return nil }
    var value: Float = 0
    let isRead = dsv_read_float(base.assumingMemoryBound(to: CChar.self), spelling.count, &value)
    return isRead != 0 ? value : nil
  }

  static func write(_ value: Int64, to out: UnsafeMutableRawPointer) -> Int {
    dsv_write_int64(value, out.assumingMemoryBound(to: CChar.self))
  }

  static func write(_ value: UInt64, to out: UnsafeMutableRawPointer) -> Int {
    dsv_write_uint64(value, out.assumingMemoryBound(to: CChar.self))
  }

  static func write(_ value: Double, to out: UnsafeMutableRawPointer) -> Int {
    dsv_write_double(value, out.assumingMemoryBound(to: CChar.self))
  }

  static func write(_ value: Float, to out: UnsafeMutableRawPointer) -> Int {
    dsv_write_float(value, out.assumingMemoryBound(to: CChar.self))
  }
}

extension UnsafeRawBufferPointer {
  /// How many bytes from the start stand in a JSON string as they are.
  var plainJSONCount: Int {
    baseAddress.map { dsv_json_plain_count($0.assumingMemoryBound(to: CChar.self), count) } ?? 0
  }

  /// How many bytes from the start are valid UTF-8.
  var validUTF8Count: Int {
    baseAddress.map { dsv_utf8_valid_count($0.assumingMemoryBound(to: CChar.self), count) } ?? 0
  }

  /// The first index from `start` on whose byte is one of the two, or `count`.
  func firstIndex(of a: UInt8, or b: UInt8, from start: Int) -> Int {
    guard let baseAddress, start < count else { return count }
    let base = (baseAddress + start).assumingMemoryBound(to: CChar.self)
    return start + dsv_find_either(base, count - start, CChar(bitPattern: a), CChar(bitPattern: b))
  }
}
