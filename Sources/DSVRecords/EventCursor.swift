/// Walks forward over a value's events.
@frozen package struct EventCursor {
  package let events: Events
  /// The index of the event that ``next()`` returns.
  package var index: Int

  /// Begins at the event with the given index.
  @inlinable package init(_ events: Events, at index: Int = 0) {
    self.events = events
    self.index = index
  }

  /// Whether all events have been returned.
  @inlinable package var isAtEnd: Bool { index >= events.events.count }

  /// The event that comes next.
  @inlinable package var peek: Event { events.events[index] }

  /// Returns the next event and moves behind it: for a container's begin, to its first member or its end.
  @inlinable package mutating func next() -> Event {
    defer { index += 1 }
    return events.events[index]
  }

  /// Moves behind the whole value that comes next, in one step.
  @inlinable package mutating func skip() {
    let event = peek
    index = event.kind == .objectBegin || event.kind == .arrayBegin ? event.endIndex : index + 1
  }

  /// A number as it was spelt.
  @inlinable package func spelling(_ event: Event) -> UnsafeRawBufferPointer { events.spelling(event) }

  /// Moves behind the value that comes next and returns its text as canonical JSON would have it in a text
  /// column: a string's own text, a number as spelt, `true`, `false`; `nil` for null and containers.
  ///
  /// So a CSV column of mixed kinds becomes text as it was written.
  @inlinable package mutating func nextText() -> UnsafeRawBufferPointer? {
    let event = peek
    skip()
    switch event.kind {
    case .string: return event.text
    case .true, .false, .int64, .uint64, .double, .bigNumber: return spelling(event)
    default: return nil
    }
  }
}

extension EventCursor {
  /// Moves behind the value that comes next and appends it as canonical JSON.
  ///
  /// Canonical: no white space, keys in the order given, numbers as spelt, and in strings only the escapes
  /// that RFC 8259 demands. A value read from canonical text gives the same text again.
  package mutating func appendCanonicalJSON(to buffer: inout ByteBuffer) {
    let end = endOfValue
    var needsComma = false
    while index < end {
      let event = next()
      if event.kind == .objectEnd || event.kind == .arrayEnd {
        buffer.append(event.kind == .objectEnd ? UInt8(ascii: "}") : UInt8(ascii: "]"))
        needsComma = true
        continue
      }
      if needsComma { buffer.append(UInt8(ascii: ",")) }
      needsComma = true
      switch event.kind {
      case .objectBegin, .arrayBegin:
        buffer.append(event.kind == .objectBegin ? UInt8(ascii: "{") : UInt8(ascii: "["))
        needsComma = false
      case .key:
        buffer.appendJSON(string: event.text)
        buffer.append(UInt8(ascii: ":"))
        needsComma = false
      case .string: buffer.appendJSON(string: event.text)
      case .null: buffer.append("null")
      case .true: buffer.append("true")
      case .false: buffer.append("false")
      default: buffer.append(spelling(event))
      }
    }
  }

  private var endOfValue: Int {
    let event = peek
    return event.kind == .objectBegin || event.kind == .arrayBegin ? event.endIndex : index + 1
  }
}
