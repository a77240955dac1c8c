extension Event {
  /// An integer of the given width; `nil` if the event is none or out of its range. A double that is an
  /// integer exactly, such as `1.0` or `1e3`, is one.
  @inlinable package func integer<T: FixedWidthInteger>(as: T.Type) -> T? {
    switch kind {
    case .int64: T(exactly: int64)
    case .uint64: T(exactly: uint64)
    case .double where double.magnitude <= 0x1p53: T(exactly: double)
    default: nil
    }
  }

  /// A bool; `nil` if the event is none.
  @inlinable package var bool: Bool? { kind == .true ? true : kind == .false ? false : nil }

  /// A number as the nearest double, or the value of `"NaN"`, `"Infinity"` or `"-Infinity"`. `nil` for an
  /// integer that is no double exactly.
  package var float64: Double? {
    switch kind {
    case .double: double
    case .int64: Double(exactly: int64)
    case .uint64: Double(exactly: uint64)
    case .string: FloatWord.value(text)
    default: nil
    }
  }
}

extension Events {
  /// A number as the nearest 32-bit float, rounded once from its spelling; else as ``Event/float64``. `nil`
  /// if it overflows, and for an integer that is none exactly.
  package func float32(_ event: Event) -> Float? {
    switch event.kind {
    case .double: NumberText.float32(spelling(event))
    case .int64: Float(exactly: event.int64)
    case .uint64: Float(exactly: event.uint64)
    default: event.float64.map { Float($0) }
    }
  }

  /// A number as the nearest 16-bit float; else as ``float32(_:)``.
  package func float16(_ event: Event) -> Float16? {
    switch event.kind {
    case .double:
      let value = Float16(event.double)
      return value.isFinite ? value : nil
    case .int64: return Float16(exactly: event.int64)
    case .uint64: return nil
    default: return event.float64.map { Float16($0) }
    }
  }
}
