import DSVFormat
import DSVRecords
import Testing

@Suite struct ConversionTests {
  private func convert<R>(_ json: String, _ body: (Events, Event) -> R?) -> R? {
    parsing(Array(json.utf8)) { result in (try? result.get()).flatMap { body($0, $0.events[0]) } }
  }

  @Test("integers are checked against their range")
  func integers() {
    #expect(convert("127") { $1.integer(as: Int8.self) } == 127)
    #expect(convert("128") { $1.integer(as: Int8.self) } == nil)
    #expect(convert("-1") { $1.integer(as: UInt64.self) } == nil)
    #expect(convert("18446744073709551615") { $1.integer(as: UInt64.self) } == UInt64.max)
    #expect(convert("1e3") { $1.integer(as: Int16.self) } == 1000)
    #expect(convert("1.5") { $1.integer(as: Int16.self) } == nil)
    #expect(convert("\"1\"") { $1.integer(as: Int16.self) } == nil)
    #expect(convert("true") { $1.bool } == true)
    #expect(convert("1") { $1.bool } == nil)
    #expect(convert("9007199254740993") { $1.float64 } == nil)
    #expect(convert("1e39") { $0.float32($1) } == nil)
    #expect(convert("1.00000005960464477539062500001") { $0.float32($1) } == 1.0000001)
    #expect(convert("1e5") { $0.float16($1) } == nil)
  }

