/// A date or a point in time, as an expression writes it.
struct TimeLiteral {
  /// Since 1970-01-01 00:00 UTC.
  let nanoseconds: Int128
  /// Whether it says more than a date.
  let hasTime: Bool

  /// Reads `YYYY-MM-DD`, then perhaps `T` or a blank and `HH:MM[:SS[.fraction]]`, then perhaps `Z` or
  /// `±HH:MM`. Nil for anything else, for dates that no calendar has, and for leap seconds.
  init?(_ text: String) {
    var rest = Array(text.utf8)[...]
    guard let year = rest.takeNumber(digits: 4), rest.take("-"), let month = rest.takeNumber(digits: 2),
      rest.take("-"), let day = rest.takeNumber(digits: 2),
      (1...12).contains(month), (1...TimeLiteral.days(in: month, of: year)).contains(day)
    else { return nil }
    var seconds = Int128(TimeLiteral.daysSince1970(year, month, day)) * 86_400
    var fraction: Int128 = 0
    hasTime = !rest.isEmpty
    if hasTime {
      guard rest.take("T") || rest.take("t") || rest.take(" "), let hour = rest.takeNumber(digits: 2),
        rest.take(":"), let minute = rest.takeNumber(digits: 2), hour < 24, minute < 60
      else { return nil }
      seconds += Int128(hour * 3600 + minute * 60)
      if rest.take(":") {
        guard let second = rest.takeNumber(digits: 2), second < 60 else { return nil }
        seconds += Int128(second)
        if rest.take(".") {
          guard let nanoseconds = rest.takeFraction() else { return nil }
          fraction = Int128(nanoseconds)
        }
      }
      guard let offset = rest.takeZone() else { return nil }
      seconds -= Int128(offset)
    }
    guard rest.isEmpty else { return nil }
    nanoseconds = seconds * 1_000_000_000 + fraction
  }

  private static func days(in month: Int, of year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Counts in years that begin in March, so that a leap day is the last of its year.
  private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let marchYear = month > 2 ? year : year - 1
    let era = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
    let yearOfEra = marchYear - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }
}

extension ArraySlice<UInt8> {
  fileprivate mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard let first, UInt32(first) == scalar.value else { return false }
    removeFirst()
    return true
  }

  private mutating func takeDigit() -> Int? {
    guard let first, (0x30...0x39).contains(first) else { return nil }
    removeFirst()
    return Int(first - 0x30)
  }

  fileprivate mutating func takeNumber(digits: Int) -> Int? {
    var value = 0
    for _ in 0..<digits {
      guard let digit = takeDigit() else { return nil }
      value = value * 10 + digit
    }
    return value
  }

  /// One to nine digits, as nanoseconds.
  fileprivate mutating func takeFraction() -> Int? {
    guard var value = takeDigit() else { return nil }
    var count = 1
    while let digit = takeDigit() {
      value = value * 10 + digit
      count += 1
      if count > 9 { return nil }
    }
    for _ in count..<9 { value *= 10 }
    return value
  }

  /// Seconds east of UTC; 0 if no zone is given.
  fileprivate mutating func takeZone() -> Int? {
    if isEmpty || take("Z") || take("z") { return 0 }
    let west = first == 0x2d
    guard take("+") || take("-"), let hour = takeNumber(digits: 2), take(":"),
      let minute = takeNumber(digits: 2), hour < 24, minute < 60
    else { return nil }
    return (west ? -1 : 1) * (hour * 3600 + minute * 60)
  }
}
