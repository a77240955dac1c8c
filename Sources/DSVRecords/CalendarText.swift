package import DSVFormat

/// Dates and times from and to text: RFC 3339, years 0000 to 9999 of the Gregorian calendar, no leap seconds.
package enum CalendarText {
  /// Days since 1970-01-01 of `YYYY-MM-DD`; `nil` if the text is no such day.
  package static func days(_ text: UnsafeRawBufferPointer) -> Int32? {
    guard text.count == 10 else { return nil }
    return daysPrefix(text)
  }

  /// Units since 1970-01-01 00:00 UTC of `YYYY-MM-DDThh:mm:ss`, with `.` and a fraction or without, and `Z`,
  /// `+hh:mm` or nothing, which means UTC. A space may stand for the `T`.
  ///
  /// `nil` if the text is no such time, is finer than `unit`, or beyond 64 bits.
  package static func timestamp(_ text: UnsafeRawBufferPointer, unit: DataType.TimeUnit) -> Int64? {
    guard text.count >= 19, let days = daysPrefix(text) else { return nil }
    guard [0x54, 0x74, 0x20].contains(text[10]), text[13] == 0x3a, text[16] == 0x3a else { return nil }
    guard let hour = number(text, 11, 2), let minute = number(text, 14, 2), let second = number(text, 17, 2),
      hour < 24, minute < 60, second < 60
    else { return nil }
    var position = 19
    guard let fraction = fraction(text, &position, digitCount: unit.fractionDigitCount),
      let offset = offset(text, position)
    else { return nil }
    let seconds = Int64(days) * 86_400 + Int64(hour * 3600 + minute * 60 + second) - offset
    let (scaled, overflow) = seconds.multipliedReportingOverflow(by: unit.countPerSecond)
    let (sum, sumOverflow) = scaled.addingReportingOverflow(fraction)
    return overflow || sumOverflow ? nil : sum
  }

  /// Appends `YYYY-MM-DD`. A year outside 0000 … 9999 gets its sign and all its digits, as in ISO 8601.
  package static func append(days: Int32, to buffer: inout ByteBuffer) {
    append(day: Int64(days), to: &buffer)
  }

  private static func append(day: Int64, to buffer: inout ByteBuffer) {
    let (year, month, day) = civil(day)
    if year < 0 || year > 9999 { buffer.append(year < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+")) }
    append(Int(year.magnitude), width: 4, to: &buffer)
    buffer.append(UInt8(ascii: "-"))
    append(month, width: 2, to: &buffer)
    buffer.append(UInt8(ascii: "-"))
    append(day, width: 2, to: &buffer)
  }

  /// Appends an RFC 3339 time with all the digits of `unit`: `2024-02-29T23:59:59.000001Z`.
  ///
  /// A zone such as `+02:00` is used for it; any other zone is written as UTC, with `Z`; without a zone
  /// nothing follows.
  package static func append(
    timestamp: Int64, unit: DataType.TimeUnit, zone: String?, to buffer: inout ByteBuffer
  ) {
    let fixed = zone.flatMap(fixedOffset)
    let (seconds, fraction) = timestamp.floorDivided(by: unit.countPerSecond)
    let (utcDay, utcSecond) = seconds.floorDivided(by: 86_400)
    let (moreDays, second) = (utcSecond + (fixed ?? 0)).floorDivided(by: 86_400)
    let inDay = Int(second)
    append(day: utcDay + moreDays, to: &buffer)
    buffer.append(UInt8(ascii: "T"))
    append(inDay / 3600, width: 2, to: &buffer)
    buffer.append(UInt8(ascii: ":"))
    append(inDay / 60 % 60, width: 2, to: &buffer)
    buffer.append(UInt8(ascii: ":"))
    append(inDay % 60, width: 2, to: &buffer)
    if unit != .second {
      buffer.append(UInt8(ascii: "."))
      append(Int(fraction), width: unit.fractionDigitCount, to: &buffer)
    }
    guard let zone else { return }
    if fixed != nil { buffer.append(zone) } else { buffer.append(UInt8(ascii: "Z")) }
  }

  // MARK: Parts

  private static func number(_ text: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> Int? {
    guard start + count <= text.count else { return nil }
    var value = 0
    for position in start..<start + count {
      let digit = Int(text[position]) - 0x30
      guard (0...9).contains(digit) else { return nil }
      value = value * 10 + digit
    }
    return value
  }

  private static func daysPrefix(_ text: UnsafeRawBufferPointer) -> Int32? {
    guard let year = number(text, 0, 4), let month = number(text, 5, 2), let day = number(text, 8, 2),
      text[4] == 0x2d, text[7] == 0x2d, (1...12).contains(month), day >= 1, day <= dayCount(year, month)
    else { return nil }
    return Int32(days(year, month, day))
  }

  /// The fraction at `position` in units of the given digits; `nil` if it is malformed or finer.
  private static func fraction(
    _ text: UnsafeRawBufferPointer, _ position: inout Int, digitCount: Int
  ) -> Int64? {
    guard position < text.count, text[position] == 0x2e else { return 0 }
    position += 1
    let start = position
    var value: Int64 = 0
    while position < text.count, (0x30...0x39).contains(text[position]) {
      let digit = Int64(text[position]) - 0x30
      if position - start < digitCount { value = value * 10 + digit } else if digit != 0 { return nil }
      position += 1
    }
    guard position > start else { return nil }
    for _ in 0..<max(0, digitCount - (position - start)) { value *= 10 }
    return value
  }

  /// Seconds east of UTC that the text says from `position` to its end.
  private static func offset(_ text: UnsafeRawBufferPointer, _ position: Int) -> Int64? {
    if position == text.count { return 0 }
    if position + 1 == text.count { return text[position] == 0x5a || text[position] == 0x7a ? 0 : nil }
    guard text.count == position + 6, text[position] == 0x2b || text[position] == 0x2d,
      text[position + 3] == 0x3a,
      let hour = number(text, position + 1, 2), let minute = number(text, position + 4, 2), hour < 24,
      minute < 60
    else { return nil }
    let seconds = Int64(hour * 3600 + minute * 60)
    return text[position] == 0x2d ? -seconds : seconds
  }

  private static func fixedOffset(_ zone: String) -> Int64? {
    var zone = zone
    return zone.withUTF8 { $0.count == 6 ? offset(UnsafeRawBufferPointer($0), 0) : nil }
  }

  private static func dayCount(_ year: Int, _ month: Int) -> Int {
    if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
    return [4, 6, 9, 11].contains(month) ? 30 : 31
  }

  /// Days from 1970-01-01 by Howard Hinnant's method: years begin in March, so that leap days come last.
  private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted.floorDivided(by: 400).quotient
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func civil(_ days: Int64) -> (year: Int64, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = shifted.floorDivided(by: 146_097).quotient
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1))
  }

  private static func append(_ value: Int, width: Int, to buffer: inout ByteBuffer) {
    var digits = String(value)
    digits.withUTF8 { digits in
      for _ in 0..<max(0, width - digits.count) { buffer.append(UInt8(ascii: "0")) }
      buffer.append(UnsafeRawBufferPointer(digits))
    }
  }
}

extension DataType.TimeUnit {
  /// Units in a second.
  package var countPerSecond: Int64 {
    switch self {
    case .second: 1
    case .millisecond: 1000
    case .microsecond: 1_000_000
    case .nanosecond: 1_000_000_000
    }
  }

  var fractionDigitCount: Int {
    switch self {
    case .second: 0
    case .millisecond: 3
    case .microsecond: 6
    case .nanosecond: 9
    }
  }
}

extension FixedWidthInteger {
  /// The quotient rounded towards minus infinity, and what remains, which is never negative.
  fileprivate func floorDivided(by divisor: Self) -> (quotient: Self, remainder: Self) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
