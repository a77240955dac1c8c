package import DSVFormat

/// Values for fields whose type is given. `nil` means that the value does not fit: ``Mismatch`` has the
/// sentence.
extension Events {
  /// Days since 1970-01-01 of a string `YYYY-MM-DD`.
  package func date(_ event: Event) -> Int32? {
    event.kind == .string ? CalendarText.days(event.text) : nil
  }

  /// Units since 1970-01-01 00:00 UTC, of an RFC 3339 string or of an integer that counts them.
  package func timestamp(_ event: Event, unit: DataType.TimeUnit) -> Int64? {
    switch event.kind {
    case .string: CalendarText.timestamp(event.text, unit: unit)
    case .int64: event.int64
    default: nil
    }
  }

  /// The scaled integer of a number, by its spelling, or of a string that spells one.
  package func decimal128(_ event: Event, precision: Int, scale: Int) -> Int128? {
    switch event.kind {
    case .int64, .uint64, .double, .bigNumber:
      DecimalText.value(spelling(event), precision: precision, scale: scale)
    case .string: DecimalText.value(event.text, precision: precision, scale: scale)
    default: nil
    }
  }

  /// Appends the bytes of a base64 string; false, and nothing appended, if it is none.
  package func appendBinary(_ event: Event, to buffer: inout ByteBuffer) -> Bool {
    event.kind == .string && Base64.append(decoding: event.text, to: &buffer)
  }
}
