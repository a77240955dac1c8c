/// What an ``Event`` says. The raw values are those of the C shim.
package enum EventKind: UInt8, Sendable {
  case null = 0
  case `false` = 1
  case `true` = 2
  case int64 = 3
  case uint64 = 4
  case double = 5
  /// A valid number that no type holds: an integer beyond 64 bits, or a double that overflows.
  case bigNumber = 6
  case string = 7
  case key = 8
  case objectBegin = 9
  case objectEnd = 10
  case arrayBegin = 11
  case arrayEnd = 12

  /// The word for it in messages to people.
  package var noun: String {
    switch self {
    case .null: "null"
    case .false, .true: "bool"
    case .int64, .uint64: "integer"
    case .double: "number with a point or exponent"
    case .bigNumber: "number beyond 64 bits"
    case .string: "string"
    case .key: "key"
    case .objectBegin, .objectEnd: "object"
    case .arrayBegin, .arrayEnd: "array"
    }
  }
}

/// One step of a walk over a JSON value: 16 bytes, laid out as the C shim writes them.
///
/// What it points to lies in the record's bytes or in the parser, and is valid until the next record is read.
@frozen package struct Event: BitwiseCopyable {
  /// Kind (4 bits), length (30 bits, from bit 4), offset (30 bits, from bit 34).
  @usableFromInline let head: UInt64
  /// An address, a value, or for a begin the index of the event after the end.
  @usableFromInline let payload: UInt64

  @inlinable init(head: UInt64, payload: UInt64) {
    self.head = head
    self.payload = payload
  }

  /// An event put together from its parts, for sources other than JSON.
  @inlinable package init(_ kind: EventKind, length: Int = 0, offset: Int = 0, payload: UInt64 = 0) {
    head = UInt64(kind.rawValue) | UInt64(length) << 4 | UInt64(offset) << 34
    self.payload = payload
  }

  /// What the event says.
  @inlinable package var kind: EventKind {
    unsafeBitCast(UInt8(truncatingIfNeeded: head & 15), to: EventKind.self)
  }

  /// Bytes of a string or key, bytes of a number's spelling, or members of a container.
  @inlinable package var length: Int { Int(head >> 4 & 0x3fff_ffff) }

  /// Where the token begins, in bytes from the start of the record.
  @inlinable package var offset: Int { Int(head >> 34) }

  /// The value of `int64`.
  @inlinable package var int64: Int64 { Int64(bitPattern: payload) }

  /// The value of `uint64`, which is beyond `Int64.max`.
  @inlinable package var uint64: UInt64 { payload }

  /// The value of `double`.
  @inlinable package var double: Double { Double(bitPattern: payload) }

  /// For a begin: the index of the event after the matching end.
  @inlinable package var endIndex: Int { Int(payload) }

  /// The unescaped UTF-8 of a string or key.
  @inlinable package var text: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(payload)), count: length)
  }
}

/// A JSON value as a run of events, borrowed from the parser that made it.
///
/// Valid until that parser, or the reader above it, is used again.
@frozen package struct Events {
  package let events: UnsafeBufferPointer<Event>
  /// The bytes that were parsed. Offsets in events count from their start.
  package let source: UnsafeRawBufferPointer

  /// Views events whose offsets count from the start of `source`.
  @inlinable package init(_ events: UnsafeBufferPointer<Event>, source: UnsafeRawBufferPointer) {
    self.events = events
    self.source = source
  }

  /// A number, bool or null as it was spelt. Not for strings, whose length is that of their unescaped text.
  @inlinable package func spelling(_ event: Event) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: source[event.offset..<event.offset + event.length])
  }
}