  @Test("dates and times are read and written")
  func calendar() {
    func days(_ text: String) -> Int32? { convert("\"\(text)\"") { $0.date($1) } }
    #expect(days("1970-01-01") == 0)
    #expect(days("1969-12-31") == -1)
    #expect(days("2024-02-29") == 19_782)
    #expect(days("0000-01-01") == -719_528)
    #expect(days("9999-12-31") == 2_932_896)
    for bad in [
      "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "2024-01-32", "2024-1-1", "24-01-01",
      "2024-01-01T", "2024/01/01", "",
    ] {
      #expect(days(bad) == nil, "\(bad)")
    }
    func time(_ text: String, _ unit: DataType.TimeUnit) -> Int64? {
      convert("\"\(text)\"") { $0.timestamp($1, unit: unit) }
    }
    #expect(time("1970-01-01T00:00:00Z", .second) == 0)
    #expect(time("1969-12-31T23:59:59.5Z", .millisecond) == -500)
    #expect(time("2024-02-29 12:00:00.123456789+02:00", .nanosecond) == 1_709_200_800_123_456_789)
    #expect(time("2024-02-29T12:00:00.1200-00:30", .millisecond) == 1_709_209_800_120)
    #expect(time("2024-02-29T12:00:00", .second) == 1_709_208_000)
    for bad in [
      "2024-02-29T12:00:00.5Z", "2024-02-29T24:00:00Z", "2024-02-29T12:60:00Z", "2024-02-29T12:00:60Z",
      "2024-02-29T12:00:00.Z",
      "2024-02-29T12:00:00+2:00", "2024-02-29T12:00:00+24:00", "2024-02-29T12:00:00ZZ", "2024-02-29T12:00",
      "2024-02-29",
    ] { #expect(time(bad, .second) == nil, "\(bad)") }
    #expect(time("9999-12-31T00:00:00Z", .nanosecond) == nil)
    #expect(convert("17") { $0.timestamp($1, unit: .second) } == 17)
  }

  @Test("every day and any time comes back")
  func calendarRoundTrip() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var generator = SeededGenerator(seed)
    for day in stride(from: Int32(-719_528), through: 2_932_896, by: 97) {
      let text = written { CalendarText.append(days: day, to: &$0) }
      #expect(convert("\"\(text)\"") { $0.date($1) } == day, "\(text)")
    }
    for unit in DataType.TimeUnit.allCases {
      for zone in [nil, "UTC", "+02:00", "-11:30", "Europe/Berlin"] {
        for _ in 0..<200 {
          let value = Int64.random(in: -60_000_000_000...250_000_000_000, using: &generator)
          let count =
            unit == .nanosecond
            ? Int64(truncatingIfNeeded: generator.next())
            : value * unit.countPerSecond + 7 % unit.countPerSecond
          let text = written { CalendarText.append(timestamp: count, unit: unit, zone: zone, to: &$0) }
          #expect(convert("\"\(text)\"") { $0.timestamp($1, unit: unit) } == count, "\(text)")
        }
      }
    }
    #expect(
      written { CalendarText.append(timestamp: -1, unit: .microsecond, zone: "UTC", to: &$0) }
        == "1969-12-31T23:59:59.999999Z")
    #expect(
      written { CalendarText.append(timestamp: 0, unit: .second, zone: "+02:00", to: &$0) }
        == "1970-01-01T02:00:00+02:00")
    for extreme in [Int64.min, Int64.max] {
      for unit in DataType.TimeUnit.allCases {
        #expect(
          !written { CalendarText.append(timestamp: extreme, unit: unit, zone: "+02:00", to: &$0) }.isEmpty)
      }
    }
  }

  @Test("decimals keep every digit")
  func decimals() {
    func decimal(_ json: String, _ precision: Int, _ scale: Int) -> Int128? {
      convert(json) { $0.decimal128($1, precision: precision, scale: scale) }
    }
    #expect(decimal("1.25", 9, 3) == 1250)
    #expect(decimal("-0.001", 9, 3) == -1)
    #expect(decimal("0.0001", 9, 3) == nil)
    #expect(decimal("0.0010000", 9, 3) == 1)
    #expect(decimal("1e3", 9, 0) == 1000)
    #expect(decimal("1.2e-2", 9, 3) == 12)
    #expect(decimal("1200", 9, -2) == 12)
    #expect(decimal("1201", 9, -2) == nil)
    #expect(decimal("999", 3, 0) == 999)
    #expect(decimal("1000", 3, 0) == nil)
    #expect(decimal("0", 1, 0) == 0)
    #expect(decimal("0e999999999999999999999", 1, 0) == 0)
    #expect(decimal("1e999999999999999999999", 38, 0) == nil)
    #expect(decimal("1e-999999999999999999999", 38, 38) == nil)
    #expect(
      decimal("99999999999999999999999999999999999999", 38, 0)
        == 99_999_999_999_999_999_999_999_999_999_999_999_999)
    #expect(decimal("\"-12345678901234567890.123456789\"", 38, 9) == -12_345_678_901_234_567_890_123_456_789)
    #expect(decimal("\"1,5\"", 38, 9) == nil)
    #expect(decimal("true", 38, 9) == nil)
    for (value, scale, text) in [
      (Int128(1250), 3, "1.250"), (-1, 3, "-0.001"), (0, 2, "0.00"), (12, -2, "1200"), (5, 0, "5"),
    ] {
      #expect(written { DecimalText.append(value, scale: scale, to: &$0) } == text)
      #expect(decimal(text, 38, scale) == value)
    }
  }

  @Test("base64 is that of RFC 4648")
  func base64() {
    let pairs = [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
      ("foobar", "Zm9vYmFy"),
    ]
    for (plain, text) in pairs {
      let encoded = written { buffer in
        Array(plain.utf8).withUnsafeBytes { Base64.append(encoding: $0, to: &buffer) }
      }
      #expect(encoded == text)
      #expect(decoded(text) == plain)
    }
    for bad in ["Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm9v Zg==", "Zg==Zg==", "Z-8=", "Zm\n8"] {
      #expect(decoded(bad) == nil, "\(bad)")
    }
  }

  private func decoded(_ base64: String) -> String? {
    var buffer = ByteBuffer()
    let isValid = Array(base64.utf8).withUnsafeBytes { Base64.append(decoding: $0, to: &buffer) }
    return isValid ? String(decoding: buffer.bytes, as: UTF8.self) : nil
  }

  @Test("a mismatch names kinds and never the value")
  func mismatches() {
    func message(_ json: String, _ type: DataType) -> String? {
      convert(json) { Mismatch.message(wanted: type, found: $1) }
    }
    #expect(message("\"secret\"", .int8) == "wanted int8, found string")
    #expect(message("300", .int8) == "wanted int8, found an integer that does not fit")
    #expect(message("\"secret\"", .date) == "wanted date, found a string that is none")
    #expect(message("{}", .bool) == "wanted bool, found object")
  }
}
